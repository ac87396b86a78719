"""Know what ledgers say of directories that runs are to be written to, and which jobs are of others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.engine.matching import OtherRuns, unanswered

from .discover import LEVELS, NAME, OUTPUTS, run_directory
from .ledger import Ledger, LedgerError
from .outputs_index import Entry, Kind, OutputsIndex


class _Claims(NamedTuple):
    """Describe what a ledger's runs have claimed: every job that one of them has now or had before.

    `doubtful` are the indexes of those with a request that no job is known of.
    """

    jobs: list[str]
    doubtful: list[int]


# The attempts are told only of runs with another job than the one that they have.
_JOBS = """
SELECT number, job_id, CASE
    WHEN json_array_length(result, '$.attempts') = 1 AND json_extract(result, '$.attempts[0].job_id') = job_id THEN NULL
    ELSE json_extract(result, '$.attempts') END
FROM runs WHERE result IS NOT NULL"""


def _read(ledger: Ledger) -> dict[str, Any]:  # Any: JSON
    jobs: dict[str, None] = {}
    doubtful = []
    for index, job, text in ledger.ask(_JOBS):
        if job:
            jobs[job] = None
        made = [attempt["job_id"] for attempt in from_json(text)] if text else []
        jobs |= dict.fromkeys(filter(None, made))
        doubtful += [index] if None in made else []
    return {"jobs": [*jobs], "doubtful": doubtful}


def _parse(told: dict[str, Any]) -> _Claims:  # Any: JSON
    return _Claims([str(job) for job in told["jobs"]], [int(index) for index in told["doubtful"]])


CLAIMS = Kind("claims 1", _read, _parse)
"""What runs have claimed."""


def jobs_of(ledger: Ledger) -> set[str]:
    """Return every job that some run of a ledger has now or had before; raises `LedgerError`."""
    _, claims = ledger.read(CLAIMS.taken)
    return set(claims.jobs)


def jobs_elsewhere(own: Path, since: float) -> OtherRuns:
    """Return what the ledgers around `own` tell that were written after `since` (Unix seconds).

    They are looked for in `outputs/` of the working directory, in the one that `own` is in, and beside `own`.
    """
    jobs: set[str] = set()
    lost: list[tuple[Path, Result]] = []
    problems: list[str] = []
    for index in _around(own):
        for entry in index.entries(CLAIMS, since):
            jobs.update(entry.value.jobs)
            try:
                now = _doubtful(entry)
            except LedgerError as error:
                problems.append(str(error))
                continue
            # An answer may have come since the claims were read.
            jobs.update(job for result in now for job in result.job_ids)
            lost += [(entry.directory, result) for result in now if unanswered(result)]
        problems += [str(error) for _, error in index.problems]
    # Of another version, or broken: any listed job may belong to it.
    return OtherRuns(frozenset(jobs), tuple(lost), problems[0] if problems else "")


def _around(own: Path) -> Iterator[OutputsIndex]:
    """Yield what finds each directory with a ledger around `own`, once, as it is reached first."""
    here = own.resolve()
    seen = {str(here)}
    for root in [OUTPUTS, *(place for place in (here, *here.parents) if place.name == OUTPUTS.name)][:2]:
        yield OutputsIndex(root, seen=seen)
    # Beside it are the other runs of a sweep whose launcher is not ours.
    beside = own.absolute().parent
    yield OutputsIndex(beside, keep=False, levels=1, seen=seen | {str(beside.resolve())})


def _doubtful(entry: Entry[_Claims]) -> list[Result]:
    """Return the runs with a request that no job was known of, as the ledger has them now."""
    if not entry.value.doubtful:
        return []
    with Ledger(entry.directory, readonly=True) as ledger:
        found = [ledger.run(index).earlier for index in entry.value.doubtful]
    return [result for result in found if result is not None]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Describe one run, as its ledger has it."""

    index: int
    fingerprint: str
    status: RunStatus


class LedgerIndex:
    """Read each ledger once."""

    def __init__(self) -> None:
        self._known: dict[Path, Mapping[Path, LedgerEntry] | None] = {}

    def find(self, directory: Path) -> tuple[Path, LedgerEntry] | None:
        """Return the ledger's directory and its run in `directory` (an absolute path); None if no ledger has one."""
        for place in (directory, *directory.parents[:LEVELS]):
            known = self._of(place)
            if known is not None and directory in known:
                return place, known[directory]
        return None

    def runs_of(self, place: Path) -> Mapping[Path, LedgerEntry]:
        """Return every run of the ledger in `place`, by its directory."""
        return self._of(place) or {}

    def _of(self, place: Path) -> Mapping[Path, LedgerEntry] | None:
        if place not in self._known:
            self._known[place] = _read_entries(place) if os.path.isfile(place / NAME) else None  # noqa: PTH113 - too long a name is none
        return self._known[place]


def _read_entries(place: Path) -> Mapping[Path, LedgerEntry]:
    with Ledger(place, readonly=True) as ledger:
        runs = ledger.ask("SELECT directory, number, fingerprint, status FROM runs")
    try:
        return {
            Path(os.path.abspath(place / run_directory(directory))): LedgerEntry(index, work, RunStatus(status))  # noqa: PTH100 - as Hydra makes paths
            for directory, index, work, status in runs
        }
    except ValueError as error:
        raise LedgerError(f"{place / NAME} cannot be read: {error}") from error
