"""`runner.load_sweep`: typed results of real sweeps, a DataFrame, and what a notebook shows."""

from __future__ import annotations

import base64
import dataclasses
import html.parser
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import runner
from runner.artifacts.result_file import read_result
from runner.artifacts.run_status import RunStatus
from runner.ledger.ledger import Ledger

HOSTILE = "<script>alert(1)</script> \"'&\u202e<img src=x onerror=alert(2)>"


@pytest.fixture
def swept(typed, here) -> runner.Sweep:
    assert typed("-m", "hydra.sweep.dir=out", "request.duration_seconds=4,8") == 0
    return runner.load_sweep("out")


def test_runs_have_what_came_of_them(swept, here):
    first, second = swept.runs
    result = read_result(here / "out/1")
    assert (len(swept), [*swept], swept[1]) == (2, [first, second], second)
    assert (second.number, second.status, second.status == "verified") == (1, RunStatus.VERIFIED, True)
    assert dict(second.parameters) == {"request.duration_seconds": 8}
    assert second.config.request == result.config.request
    assert second.artifacts == (here / "out/1/video.mp4", here / "out/1/thumbnail.webp")
    assert (second.cost_usd, second.job_id, second.error) == (0.8, result.job_id, None)
    assert second.latency_seconds == pytest.approx(
        (result.timestamps["verified"] - result.timestamps["submitting"]).total_seconds(), abs=0.01
    )
    assert (swept.totals["runs"], swept.totals["done"], swept.totals["spent_usd"]) == (2, 2, pytest.approx(1.2))
    assert not swept.running


def test_results_cannot_be_changed_by_accident(swept):
    with pytest.raises(dataclasses.FrozenInstanceError):
        swept[0].directory = Path()
    with pytest.raises(TypeError):
        swept[0].parameters["request.prompt"] = "another"


def test_a_failed_run_says_why(typed, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 1, "fault": "internal"}])
    assert typed("-m", "hydra.sweep.dir=out", "replica=0,1", server=server) == 1
    (failed,) = [each for each in runner.load_sweep("out") if each.status == "failed"]
    assert failed.error
    assert failed.artifacts == ()
    assert f"GenerationFailedError: <bdi>{failed.error}" in failed._repr_html_()


def test_a_moved_sweep_is_read_where_it_is(swept, here):
    (here / "out").rename(here / "elsewhere # 1")
    moved = runner.load_sweep(here / "elsewhere # 1")
    assert all(path.is_file() for each in moved for path in each.artifacts)
    assert "elsewhere%20%23%201/0/video.mp4" in moved._repr_html_()


def test_a_single_run_and_a_run_of_a_sweep_are_sweeps_of_one(typed, swept, here):
    assert typed("hydra.run.dir=alone") == 0
    assert [each.number for each in runner.load_sweep(here / "alone")] == [0]
    assert [each.number for each in runner.load_sweep(here / "out/1")] == [1]


def test_a_sweep_is_read_while_someone_is_at_work_on_it(swept, here, forget):
    forget(1)
    before = {path: path.stat().st_mtime_ns for path in (here / "out").rglob("*")}
    with Ledger(here / "out"):
        found = runner.load_sweep("out")
    assert [each.status for each in found] == ["verified", "planned"]
    assert (found[1].cost_usd is not None, found[1].latency_seconds, found[1].artifacts) == (True, None, ())
    assert before.keys() <= {*(here / "out").rglob("*")}


@pytest.fixture
def forget(here) -> Callable[[int], None]:
    """Put a run back to before it was begun."""

    def never(number: int) -> None:
        import sqlite3

        db = sqlite3.connect(here / "out/ledger.sqlite3")
        db.execute("UPDATE runs SET status = 'planned', job_id = NULL, result = NULL WHERE number = ?", (number,))
        db.commit()
        db.close()

    return never


def test_where_there_is_nothing_or_too_much_the_error_says_what_to_load(swept, typed, here):
    (here / "empty").mkdir()
    with pytest.raises(runner.ConfigError, match="no sweep and no run"):
        runner.load_sweep("empty")
    assert typed("-m", "hydra.sweep.dir=more", "replica=0,1") == 0
    with pytest.raises(runner.ConfigError, match="2 sweeps") as caught:
        runner.load_sweep(".")
    assert "runner.load_sweep('more')" in (caught.value.hint or "")


def test_a_library_writes_nothing_on_its_users_terminal(swept, here, capsys):
    (here / "bad").mkdir()
    (here / "bad/ledger.sqlite3").write_bytes(b"no ledger at all " * 99)
    capsys.readouterr()
    with pytest.raises(runner.ConfigError, match=r"bad/ledger\.sqlite3 cannot be read"):
        runner.load_sweep(".")
    assert len(runner.load_sweep("out")) == 2
    assert capsys.readouterr() == ("", "")


def test_a_data_frame_has_a_row_a_run_with_types(swept, here):
    pytest.importorskip("pandas", reason="pip install 'mediarunner[pandas]'")
    frame = swept.to_pandas()
    assert frame["request.duration_seconds"].tolist() == [4, 8]
    assert frame["artifact"].tolist() == [str(each.artifacts[0]) for each in swept]
    assert str(frame["submitting_at"].dtype).startswith("datetime64[")
    assert (frame["ended_at"] - frame["submitting_at"]).dt.total_seconds().gt(0).all()


def test_without_pandas_the_error_says_what_to_install(swept, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(runner.ConfigError) as caught:
        swept.to_pandas()
    assert caught.value.hint == "pip install 'mediarunner[pandas]'"


class Tags(html.parser.HTMLParser):
    """What a browser would make of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_notebook_shows_thumbnails_in_the_page_itself_and_links_the_films(swept):
    shown = Tags(swept._repr_html_())
    pictures = [attributes["src"] or "" for tag, attributes in shown.found if tag == "img"]
    kind, _, data = pictures[1].partition(";base64,")
    assert (len(pictures), kind) == (2, "data:image/webp")
    assert base64.b64decode(data) == (swept[1].directory / "thumbnail.webp").read_bytes()
    links = [attributes["href"] for tag, attributes in shown.found if tag == "a"]
    assert links == [(each.directory / "video.mp4").as_uri() for each in swept]


def test_a_notebook_plays_a_single_runs_film(swept):
    shown = Tags(swept[0]._repr_html_())
    (film,) = [attributes["src"] or "" for tag, attributes in shown.found if tag == "video"]
    assert base64.b64decode(film.partition(";base64,")[2]) == swept[0].artifacts[0].read_bytes()


def test_a_file_that_is_gone_is_only_linked(swept):
    for path in (*swept[0].artifacts, *swept[1].artifacts):
        path.unlink()
    assert {tag for tag, _ in Tags(swept._repr_html_() + swept[0]._repr_html_()).found}.isdisjoint({"img", "video"})


def test_a_link_takes_no_other_file_into_a_notebook(swept, here):
    (here / "secret.txt").write_bytes(b"canary")
    for name in ("video.mp4", "thumbnail.webp"):
        (here / "out/0" / name).unlink()
        (here / "out/0" / name).symlink_to(here / "secret.txt")
    assert base64.b64encode(b"canary").decode() not in swept._repr_html_() + swept[0]._repr_html_()


def test_hostile_prompts_stay_text(typed, here):
    (here / "hostile.txt").write_text(HOSTILE, encoding="utf-8")
    (here / "long.txt").write_text("x" * 32_000, encoding="utf-8")
    assert typed("-m", "hydra.sweep.dir=out", "request.prompt_file=hostile.txt,long.txt") == 0
    found = runner.load_sweep("out")
    text = found._repr_html_() + found[0]._repr_html_()
    shown = Tags(text)
    assert {tag for tag, _ in shown.found} <= {
        "p",
        "b",
        "br",
        "div",
        "figure",
        "img",
        "figcaption",
        "bdi",
        "a",
        "video",
    }
    assert all(not name.startswith("on") for _, attributes in shown.found for name in attributes)
    alternatives = [attributes["alt"] for tag, attributes in shown.found if tag == "img"]
    assert HOSTILE in alternatives
    assert re.search(r"x{301}", text) is None


def test_a_thousand_runs_show_some_and_say_so(swept):
    many = dataclasses.replace(swept, runs=swept.runs * 500)
    shown = Tags(many._repr_html_())
    assert sum(tag == "img" for tag, _ in shown.found) == 60
    assert "940 more runs" in shown.words
