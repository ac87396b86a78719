"""What the ledger promises: durable, unique, all or nothing, read without a trace, clear about what is wrong."""

from __future__ import annotations

import hashlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.artifacts.result import Attempt, ErrorRecord, Pending, Result
from runner.artifacts.run_status import RunStatus
from runner.config.provider import OpenAIConfig
from runner.config.run import Budget, Fallback, RunConfig
from runner.engine.run import Run
from runner.errors import ConfigError, DiskError
from runner.ledger.ledger import Ledger, LedgerError, salvaged
from runner.ledger.other_runs import jobs_of
from runner.ledger.reuse import fingerprint

NAME = "ledger.sqlite3"


@pytest.fixture
def runs(video: RunConfig, tmp_path: Path):
    def make(count: int, place: Path = tmp_path) -> list[Run]:
        configs = [video.model_copy(update={"replica": number}) for number in range(count)]
        return [planned_in(place, number, config) for number, config in enumerate(configs)]

    return make


def planned_in(place: Path, index: int, config: RunConfig, **facts) -> Run:
    return Run(index, config, place / str(index), **{"fingerprint": fingerprint(config), **facts})


def files(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def test_writes_are_synchronous_and_end_in_one_plain_file(tmp_path, runs, result_of):
    with Ledger(tmp_path) as ledger:
        assert ledger.ask("PRAGMA synchronous") == [(2,)]
        assert ledger.ask("PRAGMA journal_mode") == [("wal",)]
        (run,) = runs(1)
        ledger.add([run])
        ledger.save(0, result_of(run))
    assert [*files(tmp_path)] == [NAME]
    with Ledger(tmp_path, readonly=True) as ledger:
        assert ledger.ask("PRAGMA journal_mode") == [("delete",)]
        assert [each.status for each in ledger.runs()] == [RunStatus.VERIFIED]


def test_what_was_saved_is_there_though_nothing_was_closed(tmp_path, runs, result_of):
    """A copy of the files is what the next process finds after a kill."""
    place, copy = tmp_path / "place", tmp_path / "copy"
    place.mkdir()
    copy.mkdir()
    with Ledger(place) as ledger:
        (run,) = runs(1, place)
        ledger.add([run])
        ledger.save(0, result_of(run, "submitted", job_id="video_1"))
        for path in place.iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
    with Ledger(copy) as ledger:
        assert ledger.run(0).earlier.job_id == "video_1"


def test_reading_writes_nothing(tmp_path, runs):
    with Ledger(tmp_path) as ledger:
        ledger.add(runs(3))
    before = files(tmp_path)
    with Ledger(tmp_path, readonly=True) as ledger:
        assert len(ledger.runs()) == 3
        with pytest.raises(LedgerError, match="readonly"):
            ledger.ask("DELETE FROM runs")
    assert files(tmp_path) == before


def test_a_reader_sees_what_a_writer_has_saved_so_far(tmp_path, runs, result_of):
    with Ledger(tmp_path) as writer:
        (run,) = runs(1)
        writer.add([run])
        with Ledger(tmp_path, readonly=True) as reader:
            writer.save(0, result_of(run, "submitting"))
            assert reader.run(0).status is RunStatus.SUBMITTING


def test_runs_are_added_all_or_none(tmp_path, runs):
    first, second, third = runs(3)
    with Ledger(tmp_path) as ledger:
        with pytest.raises(DiskError):
            ledger.add([first, second, replace(third, index=9, directory=first.directory)])
        assert ledger.runs() == []
        ledger.add([first, second])
        assert ledger.runs() == [first, second]


def test_the_same_work_again_is_numbered(tmp_path, runs):
    (run,) = runs(1)
    again = [planned_in(tmp_path, index, run.config) for index in range(3)]
    with Ledger(tmp_path) as ledger:
        ledger.add(again[:2])
        ledger.add(again[2:])
        work = run.fingerprint
        assert [each.fingerprint for each in ledger.runs()] == [work, f"{work}#2", f"{work}#3"]
        assert ledger.verified() == []


def test_repetitions_are_known_as_the_same_work(tmp_path, runs, result_of):
    (run,) = runs(1)
    with Ledger(tmp_path) as ledger:
        ledger.add([planned_in(tmp_path, index, run.config) for index in range(2)])
        ledger.save(1, result_of(run))
        assert ledger.verified() == [(run.fingerprint, 1, False)]


def test_jobs_of_now_and_before_are_known(tmp_path, runs, result_of):
    (run,) = runs(1)
    planned = result_of(run)
    began = planned.timestamps["planned"]
    attempts = [Attempt(number=n, started_at=began, job_id=job) for n, job in enumerate(["video_1", None, "video_2"])]
    with Ledger(tmp_path) as ledger:
        ledger.add([run])
        assert jobs_of(ledger) == set()
        ledger.save(0, planned.model_copy(update={"job_id": "video_2", "attempts": attempts}))
        assert jobs_of(ledger) == {"video_1", "video_2"}


@pytest.mark.parametrize("readonly", [True, False])
@pytest.mark.parametrize("content", [b"", b"no database at all " * 99, b"SQLite format 3\x00" + b"\x07" * 4096])
def test_what_is_no_ledger_is_said_and_left_alone(tmp_path, content, readonly):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(LedgerError, match=NAME):
        Ledger(tmp_path, readonly=readonly)
    assert (tmp_path / NAME).read_bytes() == content


@pytest.mark.parametrize("readonly", [True, False])
@pytest.mark.parametrize("version", [0, 999])
def test_someone_else_s_database_and_a_later_version_are_said_and_left_alone(tmp_path, readonly, version):
    db = sqlite3.connect(tmp_path / NAME)
    db.executescript(f"CREATE TABLE photos (name TEXT); PRAGMA user_version = {version};")
    db.close()
    before = files(tmp_path)
    with pytest.raises(LedgerError, match="no ledger of this version"):
        Ledger(tmp_path, readonly=readonly)
    assert files(tmp_path) == before


def test_where_there_is_none_none_is_made_by_looking(tmp_path):
    with pytest.raises(LedgerError, match="has no ledger") as told:
        Ledger(tmp_path, readonly=True)
    assert isinstance(told.value, ConfigError)
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE runs SET config = '{'",
        "UPDATE runs SET config = CAST(x'5bff5d' AS TEXT)",
        "DELETE FROM sections",
        "UPDATE runs SET result = '{}'",
    ],
)
def test_a_ledger_whose_content_makes_no_sense_is_said(tmp_path, runs, damage):
    with Ledger(tmp_path) as ledger:
        ledger.add(runs(1))
        ledger._db.execute(damage)
        with pytest.raises(LedgerError, match="cannot be read") as told:
            ledger.runs()
        assert "--rebuild" in told.value.hint


def test_a_part_that_is_broken_costs_only_the_runs_that_have_it(tmp_path, runs, loaded):
    other = loaded("model=sora-2-pro")
    with Ledger(tmp_path) as ledger:
        ledger.add([*runs(3), planned_in(tmp_path, 3, other)])
    with sqlite3.connect(tmp_path / NAME) as db:
        db.execute("UPDATE sections SET json = '{\"ki' WHERE json LIKE '%sora-2-pro%'")
    assert [run.index for run in salvaged(tmp_path / NAME, tmp_path)] == [0, 1, 2]


def test_a_full_disk_is_a_disk_error_and_what_was_written_stays(tmp_path, runs, result_of):
    first, second = runs(2)
    with Ledger(tmp_path) as ledger:
        ledger.add([first, second])
        ledger.save(0, result_of(first, "submitted", job_id="video_1"))
        (pages,) = ledger.ask("PRAGMA page_count")[0]
        ledger._db.execute(f"PRAGMA max_page_count = {pages}")
        long = {"warnings": ["x" * 100_000]}
        with pytest.raises(DiskError, match="full"):
            ledger.save(1, result_of(second, **long))
        with pytest.raises(DiskError, match="full"):
            ledger.add([planned_in(tmp_path, 2, first.config, fingerprint="f" * 64, overrides=("x" * 100_000,))])
        ledger._db.execute("PRAGMA max_page_count = 100000")
        ledger.save(1, result_of(second, **long))
        assert [each.status for each in ledger.runs()] == [RunStatus.SUBMITTED, RunStatus.VERIFIED]


def test_a_directory_that_cannot_be_written_is_a_disk_error(tmp_path):
    with pytest.raises(DiskError, match=NAME):
        Ledger(tmp_path / "nowhere")


def test_threads_may_save_at_the_same_time(tmp_path, runs, result_of):
    many = runs(20)
    with Ledger(tmp_path) as ledger:
        ledger.add(many)
        with ThreadPoolExecutor(8) as threads:
            results = [result_of(run, job_id=f"video_{run.index}") for run in many]
            saves = [threads.submit(ledger.save, run.index, told) for run, told in zip(many, results, strict=True)]
            assert [save.result() for save in saves] == [None] * len(many)
        assert jobs_of(ledger) == {f"video_{run.index}" for run in many}


NOW = "2026-11-23T09:30:00Z"
text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
usd = st.none() | st.floats(0, 99)
errors = st.none() | st.builds(ErrorRecord, type=text, code=st.none() | text, message=text, hint=st.none() | text,
                               retryable=st.booleans())  # fmt: skip
attempts = st.builds(Attempt, number=st.integers(1, 9), started_at=st.just(NOW), job_id=st.none() | text, error=errors,
                     usd=usd)  # fmt: skip
pendings = st.builds(Pending, path=text, bytes=st.integers(0, 9), sha256=st.none() | text, url=st.none() | text)
facts = st.fixed_dictionaries({
    "status": st.sampled_from(RunStatus), "job_id": st.none() | text, "attempts": st.lists(attempts, max_size=3),
    "pending": st.lists(pendings, max_size=2), "error": errors, "warnings": st.lists(text, max_size=2),
    "raw_response": st.none() | st.dictionaries(text, text | st.integers(-9, 9), max_size=2),
    "polls": st.integers(0, 9), "saved_usd": usd,
})  # fmt: skip
SECOND = OpenAIConfig(kind="openai", base_url="https://second.example/v1")


def changed(base: RunConfig, number: int, prompt: str, max_usd: float | None, *, fallback: bool) -> RunConfig:
    fallbacks = (Fallback(provider=SECOND, model=base.model),) if fallback else ()
    request = base.request.model_copy(update={"prompt": prompt})
    return base.model_copy(
        update={"replica": number, "request": request, "budget": Budget(max_usd=max_usd), "fallbacks": fallbacks}
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(text, usd, st.booleans(), st.none() | facts, st.lists(text, max_size=2)), max_size=5))
def test_what_is_read_is_what_was_written(tmp_path_factory, video, result_of, drawn):
    place = tmp_path_factory.mktemp("ledger")
    written = []
    for number, (prompt, max_usd, fallback, told, overrides) in enumerate(drawn):
        config = changed(video, number, prompt, max_usd, fallback=fallback)
        run = Run(number, config, place / str(number), tuple(overrides), f"{number:064}")
        result = None if told is None else Result.model_validate({**result_of(run).model_dump(), **told})
        written.append(replace(run, earlier=result))
    with Ledger(place) as ledger:
        ledger.add(written)
        for run in written:
            if run.earlier is not None:
                ledger.save(run.index, run.earlier)
    with Ledger(place, readonly=True) as ledger:
        assert ledger.runs() == written


SHIPPED = [
    *(("provider=openai", f"model={name}") for name in ("sora-2", "sora-2-pro")),
    *(("provider=openai", "request=image", f"model={name}") for name in ("gpt-image-1", "gpt-image-2", "dall-e-3")),
    ("provider=azure_openai", "provider.base_url=https://x.openai.azure.com", "model.deployment=prod"),
    ("provider=vllm_omni", "provider.base_url=http://127.0.0.1:8000/v1", "model=wan2.2-t2v"),
    ("request=draft", "reuse=true", "budget.max_usd=3"),
    ("provider=emulator",),
]


def test_two_hundred_runs_of_all_kinds_come_back_as_they_were(tmp_path, loaded, result_of):
    kinds = [loaded(*overrides) for overrides in SHIPPED]
    configs = [kinds[number % len(kinds)].model_copy(update={"replica": number}) for number in range(200)]
    written = [planned_in(tmp_path, n, config, overrides=(f"replica={n}",)) for n, config in enumerate(configs)]
    with Ledger(tmp_path) as ledger:
        ledger.add(written)
        for run in written:
            ledger.save(run.index, result_of(run))
        assert ledger.ask("SELECT count(*) FROM sections")[0][0] <= 3 * len(kinds), "each part is stored once"
    with Ledger(tmp_path, readonly=True) as ledger:
        read = ledger.runs()
    assert [each.config for each in read] == configs
    assert [each.earlier for each in read] == [result_of(run) for run in written]


def test_where_nothing_can_be_written_a_log_that_was_left_is_read_all_the_same(tmp_path, runs, result_of, monkeypatch):
    (run,) = runs(1)
    left = tmp_path / "left"
    left.mkdir()
    with Ledger(tmp_path) as ledger:
        ledger.add([run])
        ledger.save(0, result_of(run, "submitted", job_id="video_1"))
        for name in (NAME, f"{NAME}-wal"):
            (left / name).write_bytes((tmp_path / name).read_bytes())

    def unwritable(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN  # as a disk says that is mounted for reading
        raise error

    monkeypatch.setattr("runner.ledger.database._opened", unwritable)
    before = files(left)
    with Ledger(left, readonly=True) as ledger:
        assert ledger.run(0).earlier.job_id == "video_1"
        with pytest.raises(LedgerError, match="readonly"):
            ledger.ask("DELETE FROM runs")
    assert files(left) == before
    with pytest.raises(DiskError):
        Ledger(left)
