"""Keep the engine's records in the ledger and in `result.json`, and take over what only files know."""

from __future__ import annotations

import datetime as dt
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import filterfalse
from pathlib import Path
from typing import NamedTuple

from runner.artifacts.atomic import make_directory
from runner.artifacts.redaction import redacted
from runner.artifacts.result import Attempt, ErrorRecord, Result
from runner.artifacts.result_file import NAME as RESULT
from runner.artifacts.result_file import read_bytes, read_result, result_bytes, result_of, write_result
from runner.artifacts.run_status import RunStatus
from runner.config.problem import Problem, ranges
from runner.config.run import RunConfig
from runner.engine.recorder import at_choice, planned
from runner.engine.run import Event, Observer, Run
from runner.engine.store import Record, error_of
from runner.errors import ConfigError, DiskError, UncertainError
from runner.providers.body import build
from runner.shell import command

from .budget import counted
from .discover import LEVELS, NAME
from .ledger import Ledger, LedgerError, Row, rebuilding
from .lock import locked
from .ownership import CopyError, owned
from .reuse import Reuse, Source, noted_files, remove_note, remove_noted_files

_PAID = re.compile(r"(video\..+|image-\d+\..+|partial-\d+\..+|remote-.+|answer(-\d+)?\..+)")
"""Names of files that only a paid request brings."""


_OWN = re.compile(r"(video|image-|partial-|remote-|input|thumbnail|answer|runner\.log|\.?result\.json|\.hydra)")
"""How names begin that a run gives to what it writes."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Describe a ledger's runs with what their directories know of them.

    Attributes:
        runs: all of them, by index.
        problems: what was taken over, for people.
    """

    runs: list[Run]
    problems: tuple[Problem, ...] = ()


def reconcile(ledger: Ledger) -> Reconciled:
    """Compare each run with its directory, and record in the ledger what it has lost."""
    found = [_compared(run, ledger.directory) for run in ledger.runs()]
    if lost := [(run.index, run.earlier) for run, change in found if change and run.earlier]:
        ledger.save_all(lost)
    return Reconciled([run for run, _ in found], (*_problems(ledger.directory, found),))


def resumed_run(run: Run, known: Run) -> Run:
    """Return a run at the choice that it has come to, with what became of it by what the ledger `known` of it.

    Its config may differ in what is not paid, for this time only: its record keeps the one that the ledger has.
    """
    saved = replace(known, directory=run.directory)
    earlier = known.earlier or planned(saved, time.time())
    if earlier.status is RunStatus.EXPIRED and earlier.job_id is not None:
        # Looked for once more: a 404 that was taken for the end may have come of another key, or have passed.
        earlier.status = RunStatus.SUBMITTED
    if earlier.status.paid or earlier.status.lost:
        earlier.resumed += 1
        for attempt in earlier.attempts:
            attempt.inherited = True
    config = run.config if len(run.config.fallbacks) == len(known.config.fallbacks) else known.config
    in_batch = bool(earlier.attempts and earlier.attempts[-1].batch)
    if (earlier.status.paid or earlier.status.lost) and config.batch is not in_batch:
        # It went out in a batch or not, whatever is asked for now, and however it was tried before.
        config = config.model_copy(update={"batch": in_batch})
    return replace(saved, config=config.choice(earlier.choice), earlier=earlier)


class _Compared(NamedTuple):
    """Describe a run after the comparison; `change` says what the ledger did not have."""

    run: Run
    change: str = ""


def _compared(run: Run, place: Path) -> _Compared:
    try:
        content = read_bytes(run.directory)
    except ConfigError:
        content = b""
    if run.earlier is not None and content == result_bytes(run.earlier):
        return _Compared(replace(run, recorded=True))
    # A link is not written again.
    run = replace(run, recorded=leads_elsewhere(place, run.directory))
    told = None if content is None else _told(content, run)
    if told is not None:
        return _Compared(replace(run, earlier=told), "file") if ahead(told, run.earlier) else _Compared(run)
    if run.earlier is not None and run.earlier.requested:
        return _Compared(run)
    if content is not None:
        reason = f"its {RESULT} cannot be read, or is another run's"
    elif files := paid_files(run.directory):
        reason = f"its directory holds {', '.join(files[:3])}"
    else:
        return _Compared(run)
    return _Compared(replace(run, earlier=in_doubt(run, reason)), "doubt")


def linked_files(directory: Path) -> list[str]:
    """Return names of a run's own files in whose place its directory holds a link."""
    with suppress(OSError), os.scandir(directory) as found:
        return sorted(each.name for each in found if each.is_symlink() and _OWN.match(each.name))
    return []


def leads_elsewhere(place: Path, directory: Path) -> bool:
    """Return whether a run's directory is a link below `place`, its ledger's, or lies behind one.

    A foreign one must not lead to other files.
    """
    parts = directory.relative_to(place).parts
    return any(place.joinpath(*parts[:count]).is_symlink() for count in range(1, len(parts) + 1))


def _told(content: bytes, run: Run) -> Result | None:
    """Return what `result.json` tells, if it can be read and is about this run."""
    with suppress(ConfigError):
        told = result_of(content, run.directory / RESULT)
        return told if told.index == run.index and same_work(told.config, run.config) else None
    return None


def same_work(one: RunConfig, other: RunConfig) -> bool:
    """Return whether two configs ask for the same, as far as can be told without reading the files that they name."""
    pairs = ((config.provider, config.model, config.request, config.replica) for config in (one, other))
    return one == other or next(pairs) == next(pairs)


def ahead(told: Result, known: Result | None) -> bool:
    """Return whether a run's `result.json` knows something that was recorded after what the ledger knows."""
    if not told.requested and (known is None or not known.requested):
        return False
    if known is None:
        return True
    if told.status is known.status is RunStatus.PLANNED and len(told.attempts) <= len(known.attempts):
        return False  # a run that had no turn is said to be planned without a record
    return (told.revision, told.last_change) > (known.revision, known.last_change)


def paid_files(directory: Path) -> list[str]:
    """Return names of files in a run's directory that only a paid request brings, and not the reuse of another run."""
    with suppress(OSError), os.scandir(directory) as found:
        paid = sorted(each.name for each in found if _PAID.fullmatch(each.name))
        return [*filterfalse(noted_files(directory).__contains__, paid)] if paid else []
    return []


def in_doubt(run: Run, reason: str) -> Result:
    """Return the record of a run that may have been paid, though nothing tells of its request."""
    config, began = run.config, _first_trace(run.directory)
    result = run.earlier or planned(run, began.timestamp())
    with suppress(ConfigError):
        result.request_sent = redacted(build(config).record)
    error = ErrorRecord(
        type=UncertainError.__name__,
        code=None,
        message=f"the ledger has lost what became of this run, and {reason}",
        hint="it counts as spent and is not repeated; the provider's jobs, or its bill, tell whether it was paid",
        retryable=False,
    )
    attempt = Attempt(
        number=1,
        provider=result.provider,
        model=config.sent_model,
        started_at=began,
        error=error,
        usd=counted(config).usd,
        inherited=True,
    )
    times = {**result.timestamps, RunStatus.SUBMITTING.value: began, RunStatus.UNCERTAIN.value: began}
    changes = {"status": RunStatus.UNCERTAIN, "attempts": [attempt], "error": error, "timestamps": times}
    return result.model_copy(update={**changes, "revision": result.revision + 1})


def _first_trace(directory: Path) -> dt.datetime:
    """Return when the run's directory was made, as far as its files tell."""
    for path in (directory / ".hydra" / "config.yaml", directory):
        with suppress(OSError):
            return dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
    return dt.datetime.now(dt.UTC)


def _problems(place: Path, found: Sequence[_Compared]) -> Iterator[Problem]:
    for change in ("file", "doubt"):
        indexes = [each.run.index for each in found if each.change == change]
        if not indexes:
            continue
        several = len(indexes) > 1
        runs = f"run{'s' * several} {ranges(indexes)}"
        if change == "file":
            message = f"is older than the runs' own {RESULT}: what these know was taken over for {runs}"
        else:
            holding = "their directories hold" if several else "its directory holds"
            message = f"says that {runs} did not begin, but {holding} results: counted as spent, and not sent again"
        yield Problem("", f"{place / NAME} {message}", "the ledger was damaged, or is an old copy", "warning")


def refuse_unknown(place: Path, runs: Sequence[Run]) -> None:
    """Raise `LedgerError` where runs have a `result.json` and the ledger in `place`, which has `runs`, lacks them."""
    indexes = {run.index for run in runs}
    lost = []
    for directory in _unknown(place, [run.directory.relative_to(place) for run in runs]):
        with suppress(ConfigError):
            told = read_result(directory)
            # A copy of a run that is known is a copy, and no run that was lost.
            lost += [told] if told.index not in indexes else []
    if lost:
        jobs = sum(told.job_id is not None for told in lost)
        what = f"run{'s' * (len(lost) > 1)} {ranges(sorted(told.index for told in lost))}"
        raise LedgerError(
            f"{place / NAME} has lost {what}: each has a {RESULT}, {jobs} of them with a job; nothing was sent",
            hint=rebuilding(place),
        )


def _unknown(place: Path, known: Sequence[Path]) -> Iterator[Path]:
    """Yield the directories with a `result.json` where runs could be, and none of the ledger's is.

    `known` are the directories of the ledger's, relative to `place`.
    """
    if not known:
        yield from run_directories(place)
        return
    names = {os.path.normpath(directory) for directory in known}
    for folder in sorted({os.path.dirname(name) for name in names if name != os.curdir}):  # noqa: PTH120 - plain text
        with suppress(OSError), os.scandir(place / folder) as found:
            for each in found:
                directory = place / folder / each.name
                if os.path.join(folder, each.name) not in names and (directory / RESULT).is_file():  # noqa: PTH118 - plain text
                    yield from [] if (directory / NAME).is_file() else [directory]


def run_directories(place: Path, names: frozenset[str] = frozenset({RESULT})) -> Iterator[Path]:
    """Yield the directories at or below `place` that hold one of the names and no ledger of their own."""
    for folder, folders, files in os.walk(place):
        depth = len(Path(folder).relative_to(place).parts)
        if depth and NAME in files:
            folders.clear()
        elif names & {*files, *folders}:
            folders.clear()
            yield Path(folder)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < LEVELS else []


@contextmanager
def recording(directory: Path) -> Iterator[Ledger]:
    """Open the ledger of `directory` for this process alone, made if need be; raises `LockedError`, `DiskError`."""
    make_directory(directory)
    with locked(directory), Ledger(directory) as ledger, owned(ledger):
        yield ledger


def entered(ledger: Ledger, runs: Sequence[Run], known: Sequence[Run], *, grows: bool = False) -> list[Run]:
    """Record new runs, or go on with them if the ledger has them already.

    `known` are the ledger's runs that these must be, none for another batch of the same sweep. Those that a rebuilt
    ledger does not know are added. Raises `ConfigError` if it has others: unless it `grows`, also for one of its runs
    that is not among these.
    """
    works = {run.index: run.fingerprint for run in runs}
    had = {run.index: run for run in known}
    if grows:
        _require_as_planned(ledger.directory, runs, known)
    elif any(works.get(index) != run.fingerprint for index, run in had.items()):
        raise ConfigError(
            f"{ledger.directory} holds other runs",
            hint=f"{command('resume', ledger.directory)} resumes those; for others, give "
            "the command with another directory and reuse=true, which pays for nothing that is there",
        )
    if new := [run for run in runs if run.index not in had]:
        ledger.add(new)
    going = [resumed_run(run, had[run.index]) if run.index in had else run for run in runs]
    if ledger.copy_of is not None and (paying := sum(run.open and run.pays for run in going)):
        raise CopyError(ledger.directory, ledger.copy_of, paying)
    return going


def _require_as_planned(place: Path, runs: Sequence[Run], known: Sequence[Run]) -> None:
    """Raise `ConfigError` if another process has added runs to the ledger since these were given their numbers."""
    pairs = {(run.index, run.fingerprint) for run in known}
    indexes, works = {run.index for run in known}, {run.fingerprint for run in known}
    for run in runs:
        if (run.index in indexes or run.fingerprint in works) and (run.index, run.fingerprint) not in pairs:
            message = f"another process has added runs to {place} meanwhile; nothing was sent"
            raise ConfigError(message, hint="give the same command again")


def rows_of(records: Sequence[Record]) -> tuple[dict[int, Row], dict[int, Exception]]:
    """Return what a ledger keeps of records, by their places, and why it is nothing for some."""
    rows: dict[int, Row] = {}
    refused: dict[int, Exception] = {}
    for place, record in enumerate(records):
        # A run that was never begun is there as it was planned.
        if record.durable or record.result.status is not RunStatus.PLANNED:
            try:
                rows[place] = Row.of(record.run.index, record.result)
            except Exception as error:  # noqa: BLE001 - it is told to whoever waits for this record
                refused[place] = error
    return rows, refused


def written(ledger: Ledger, rows: Sequence[Row]) -> list[Exception | None]:
    """Record rows with one flush; for each why it could not be: one's error must not keep another's job id away."""
    if error_of(ledger.write, rows) is None:
        return [None] * len(rows)
    return [error_of(ledger.write, [row]) for row in rows]


class LedgerStore:
    """Keep each run's record in its ledger, from which its `result.json` can be written again."""

    def __init__(self, ledgers: Mapping[Path, Ledger], make: Callable[[Run], object]) -> None:
        """Take each run's ledger, by the run's directory, which `make` makes with what belongs there."""
        self._ledgers = ledgers
        self._make = make
        self._made: set[int] = set()

    def open(self, run: Run) -> None:
        """Make the run's directory, once; raises `DiskError`.

        Not before it is needed: a sweep of thousands sends its first request while the last directories are not there.
        """
        if run.index not in self._made:
            self._make(run)
            self._made.add(run.index)

    def job_ids(self) -> set[str]:
        """Return every job that some run of these ledgers has now or had before."""
        from .other_runs import jobs_of  # asked for after a lost request alone

        return set[str]().union(*map(jobs_of, set(self._ledgers.values())))

    def save(self, records: Sequence[Record]) -> list[Exception | None]:
        """Commit, then replace each `result.json` unless it would be replaced again in a moment."""
        refused = self._committed(records)
        return [refused.get(place) or error_of(self._write, record) for place, record in enumerate(records)]

    def _committed(self, records: Sequence[Record]) -> dict[int, Exception]:
        """Return the places of the records that no ledger has, and why."""
        rows, refused = rows_of(records)
        owners: dict[Ledger, dict[int, Row]] = {}
        for place, row in rows.items():
            owners.setdefault(self._ledgers[records[place].run.directory], {})[place] = row
        for ledger, some in owners.items():
            errors = zip(some, written(ledger, [*some.values()]), strict=True)
            refused |= {place: error for place, error in errors if error is not None}
        return refused

    def _write(self, record: Record) -> None:
        self.open(record.run)
        if not record.passing:
            write_result(record.run.directory, record.result, durable=False)


def reuse_finished(
    runs: Sequence[Run], known: Reuse, ledgers: Mapping[Path, Ledger], store: LedgerStore, observer: Observer
) -> tuple[dict[int, Result], set[int]]:
    """Return the records of the runs that are finished by what others have made, by their index, and who is held.

    Held is a run whose files a storage has and does not give, where jobs of others are to be collected: `known` has
    that as a problem. Raises `ConfigError` where there are none, and `DiskError`.
    """
    done, held = dict[int, Result](), dict[int, ConfigError]()
    for run in runs:
        # After a fallback the run's work is not that of its fingerprint.
        begun = run.earlier is not None and bool(run.earlier.attempts or run.choice)
        if run.directory not in ledgers or begun:
            continue
        try:
            result = _reused(run, known, store)
        except ConfigError as error:
            if not _collects(runs):
                raise
            held[run.index] = error
            continue
        except DiskError as error:
            error.hint = error.hint if _collects(runs) else _ROOM
            raise
        if result is None:
            if run.directory.exists():  # as an earlier process has left it
                remove_noted_files(run.directory)
            continue
        for refused in filter(None, store.save([Record(run, result)])):
            raise refused
        remove_note(run.directory)
        done[run.index] = result
        _tell(run, result, observer)
    if held:
        which, first = f"run{'s' * (len(held) > 1)} {ranges([*held])}", next(iter(held.values()))
        message = f"{which} left as planned, while what was paid is collected: {first.message}"
        known.problems.append(Problem("", message, first.hint, "warning"))
    return done, {*held}


_ROOM = "free space or make the directory writable; nothing was sent"


def _collects(runs: Sequence[Run]) -> bool:
    return any(run.status.paid or run.status.lost for run in runs)


def _reused(run: Run, known: Reuse, store: LedgerStore) -> Result | None:
    """Return the record of a run that takes the files of another one; None where there is none, or none is wanted.

    Of several copies in storages, the next one is taken where one cannot be had.
    """
    source = known.find(run) if run.config.reuse else None
    refused: ConfigError | None = None
    while source is not None:
        store.open(run)
        try:
            return _taken(run, known, source)
        except ConfigError as error:
            refused = refused or error
            source = known.find_other(run, source, error)
            if source is not None:
                remove_noted_files(run.directory)
    if refused is not None:
        raise refused
    return None


def _taken(run: Run, known: Reuse, source: Source) -> Result:
    now = time.time()
    record = run.earlier or planned(run, now)
    if source.choice:
        run = replace(run, config=run.config.choice(source.choice))
        record = at_choice(source.choice, record, run, now)
    return known.take(run, record, source)


def _tell(run: Run, result: Result, observer: Observer) -> None:
    observer(Event(run, RunStatus.VERIFIED, 100, result.job_id, note=f"reused from {result.reused_from}"))
    observer(Event(run, RunStatus.VERIFIED, 100, result.job_id, result=result))
