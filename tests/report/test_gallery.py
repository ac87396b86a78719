"""A sweep's own page while it runs and when it has ended: fed with events, and by real sweeps."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.artifacts.result import Result, RunStatus
from runner.engine.run import Event, Run
from runner.report.gallery import Gallery

OPTUNA_WARNS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
DOOMED = [{"match": {"prompt": "doomed"}, "fault": "moderation"}]


@pytest.fixture
def runs(loaded) -> list[Run]:
    config = loaded("provider=openai")
    made = (config.model_copy(update={"replica": number}) for number in range(3))
    return [Run(number, one, Path("out") / str(number), (f"replica={number}",)) for number, one in enumerate(made)]


@pytest.fixture
def gallery(here: Path, runs) -> Iterator[Gallery]:
    (here / "out").mkdir()
    with Gallery(Path("out"), runs, interval=0.01) as gallery:
        yield gallery


@pytest.fixture
def until(read) -> Callable[..., dict]:
    """Wait for a page of which something is true."""

    def wait(true: Callable[[dict], bool], path: Path = Path("out/index.html")) -> dict:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if path.exists() and true(data := read(path)):
                return data
            time.sleep(0.01)
        pytest.fail(f"{path}: {read(path) if path.exists() else 'no page'}")

    return wait


def ended(run: Run, result) -> Event:
    return Event(run, RunStatus.VERIFIED, 100, f"video_{run.index}", "completed", result=result)


def test_there_is_no_page_before_a_run_is_submitted(gallery, runs, until):
    for status in (RunStatus.PLANNED, RunStatus.SUBMITTING):
        gallery(Event(runs[0], status))
    time.sleep(0.1)
    assert not Path("out/index.html").exists()
    gallery(Event(runs[0], RunStatus.SUBMITTED, 0, "video_0", "queued"))
    first = until(lambda data: True)
    assert (first["complete"], [cell["group"] for cell in first["cells"]]) == (False, ["running", "pending", "pending"])
    assert first["sweeps"][0]["resume"] == "python -m runner resume out", "for whoever finds it stopped"


def test_a_page_tells_of_each_run_how_far_it_is(gallery, runs, until, result):
    gallery(Event(runs[0], RunStatus.SUBMITTED, 10, "video_0", "in_progress"))
    one = until(lambda data: data["cells"][0].get("progress") == 10)["cells"][0]
    assert (one["job_id"], one["remote_status"], one["status"]) == ("video_0", "in_progress", "submitted")
    gallery(Event(runs[0], RunStatus.SUBMITTED, 60, "video_0", "in_progress"))
    until(lambda data: data["cells"][0].get("progress") == 60)
    gallery(ended(runs[0], result(0, config=runs[0].config)))
    gallery(Event(runs[1], RunStatus.SUBMITTED, 0, "video_1", "queued"))
    data = until(lambda data: data["totals"]["done"] == 1)
    assert "progress" not in data["cells"][0]
    assert data["cells"][0]["media"][0]["path"] == "0/video.mp4"
    assert (data["totals"]["running"], data["totals"]["pending"]) == (1, 1)


def test_a_page_that_would_say_the_same_is_not_written_again(gallery, runs, until):
    queued = Event(runs[0], RunStatus.SUBMITTED, 0, "video_0", "queued")
    gallery(queued)
    until(lambda data: True)
    before = Path("out/index.html").stat().st_mtime_ns
    gallery(queued)
    time.sleep(0.1)
    assert Path("out/index.html").stat().st_mtime_ns == before
    gallery(Event(runs[0], RunStatus.SUBMITTED, 5, "video_0", "queued"))
    until(lambda data: data["cells"][0]["progress"] == 5)


def test_the_last_page_is_complete_and_says_what_is_left(gallery, runs, until, result, read):
    gallery(Event(runs[0], RunStatus.SUBMITTED, 10, "video_0", "queued"))
    gallery(Event(runs[1], RunStatus.SUBMITTED, 10, "video_1", "queued"))
    until(lambda data: True)
    parked = result(1, config=runs[1].config, status="submitted")
    results: list[Result] = [
        result(0, config=runs[0].config),
        parked,
        result(2, config=runs[2].config, status="planned"),
    ]
    gallery.close(results)
    data = read(Path("out/index.html"))
    assert (data["complete"], [cell["group"] for cell in data["cells"]]) == (True, ["done", "pending", "pending"])
    assert {cell["continue"] for cell in data["cells"]} == {None, "python -m runner resume out"}
    assert all("progress" not in cell for cell in data["cells"])


def test_a_page_that_cannot_be_written_is_a_warning_in_the_end(gallery, runs, result, capsys):
    Path("out/index.html").mkdir()
    gallery(Event(runs[0], RunStatus.SUBMITTED, 10, "video_0", "queued"))
    time.sleep(0.05)
    gallery.close([result(number, config=run.config) for number, run in enumerate(runs)])
    said = capsys.readouterr().err
    assert said.count("warning: out/index.html is not up to date") == 1
    assert "python -m runner report out" in said


def test_a_gallery_that_is_not_wanted_leaves_nothing(here, runs, result):
    (here / "out").mkdir()
    with Gallery(Path("out"), runs, wanted=False, interval=0.01) as gallery:
        gallery(Event(runs[0], RunStatus.SUBMITTED, 10, "video_0", "queued"))
    gallery.close([])
    assert [*Path("out").iterdir()] == []


def test_a_sweep_leaves_its_page(typed, make_emulator, read):
    server = make_emulator(rules=DOOMED)
    assert typed("-m", "hydra.sweep.dir=out", "request.prompt=a,doomed", "replica=0,1", server=server) == 1
    data = read(Path("out/index.html"))
    assert (data["complete"], data["title"], data["sweeps"][0]["resume"]) == (True, "out", None)
    assert [axis["key"] for axis in data["axes"]] == ["request.prompt", "replica"]
    assert [(cell["at"], cell["group"]) for cell in data["cells"]] == [
        ([0, 0], "done"), ([0, 1], "done"), ([1, 0], "failed"), ([1, 1], "failed")]  # fmt: skip
    for cell in data["cells"][:2]:
        (medium,) = cell["media"]
        assert (Path("out") / medium["path"]).stat().st_size == medium["bytes"]
        assert (Path("out") / medium["poster"]).is_file()
    assert data["cells"][2]["reason"]
    assert (data["totals"]["done"], data["totals"]["failed"], data["totals"]["spent_usd"]) == (2, 2, 1.6)


def test_neither_a_single_run_nor_gallery_false_makes_a_page(typed):
    assert typed("hydra.run.dir=one") == 0
    assert typed("-m", "hydra.sweep.dir=out", "gallery=false", "replica=0,1") == 0
    assert [*Path().rglob("index.html")] == []


def test_resuming_brings_the_page_up_to_date(typed, make_emulator, read):
    server = make_emulator(rules=[{"fault": "internal", "nth": 1}])
    assert typed("-m", "hydra.sweep.dir=out", "replica=0,1", server=server) == 1
    before = read(Path("out/index.html"))
    (failed,) = (cell for cell in before["cells"] if cell["group"] == "failed")
    assert failed["continue"] == before["sweeps"][0]["resume"] == "python -m runner resume out --retry-failed"

    from runner.app import run

    assert run(failed["continue"].split()[3:]) == 0
    after = read(Path("out/index.html"))
    assert [cell["group"] for cell in after["cells"]] == ["done", "done"]
    assert (after["sweeps"][0]["resume"], after["totals"]["retries"]) == (None, 1)
    assert [cell["key"] for cell in after["cells"]] == [cell["key"] for cell in before["cells"]]


@OPTUNA_WARNS
def test_the_batches_of_an_optimiser_share_one_page(typed, read):
    study = [
        *("hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2", "hydra/sweeper/sampler=random"),
        *("+hydra.sweeper.sampler.seed=1", "hydra.sweeper.direction=minimize", "hydra.sweep.dir=out"),
    ]
    assert typed("-m", *study, "request.duration_seconds=choice(4,8,12)") == 0
    data = read(Path("out/index.html"))
    assert (data["complete"], [cell["number"] for cell in data["cells"]]) == (True, [0, 1, 2, 3])
    assert {cell["group"] for cell in data["cells"]} == {"done"}


def test_another_launcher_leaves_a_page_too(typed, read):
    assert typed("-m", "hydra/launcher=basic", "hydra.sweep.dir=out", "request.prompt=a,b") == 0
    data = read(Path("out/index.html"))
    assert ([cell["prompt"] for cell in data["cells"]], data["complete"]) == (["a", "b"], True)


def test_start_up_pays_nothing_for_the_page():
    import subprocess

    code = "import sys, runner.sweep.execution; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
