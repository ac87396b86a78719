"""Latency and cost by parameter: points, medians, and the same as a table."""

from __future__ import annotations

import json

import pytest

POINTS = "#plot figure[data-measure={}] .point"


@pytest.fixture
def data(make_cell, make_page):
    latencies = [1.0, 3.0, 2.0, 10.0, 30.0, None]
    cells = [
        make_cell(number, [number // 3, number % 3], latency_seconds=latency, spent_usd=0.1 * (number + 1))
        for number, latency in enumerate(latencies)
    ]
    return make_page(cells, [("request.duration_seconds", [4, 8]), ("replica", [0, 1, 2])])


@pytest.fixture
def page(gallery, data):
    return gallery(data, "#view=plot&x=request.duration_seconds")


def test_every_run_with_a_figure_is_a_point(page):
    assert page.locator(POINTS.format("latency")).count() == 5
    assert page.locator(POINTS.format("cost")).count() == 6
    assert page.locator("#plot .median").count() == 4


def test_points_and_medians_stand_at_their_values(page):
    heights = numbers(page, ".point", "cy")
    medians = numbers(page, ".median", "y1")
    per_second = (heights[0] - heights[4]) / 29

    assert [round((heights[0] - height) / per_second) for height in heights] == [0, 2, 1, 9, 29]
    assert [round((heights[0] - height) / per_second) for height in medians] == [1, 9]


def numbers(page, marks: str, attribute: str) -> list[float]:
    found = page.locator(f"#plot [data-measure=latency] {marks}").all()
    return [float(mark.get_attribute(attribute)) for mark in found]


def test_the_figures_can_be_read_as_a_table(page):
    page.locator("#plot summary").first.click()

    rows = page.locator("#plot [data-measure=latency] tbody tr").all_inner_texts()
    assert rows == ["4 s\t3\t1.0 s\t2.0 s\t3.0 s", "8 s\t2\t10 s\t10 s\t30 s"]
    assert "4 s: 2.0 s; 8 s: 10 s" in page.locator("#plot svg").first.get_attribute("aria-label")


def test_a_table_that_is_read_stays_open_when_newer_data_come(page, data):
    page.locator("#plot summary").first.click()

    page.evaluate(f"gallery.store.replaceData({json.dumps(data)})")

    assert page.locator("#plot details[open]").count() == 1


def test_another_parameter_can_be_chosen(page):
    page.get_by_label("By", exact=True).focus()
    page.get_by_label("By", exact=True).select_option("replica")

    assert page.locator("#plot .median").count() == 6
    assert page.locator("#plot .axis").first.text_content() == "replica"
    assert page.evaluate("document.activeElement.id") == "plot-axis"


def test_a_point_opens_its_run(page):
    page.locator(f"{POINTS.format('cost')}[data-id='0/3']").click()

    assert page.evaluate("gallery.store.state.open") == "0/3"


def test_only_what_passes_the_filter_is_drawn(page):
    page.evaluate("gallery.store.set({ find: 'prompt 1' })")

    assert page.locator(POINTS.format("cost")).count() == 1


def test_of_ten_thousand_runs_some_are_points_and_all_are_figures(gallery, make_cell, make_page):
    cells = [make_cell(number, [number % 2], latency_seconds=float(number % 2)) for number in range(10_000)]
    page = gallery(make_page(cells, [("replica", [0, 1])]), "#view=plot")
    page.locator("#plot summary").first.click()

    assert 1000 < page.locator(POINTS.format("latency")).count() <= 3000
    assert page.locator("#plot [data-measure=latency] tbody td:nth-of-type(1)").all_inner_texts() == ["5000", "5000"]


def test_of_a_parameter_of_ten_thousand_values_a_bounded_part_is_drawn(gallery, make_cell, make_page):
    cells = [make_cell(number, [number], latency_seconds=float(number)) for number in range(10_000)]
    page = gallery(make_page(cells, [("request.seed", list(range(10_000)))]), "#view=plot")

    assert 1000 < page.locator(POINTS.format("latency")).count() <= 3000
    assert page.locator("#plot .median").count() <= 1000
    assert page.locator("#plot [data-measure=latency] tbody tr").count() == 500
    assert page.locator("#plot [data-measure=latency] .scroller .muted").text_content() == "and 9500 values more"


def test_points_keep_their_places(page):
    place = "() => [...document.querySelectorAll('#plot .point')].map((p) => p.outerHTML)"
    before = page.evaluate(place)
    page.evaluate("gallery.store.set({ view: 'grid' })")
    page.evaluate("gallery.store.set({ view: 'plot' })")

    assert page.evaluate(place) == before
    assert len(set(before)) == len(before)


def test_without_figures_it_says_so(gallery, make_cell, make_page):
    nothing = {"latency_seconds": None, "estimated_usd": None, "actual_usd": None, "spent_usd": None}
    cells = [make_cell(number, [number], **nothing) for number in (0, 1)]
    page = gallery(make_page(cells, [("replica", [0, 1])]), "#view=plot")

    assert page.locator("#plot svg").count() == 0
    assert page.locator("#plot .muted", has_text="No run that is shown has this figure yet").count() == 2


def ticks(page, measure="latency") -> list[str]:
    return page.locator(f"#plot figure[data-measure={measure}] .tick[text-anchor=end]").all_text_contents()


STEPS = {
    100.0: ["0 s", "25 s", "50 s", "75 s", "100 s"],
    150.0: ["0 min", "1 min", "2 min", "3 min"],
    7000.0: ["0 min", "50 min", "100 min", "150 min"],
    30000.0: ["0.0 h", "2.5 h", "5.0 h", "7.5 h", "10.0 h"],
}


def test_steps_are_round_in_one_unit_and_rise(gallery, make_cell, make_page):
    cells = [make_cell(n, [n], prompt=f"alone{n}", latency_seconds=longest) for n, longest in enumerate(STEPS)]
    page = gallery(make_page(cells, [("replica", list(range(len(STEPS))))]), "#view=plot")
    for number, steps in enumerate(STEPS.values()):
        page.evaluate("(find) => gallery.store.set({find})", f"alone{number}")
        heights = page.locator("#plot figure[data-measure=latency] .tick[text-anchor=end]").evaluate_all(
            "all => all.map((one) => Number(one.getAttribute('y')))"
        )
        assert heights == sorted(heights, reverse=True)
        assert ticks(page) == steps


def test_150_seconds_are_neither_two_nor_three_minutes(gallery, make_cell, make_page):
    page = gallery(make_page([make_cell(0, [], latency_seconds=150.0)]))
    assert page.locator(".tile .facts").inner_text() == "$0.40 · 2.5 min"


def test_only_the_tab_that_is_shown_is_drawn(gallery, data):
    page = gallery(data, "#view=plot&x=request.duration_seconds&tab=replica&at=1")
    assert page.locator(POINTS.format("cost")).count() == 2
    page.get_by_role("tab").nth(0).click()
    found = page.locator(POINTS.format("cost")).evaluate_all("all => all.map((one) => one.dataset.id)")
    assert sorted(found) == ["0/0", "0/3"]


def test_any_two_measures_are_drawn_against_each_other(page):
    page.get_by_label("By", exact=True).select_option("cost")
    page.get_by_label("Of", exact=True).select_option("latency")
    points = page.locator(POINTS.format("latency"))
    assert points.count() == 5
    across = [float(x) for x in points.evaluate_all("all => all.map((one) => one.getAttribute('cx'))")]
    assert across == sorted(across)
    assert page.locator("#plot figcaption").inner_text() == "Latency against cost"
    points.last.click()
    assert page.evaluate("gallery.store.state.open") == "0/4"


def test_what_was_drawn_stands_in_the_address(gallery, data):
    page = gallery(data, "#view=plot&of=latency&by=cost&hue=request.duration_seconds")
    assert page.locator("#plot figcaption").all_inner_texts() == ["Latency against cost"]
    assert page.locator(".legend li").all_inner_texts() == ["4 s", "8 s"]
    assert {*page.locator(".point").evaluate_all("all => all.map((one) => one.dataset.hue)")} == {"0", "1"}


def test_scores_of_files_are_measures_to_plot_and_sort_by(gallery, make_cell, make_page):
    def cell(number, sharpness):
        media = {"name": "a.png", "path": "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E",
                 "type": "image/svg+xml", "scores": {"sharpness": sharpness}}  # fmt: skip
        return make_cell(number, [number], media=[media])

    page = gallery(make_page([cell(0, 0.9), cell(1, 0.2), cell(2, -0.4)], [("replica", [0, 1, 2])]), "#x=&y=")
    page.get_by_label("sort by").select_option("sharpness")
    assert page.locator(".tile").evaluate_all("all => all.map((one) => one.dataset.id)") == ["0/2", "0/1", "0/0"]
    page.keyboard.press("g")
    page.get_by_label("Of", exact=True).select_option("sharpness")
    assert page.locator(POINTS.format("'score.sharpness'")).count() == 3
    assert float(ticks(page, "'score.sharpness'")[0]) <= -0.4


def shares(page) -> list[float]:
    """Where the colour of each point stands between the least (0) and the greatest (1), in the order of the runs."""
    share = "all => all.map((one) => [one.dataset.id, Number(one.style.getPropertyValue('--share'))])"
    found = page.locator(f"{POINTS.format('cost')}[data-share]").evaluate_all(share)
    return [share for _, share in sorted(found)]


def test_points_are_coloured_by_any_measure_or_score(gallery, make_cell, make_page):
    def cell(number, sharpness):
        media = {"name": "a.png", "path": "data:,", "type": "text/plain", "scores": {"sharpness": sharpness}}
        return make_cell(number, [number], latency_seconds=10.0 * number, media=[media])

    data = make_page([cell(0, 200), cell(1, 500), cell(2, 100), cell(3, None)], [("replica", [0, 1, 2, 3])])
    page = gallery(data, "#view=plot&of=cost")
    page.get_by_label("Colours").select_option("sharpness")
    assert shares(page) == [0.25, 1, 0]
    assert page.locator(f"{POINTS.format('cost')}[data-hue=none]").get_attribute("data-id") == "0/3"
    assert page.locator(".legend li").all_inner_texts() == ["sharpness from 100 to 500", "no sharpness"]
    page.get_by_label("Colours").select_option("latency")
    assert shares(page) == pytest.approx([0, 1 / 3, 2 / 3, 1], abs=0.001)
    assert "hue=latency" in page.evaluate("new Promise((done) => setTimeout(() => done(location.hash), 200))")


def test_points_are_coloured_by_parameters_of_many_values(gallery, make_cell, make_page):
    # Seeds are numbers, along which colours go; of names, those of most runs have colours of their own.
    names = [f"style {number}" for number in range(10)]
    cells = [make_cell(number, [number, number % 10]) for number in range(12)]
    page = gallery(make_page(cells, [("request.seed", list(range(12))), ("vars.style", names)]), "#view=plot&of=cost")
    page.get_by_label("Colours").select_option("seed")
    in_order = sorted(range(12), key=str)  # as the ids of the runs are
    assert shares(page) == pytest.approx([number / 11 for number in in_order], abs=0.001)
    page.get_by_label("Colours").select_option("style")
    assert page.locator(".legend li").all_inner_texts() == [*names[:7], "3 other values"]
    hues = page.locator(POINTS.format("cost")).evaluate_all(
        "all => all.map((one) => [one.dataset.id, one.dataset.hue])"
    )
    assert dict(hues)["0/0"] == dict(hues)["0/10"] == "0"
    assert {dict(hues)[f"0/{number}"] for number in (7, 8, 9)} == {"7"}
