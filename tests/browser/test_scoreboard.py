"""The scoreboard: the page counts as Python does, shows who stands where, and leads to each prompt's winner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.judging.scoreboard import strengths

DATA = Path(__file__).parents[1] / "data/scoreboard"
EXPECTED = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))
RECORDS = (DATA / "ratings.jsonl").read_text(encoding="utf-8")
STANDINGS = "gallery.standings.of({key: 'model', name: 'model', of: (cell) => cell.model})"


@pytest.fixture
def judged(gallery, make_cell, make_page):
    """A page of the runs that the records of tests/data are of, with these records."""

    def media(name: str) -> dict:
        return {"name": name, "path": "data:,", "type": "video/mp4", "poster": "data:,"}

    cells = [
        make_cell(number, [], key=run["key"], model=run["thing"], prompt=run["prompt"], spent_usd=0.5,
                  media=[media(name) for name in run["files"]])
        for number, run in enumerate(EXPECTED["runs"])
    ]  # fmt: skip
    page = gallery(make_page(cells), complains=True)
    counts = page.evaluate("(text) => gallery.exchange.merge(text)", RECORDS)
    assert (counts["strange"], counts["skipped"]) == (EXPECTED["strange"], 0)
    return page


def test_the_page_counts_as_python_does(judged):
    found = judged.evaluate(STANDINGS)

    assert {key: found[key] for key in ("games", "bothBad", "within")} == {
        "games": EXPECTED["games"], "bothBad": EXPECTED["both_bad"], "within": EXPECTED["within"]
    }  # fmt: skip
    assert found["ratingAlpha"] == pytest.approx(EXPECTED["rating_alpha"], abs=1e-5)
    assert found["pairAlpha"] == pytest.approx(EXPECTED["pair_alpha"], abs=1e-5)
    assert [row["value"] for row in found["rows"]] == [*EXPECTED["things"]]
    for row in found["rows"]:
        wanted = EXPECTED["things"][row["value"]]
        counts = {"wins": row["wins"], "losses": row["losses"], "ties": row["ties"], "both_bad": row["bothBad"]}
        assert counts == {key: wanted[key] for key in counts}
        assert row["strength"]["value"] == pytest.approx(wanted["strength"], abs=1e-5)
        assert (row["mean"], row["kept"]) == (pytest.approx(wanted["rating_mean"]), wanted["kept"])
    winners = {each["prompt"]: [file["cell"]["model"] for file in each["files"]] for each in found["winners"]}
    assert winners == EXPECTED["winners"]


def test_the_intervals_are_those_that_python_finds(judged):
    found = judged.evaluate(STANDINGS)["rows"]
    names = [row["value"] for row in found]
    things = {run["key"]: run["thing"] for run in EXPECTED["runs"]}
    pairs = [json.loads(line) for line in RECORDS.splitlines() if '"kind":"pair"' in line]
    undone = {json.loads(line)["of"] for line in RECORDS.splitlines() if '"kind":"undo"' in line}
    games = [
        (names.index(things[pair["left"]["run"]]), names.index(things[pair["right"]["run"]]),
         {"left": 1.0, "right": 0.0, "tie": 0.5}[pair["outcome"]])
        for pair in pairs
        if pair["id"] not in undone and pair["outcome"] != "both_bad"
        and {pair["left"]["run"], pair["right"]["run"]} <= things.keys()
        and things[pair["left"]["run"]] != things[pair["right"]["run"]]
    ]  # fmt: skip
    assert len(games) == EXPECTED["games"]

    for row, wanted in zip(found, strengths(len(names), games), strict=True):
        own = row["strength"]
        assert (own["low"], own["high"]) == (pytest.approx(wanted.low, abs=0.15), pytest.approx(wanted.high, abs=0.15))


def test_the_scoreboard_is_shown_beside_grid_and_plot(judged):
    judged.keyboard.press("Shift+G")

    rows = judged.locator("#scores tbody").first.locator("tr")
    assert rows.locator("th").all_inner_texts() == [*EXPECTED["things"]]
    best = EXPECTED["things"][rows.locator("th").first.inner_text()]
    text = rows.first.inner_text()
    assert f"{best['strength']:.2f}" in text
    assert f"{best['wins']} – {best['losses']}" in text
    assert judged.locator("#grid").is_hidden()
    assert "by ann, bob" in judged.locator("#scores .plot-bar").inner_text()
    judged.keyboard.press("Shift+G")
    assert judged.locator("#grid").is_visible()


def test_a_click_opens_the_winner_of_a_prompt(judged):
    judged.get_by_role("button", name="Scoreboard").click()
    prompt = "a paper boat"
    row = judged.get_by_role("group", name="Winners").get_by_role("row").filter(has_text=prompt)

    row.get_by_role("button").click()

    opened = judged.evaluate("gallery.store.cell(gallery.store.state.open)")
    assert (opened["prompt"], [opened["model"]]) == (prompt, EXPECTED["winners"][prompt])


def test_cost_and_latency_are_told_for_each_file_that_is_kept(gallery, make_cell, make_page):
    cells = [
        make_cell(n, [], model=f"model-{n % 2}", prompt="a fox", spent_usd=0.5, latency_seconds=3.0) for n in range(4)
    ]
    page = gallery(make_page(cells), "#view=scores")
    assert "Nothing is judged yet" in page.locator("#scores").inner_text()

    page.evaluate("gallery.ratings.change(gallery.store.cell('0/0'), '', {rating: 4})")
    page.evaluate("gallery.ratings.change(gallery.store.cell('0/1'), '', {rating: 3})")

    row = page.locator("#scores tr").filter(has_text="model-0")
    row.first.wait_for()
    assert "4.0 of 1" in row.first.inner_text()
    assert "$1.00" in row.first.inner_text()
    assert "6.0 s" in row.first.inner_text()
    assert "–" in page.locator("#scores tr").filter(has_text="model-1").first.inner_text()


def test_any_parameter_can_be_chosen(gallery, make_cell, make_page):
    cells = [make_cell(n, [n], prompt="a fox") for n in range(3)]
    page = gallery(make_page(cells, [("request.quality", ["low", "medium", "high"])]), "#view=scores")
    page.evaluate("""gallery.ratings.add({
      version: 1, kind: "pair", id: "1", at: "2026-11-23T09:00:00.000Z", rater: "ann", by: "request.quality",
      left: {run: "sweep/0", file: ""}, right: {run: "sweep/2", file: ""}, outcome: "right"})""")

    page.locator("#scores-by").wait_for()
    assert page.locator("#scores tbody").first.locator("th").all_inner_texts() == ["high", "medium", "low"]
    assert "high won all of its 1 games" in page.locator("#scores").inner_text()
