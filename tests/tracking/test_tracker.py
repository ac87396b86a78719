"""The tracker beside its store: what a store does that fails, hangs or is slow is no matter of the runs."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.artifacts.redaction import without_credentials
from runner.artifacts.result import Artifact, Attempt, Cost, Environment, Result
from runner.artifacts.run_status import RunStatus
from runner.config.run import MlflowTracking, RunName
from runner.engine.run import Event, Run
from runner.tracking.store import (
    NAME,
    End,
    Facts,
    Register,
    TrackedRun,
    params,
    run_facts,
    sweep_facts,
)
from runner.tracking.tracker import Tracker

BEGIN = dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC)


class Notebook:
    """A store that writes down what it is told, and at a run fails, waits, or takes its steps if it is asked to."""

    place = "a notebook"

    def __init__(self, *, fails_at: str = "", waits: threading.Event | None = None, steps: int = 0) -> None:
        self.told: list[tuple[object, ...]] = []
        self._fails_at = fails_at
        self._waits = waits
        self._steps = steps

    def begin(self, sweep: Facts, known: str | None) -> str:
        self.told.append(("begin", known))
        return known or "parent"

    def record(self, run: Facts, parent: str | None, known: str | None) -> Iterator[str]:
        yield known or f"id of {run.name}"
        if self._waits is not None:
            self._waits.wait(5)
        for _ in range(self._steps):
            time.sleep(0.1)
            yield known or f"id of {run.name}"
        if self._fails_at and run.name.startswith(self._fails_at):
            raise ConnectionError("no answer from https://me:pass/secret@tracker/api")
        self.told.append((run.name, run.tags["runner.status"], parent, known))

    def end(self, parent: str, sweep: Facts) -> None:
        self.told.append(("end", parent, sweep.end))


@pytest.fixture
def made(loaded, tmp_path: Path):
    """Runs and results by their numbers."""
    config = loaded("request=draft")

    def make(number: int, status: str = "verified", **changes: object) -> tuple[Run, Result]:
        directory = tmp_path / str(number)
        times = {name: BEGIN + dt.timedelta(seconds=at) for at, name in enumerate(["planned", "submitting", status])}
        fields = {
            "index": number, "status": RunStatus(status), "provider": "openai", "endpoint": "e", "model": "m",
            "deployment": None, "config": config, "request_sent": {}, "overrides": [], "timestamps": times,
            "environment": Environment(runner="1", openai="3", python="3.11"),
        }  # fmt: skip
        return Run(number, config, directory, (f"request.seed={number}",)), Result.model_validate(fields | changes)

    return make


@pytest.fixture
def tracked(tmp_path: Path):
    """Let runs end under a tracker, and close it."""

    def track(
        store: Notebook, *ends: tuple[Run, Result], size: int = 9, timeout: float = 0.05, opening=lambda _asks: None
    ) -> None:
        def opened(asks_server) -> Notebook:
            opening(asks_server)
            return store

        config = MlflowTracking(kind="mlflow", patience_seconds=timeout)
        tracker = Tracker(opened, tmp_path, config)
        for start in range(0, len(ends), size):
            batch = ends[start : start + size]
            tracker.expect([run for run, _ in batch])
            for run, result in batch:
                tracker(Event(run, RunStatus.SUBMITTED, 50))
                tracker(Event(run, result.status, 100, result=result))
        tracker.close()

    return track


def test_every_run_is_recorded_below_the_sweeps_own(made, tracked, capsys):
    store = Notebook()
    tracked(store, made(0), made(1, "failed"))
    assert store.told[0] == ("begin", None)
    assert sorted(store.told[1:3]) == [
        ("0 seed=0", "verified", "parent", None),
        ("1 seed=1", "failed", "parent", None),
    ]
    assert store.told[3] == ("end", "parent", End.FAILED)
    assert capsys.readouterr().err == ""


def test_a_run_of_a_table_is_recorded_by_what_its_row_is_called_with_its_prompt(made, tracked):
    store, pairs = Notebook(), [made(0), made(1)]
    for run, result in pairs:
        request = result.config.request.model_copy(update={"prompt": f"A fox {'in fresh snow ' * 40}{run.index}"})
        row = RunName(id=f"shot {run.index}", line=run.index + 2, table="shots.csv")
        result.config = result.config.model_copy(update={"request": request, "run": row})
    runs = [
        replace(run, config=result.config, overrides=(f"++run.id='{result.config.run.id}'",)) for run, result in pairs
    ]
    tracked(store, *zip(runs, [result for _, result in pairs], strict=True))
    names = [told[0] for told in store.told if told[0] not in ("begin", "end")]
    assert sorted(name[:14] for name in names) == ["0 id=shot 0 pr", "1 id=shot 1 pr"]
    assert max(map(len, names)) <= 128, "what a tracker takes for a name"
    found = run_facts(pairs[1][1], runs[1].directory, names[1], "none").params
    assert (found["run.id"], found["run.line"], found["run.table"]) == ("shot 1", 3, "shots.csv")
    assert found["request.prompt"] == pairs[1][1].config.request.prompt


def test_batches_share_one_parent(made, tracked):
    store = Notebook()
    tracked(store, made(0), made(1), made(2), size=1)
    assert [each[0] for each in store.told] == ["begin", "0", "1", "2", "end"]
    assert store.told[-1] == ("end", "parent", End.DONE)


@pytest.mark.parametrize("size", [1, 2])
def test_after_an_error_only_the_parent_is_ended_and_one_warning_says_so(made, tracked, capsys, size):
    store = Notebook(fails_at="0")
    tracked(store, made(0), made(1), size=size)
    assert store.told == [("begin", None), ("end", "parent", End.OPEN)]
    said = capsys.readouterr().err
    assert said.count("warning") == 1
    assert "ConnectionError: no answer from https://***@tracker/api" in said
    assert "secret" not in said


def test_a_store_that_hangs_is_left_alone_and_gone_on_with_where_it_was_left(made, tracked, tmp_path: Path, capsys):
    freed = threading.Event()
    store = Notebook(waits=freed)
    tracked(store, made(0), made(1))
    said = capsys.readouterr().err
    assert "did not get on for 0.05 s" in said
    assert f"python -m runner resume {tmp_path} tracking.patience_seconds=0.5 sends the rest" in said
    again = Notebook()
    tracked(again, made(0), made(1))
    assert ("0 seed=0", "verified", "parent", "id of 0 seed=0") in again.told
    kept = (tmp_path / NAME).read_text()
    freed.set()
    for left in [thread for thread in threading.enumerate() if thread.name == "tracking"]:
        left.join(5)
    assert (tmp_path / NAME).read_text() == kept
    assert "1 seed=1" not in [each[0] for each in store.told]


def test_a_database_that_is_made_under_load_is_not_given_up(made, tracked, capsys):
    def slowly(_asks_server) -> None:
        for _ in range(7):
            time.sleep(0.1)

    store = Notebook()
    tracked(store, made(0), timeout=0.3, opening=slowly)
    assert store.told[-1] == ("end", "parent", End.DONE)
    assert capsys.readouterr().err == ""


def test_a_server_that_does_not_answer_at_first_is_left_after_the_usual_time(made, tracked, capsys):
    freed = threading.Event()

    def hanging(asks_server) -> None:
        asks_server()
        freed.wait(5)

    tracked(Notebook(), made(0), opening=hanging)
    freed.set()
    assert "did not get on for 0.05 s" in capsys.readouterr().err


def test_a_run_with_many_files_is_waited_for_as_long_as_one_after_the_other_is_sent(made, tracked, capsys):
    store = Notebook(steps=12)
    tracked(store, made(0), timeout=0.5)
    assert store.told[-1] == ("end", "parent", End.DONE)
    assert capsys.readouterr().err == ""


def test_what_ended_before_is_not_recorded_twice(made, tracked):
    tracked(Notebook(), made(0), made(1, "uncertain"))
    again = Notebook()
    tracked(again, made(0), made(1))
    assert again.told == [
        ("begin", "parent"),
        ("1 seed=1", "verified", "parent", "id of 1 seed=1"),
        ("end", "parent", End.DONE),
    ]


def test_runs_that_were_never_begun_are_not_recorded(made, tracked):
    store = Notebook()
    tracked(store, made(0), made(1, "planned"))
    assert [each[0] for each in store.told] == ["begin", "0 seed=0", "end"]
    assert store.told[-1] == ("end", "parent", End.OPEN)


def test_a_line_that_a_crash_cut_short_costs_one_run(tmp_path: Path):
    register = Register(tmp_path, "here")
    register.begin("parent")
    register.keep(0, TrackedRun("a", "verified"))
    register.keep(1, TrackedRun("b", "verified"))
    path = tmp_path / NAME
    path.write_text(path.read_text()[:-10])
    again = Register(tmp_path, "here")
    assert (again.parent, again.known(0), again.known(1)) == ("parent", TrackedRun("a", "verified"), None)
    again.keep(1, TrackedRun("c", "verified"))
    again.keep(2, TrackedRun("d", ""))
    third = Register(tmp_path, "here")
    assert [third.known(number) for number in range(3)] == [
        TrackedRun("a", "verified"),
        TrackedRun("c", "verified"),
        TrackedRun("d", ""),
    ]


def test_ids_of_another_place_are_not_used(tmp_path: Path):
    register = Register(tmp_path, "here")
    register.begin("parent")
    register.keep(0, TrackedRun("a", "verified"))
    other_runs = Register(tmp_path, "elsewhere")
    assert (other_runs.parent, other_runs.known(0)) == (None, None)


def test_credentials_in_a_config_are_masked_and_texts_are_made_storable(made, tmp_path: Path):
    _, result = made(0)
    odd = {"api_key": "k", "note": "half \ud83d, nul \0", "empty": "", "list": [1, 2]}
    request = result.config.request.model_copy(update={"extra_params": odd})
    told = params(result.config.model_copy(update={"request": request}))
    assert told["request.extra_params.api_key"] == "***"
    assert told["request.extra_params.note"] == "half ?, nul \ufffd"
    assert told["request.extra_params.list"] == "[1, 2]"
    assert "request.extra_params.empty" not in told
    assert told["request.duration_seconds"] == 4


@pytest.mark.parametrize(
    ("files", "sent"),
    [
        ("all", ["video.mp4", "thumbnail.webp", "result.json"]),
        ("small", ["thumbnail.webp", "result.json"]),
        ("none", []),
    ],
)
def test_what_is_uploaded_is_what_is_asked_for_and_there(made, tmp_path: Path, files, sent):
    names = ["video.mp4", "thumbnail.webp", "gone.mp4"]
    artifacts = [Artifact(path=name, bytes=1, sha256="ab", media_type="video/mp4") for name in names]
    _, result = made(0, artifacts=artifacts)
    for name in ("video.mp4", "thumbnail.webp", "result.json"):
        (tmp_path / name).touch()
    assert [path.name for path in run_facts(result, tmp_path, "n", files).files] == sent


def test_a_sweep_s_name_and_tags_are_told(made, tmp_path: Path):
    _, result = made(0)
    named = result.model_copy(
        update={"config": result.config.model_copy(update={"name": "Launch film", "tags": ("client-x", "draft")})}
    )
    told = sweep_facts(tmp_path, [named.config], [named])
    assert (told.name, told.tags["runner.tags"]) == ("Launch film", "client-x, draft")
    assert run_facts(named, tmp_path, "n", "none").tags["runner.tags"] == "client-x, draft"
    assert (sweep_facts(tmp_path, [result.config], [result]).name, "name" in told.params) == (tmp_path.name, False)


def test_emulated_money_is_no_cost(made, tmp_path: Path):
    cost = Cost(estimated_usd=0.4, actual_usd=0.5)
    attempts = [Attempt(number=1, started_at=BEGIN, usd=0.5)]
    ends = [made(0, cost=cost, attempts=attempts)[1], made(1, cost=cost, attempts=attempts, provider="emulator")[1]]
    real, emulated = (run_facts(result, tmp_path, "n", "none").metrics for result in ends)
    assert (real["estimated_usd"], real["actual_usd"], real["spent_usd"]) == (0.4, 0.5, 0.5)
    assert {"estimated_usd", "actual_usd", "spent_usd"} & {*emulated} == {"estimated_usd"}
    sums = sweep_facts(tmp_path, [result.config for result in ends], ends).metrics
    assert (sums["estimated_usd"], sums["actual_usd"], sums["spent_usd"]) == (0.8, 0.5, 0.5)
    free = sweep_facts(tmp_path, [ends[1].config], ends[1:]).metrics
    assert {"actual_usd", "spent_usd"} & {*free} == set()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("https://me:secret@host/api", "https://***@host/api"),
        ("no postgresql://me:se/cr@et@host:5432/db here", "no postgresql://***@host:5432/db here"),
        ("mysql://secret@host/db?x=1&password=secret&y=2", "mysql://***@host/db?x=1&password=***&y=2"),
        ("otto@example.com: http://host:5000/a", "otto@example.com: http://host:5000/a"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_in_it(said, shown):
    assert without_credentials(said) == shown
