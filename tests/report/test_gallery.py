"""A sweep's own page while it runs and when it has ended: fed with events, and by real sweeps."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

import runner.report.live_page
from runner.artifacts.result import ErrorRecord, Result
from runner.artifacts.run_status import RunStatus
from runner.engine.run import Event, Run
from runner.ledger.ledger import Ledger
from runner.report.live_page import HEARTBEAT, LONGEST, LivePageThread, leave_open, pause_after, whole_pages
from tests.waiting import wait_until

OPTUNA_WARNS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
PRICE = 0.8
DOOMED = [{"match": {"prompt": "doomed"}, "fault": "moderation"}]


@pytest.fixture
def runs(loaded) -> list[Run]:
    config = loaded("provider=openai")
    made = (config.model_copy(update={"replica": number}) for number in range(3))
    return [Run(number, one, Path("out") / str(number), (f"replica={number}",)) for number, one in enumerate(made)]


@pytest.fixture
def gallery(here: Path, runs) -> Iterator[LivePageThread]:
    (here / "out").mkdir()
    with LivePageThread(Path("out"), runs, interval=0.01) as gallery:
        yield gallery


@pytest.fixture
def until(read) -> Callable[..., dict]:
    """Wait for a page of which something is true."""

    def wait(true: Callable[[dict], bool], path: Path = Path("out/index.html")) -> dict:
        return wait_until(lambda: path.exists() and true(data := read(path)) and data)

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
    assert (first["complete"], [cell["group"] for cell in first["cells"]]) == (
        False,
        ["generating", "queued", "queued"],
    )
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
    assert (data["totals"]["generating"], data["totals"]["queued"]) == (1, 1)


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
    assert (data["complete"], [cell["group"] for cell in data["cells"]]) == (True, ["done", "generating", "queued"])
    assert {cell["continue"] for cell in data["cells"]} == {None, "python -m runner resume out"}
    assert all("progress" not in cell for cell in data["cells"])


def test_a_page_that_cannot_be_written_is_a_warning_in_the_end(gallery, runs, result, capsys):
    Path("out/index.html").mkdir()
    gallery(Event(runs[0], RunStatus.SUBMITTED, 10, "video_0", "queued"))
    time.sleep(0.05)
    (problem,) = gallery.close([result(number, config=run.config) for number, run in enumerate(runs)])
    assert (problem.severity, "out/index.html is not up to date" in problem.message) == ("warning", True)
    assert "python -m runner report out" in problem.hint
    assert capsys.readouterr().err == ""


def test_a_sweep_whose_page_cannot_be_written_says_so_once_and_succeeds(typed, capsys):
    Path("my out/index.html").mkdir(parents=True)
    assert typed("-m", "hydra.sweep.dir='my out'", "replica=0,1") == 0
    said = capsys.readouterr().err
    assert said.count("warning: my out/index.html is not up to date") == 1
    assert "python -m runner report 'my out'" in said


def test_what_the_engine_makes_of_a_run_that_it_goes_on_with_is_on_the_last_page(here, runs, result, until, read):
    (here / "out").mkdir()
    earlier = result(0, config=runs[0].config, status="submitted")
    with LivePageThread(Path("out"), [replace(runs[0], earlier=earlier), *runs[1:]], interval=0.01) as gallery:
        gallery(Event(runs[0], RunStatus.SUBMITTED, 10, "video_0", "in_progress"))
        until(lambda data: data["cells"][0]["status"] == "submitted")
        # As a recorder does, which goes on with the very object.
        earlier.status, earlier.artifacts = RunStatus.VERIFIED, result().artifacts
        earlier.timestamps["verified"] = earlier.timestamps["submitted"]
        rest = [result(number, config=run.config) for number, run in enumerate(runs)][1:]
        assert gallery.close([earlier, *rest]) == []
    cell = read("out/index.html")["cells"][0]
    assert (cell["group"], [medium["path"] for medium in cell["media"]]) == ("done", ["0/video.mp4"])


def test_a_run_that_is_tried_again_does_not_show_how_it_failed_before(here, runs, result, until):
    (here / "out").mkdir()
    melted = ErrorRecord(type="GenerationFailedError", code=None, message="it melted", hint=None, retryable=True)
    failed = result(0, config=runs[0].config, status="failed", error=melted)
    again = replace(runs[0], earlier=failed, again=True)
    with LivePageThread(Path("out"), [again, *runs[1:]], interval=0.01) as gallery:
        gallery(Event(again, RunStatus.PLANNED))
        gallery(Event(again, RunStatus.SUBMITTING))
        gallery(Event(again, RunStatus.SUBMITTED, 5, "video_9", "queued"))
        cell = until(lambda data: data["cells"][0]["group"] == "generating")["cells"][0]
    assert (cell["reason"], cell["hint"], cell["job_id"]) == (None, None, "video_9")
    assert "failed" not in cell["times"]


def test_a_parked_run_that_goes_on_does_not_show_why_it_was_parked(here, runs, result, until):
    (here / "out").mkdir()
    late = ErrorRecord(type="JobTimeoutError", code=None, message="too late", hint=None, retryable=True)
    parked = result(0, config=runs[0].config, status="submitted", error=late)
    going_on = replace(runs[0], earlier=parked)
    with LivePageThread(Path("out"), [going_on, *runs[1:]], interval=0.01) as gallery:
        gallery(Event(going_on, RunStatus.SUBMITTED, 5, "video_0", "queued"))
        cell = until(lambda data: data["cells"][0].get("progress") == 5)["cells"][0]
    assert cell["reason"] is None
    assert cell["times"]["submitted"] == "2026-11-23T09:30:06.000+00:00", "not when it was asked about first"


def test_money_at_stake_is_in_the_sum_from_when_the_request_leaves(gallery, runs, until, result):
    def spent(usd: float) -> Callable[[dict], bool]:
        return lambda data: data["totals"]["spent_usd"] == pytest.approx(usd)

    for run in runs[:2]:
        gallery(Event(run, RunStatus.SUBMITTING))
        gallery(Event(run, RunStatus.SUBMITTED, 0, f"video_{run.index}", "queued"))
    data = until(spent(2 * PRICE))
    assert [cell["spent_usd"] for cell in data["cells"]] == [None] * 3
    gallery(Event(runs[1], RunStatus.PLANNED))
    until(spent(PRICE))
    gallery(ended(runs[0], result(0, config=runs[0].config)))
    until(spent(0.4))
    gallery(Event(runs[2], RunStatus.SUBMITTING))
    until(spent(0.4 + PRICE))


@pytest.mark.parametrize(("seconds", "pause"), [(0.001, 2), (0.1, 5), (0.5, 25), (60, 25)])
def test_pages_take_a_small_share_of_the_time_but_none_grows_old(seconds, pause):
    assert pause_after(seconds, 2) == pytest.approx(pause)


def test_no_page_is_called_left_while_its_sweep_is_at_work():
    source = Path(runner.report.live_page.__file__).with_name("page") / "refresh.js"
    stale = re.search(r"STALE = (\d+)", source.read_text(encoding="utf-8"))
    assert stale is not None
    assert int(stale[1]) > HEARTBEAT + LONGEST + 10, "and there are ten seconds to write it in"


def test_a_sweep_that_may_go_on_is_brought_to_its_end_by_whoever_waits_for_it(typed):
    assert typed("-m", "hydra.sweep.dir=out", "gallery=false", "replica=0,1") == 0
    leave_open(Path("out"))
    with whole_pages(pytest.fail):
        pass
    assert not Path("out/index.html").exists(), "that one was another caller's"
    told = []
    with whole_pages(told.append):
        leave_open(Path("out"))
        leave_open(Path("gone"))
    assert Path("out/index.html").exists()
    assert sorted(problem.message.partition(" ")[0] for (problem,) in filter(None, told)) == ["gone/index.html"]


def test_a_gallery_that_is_not_wanted_leaves_nothing(here, runs, result):
    (here / "out").mkdir()
    with LivePageThread(Path("out"), runs, wanted=False, interval=0.01) as gallery:
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


class Killed(Callback):
    """Leaves the second job as a process that was killed between a paid request and its answer would."""

    def on_job_end(self, config: DictConfig, **kwargs: object) -> None:
        if config.hydra.job.num == 1:
            place = Path(config.hydra.runtime.output_dir)
            with Ledger(place) as ledger:
                lost = {"status": RunStatus.SUBMITTING, "job_id": None, "artifacts": []}
                ledger.save(1, ledger.run(1).earlier.model_copy(update=lost))
            (place / "result.json").unlink()


def test_a_job_that_was_killed_while_it_paid_is_told_with_its_money(typed, read, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "killing", sys.modules[Killed.__module__])
    command = ("hydra/launcher=basic", "+hydra.callbacks.mine._target_=killing.Killed", "hydra.sweep.dir=out")
    typed("-m", *command, "request.prompt=a,b")
    told = capsys.readouterr().out
    assert "$0.80 spent of " in told
    assert "1 done · 1 uncertain" in told
    assert "python -m runner resume out" in told
    data = read(Path("out/index.html"))
    assert [(cell["group"], cell["spent_usd"]) for cell in data["cells"]] == [("done", 0.4), ("uncertain", 0.4)]
    assert len(Path("out/results.jsonl").read_text().splitlines()) == 2


def test_start_up_pays_nothing_for_the_page():
    import subprocess

    code = "import sys, runner.sweeps.execution; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
