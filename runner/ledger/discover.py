"""Find ledgers below a directory, and what they say of directories that runs are to be written to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.artifacts.result import Result, RunStatus
from runner.engine.matching import OtherRuns, unanswered

from .ledger import NAME, Ledger, LedgerError, run_directory

LEVELS = 4
"""How deep below its sweep's directory a run's may lie, as `hydra.sweep.subdir` may name several folders."""


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
            self._known[place] = _read(place) if os.path.isfile(place / NAME) else None  # noqa: PTH113 - too long a name is none
        return self._known[place]


def _read(place: Path) -> Mapping[Path, LedgerEntry]:
    with Ledger(place, readonly=True) as ledger:
        runs = ledger.ask("SELECT directory, number, fingerprint, status FROM runs")
    try:
        return {
            Path(os.path.abspath(place / run_directory(directory))): LedgerEntry(index, work, RunStatus(status))  # noqa: PTH100 - as Hydra makes paths
            for directory, index, work, status in runs
        }
    except ValueError as error:
        raise LedgerError(f"{place / NAME} cannot be read: {error}") from error


OUTPUTS = Path("outputs")
"""Where runs go unless they are told otherwise."""


def find_ledgers(root: Path) -> Iterator[Path]:
    """Yield the directories at or below `root` that have a ledger, those of a sweep's own runs not included.

    `root` itself may be a run's directory and that of all others too. Results may lie behind a link.
    """
    for place, folders, files in walk(root):
        if NAME in files:
            yield Path(place)
            if Path(place) != root:
                folders.clear()


_SHARD = re.compile(r"shard-(\d+)-of-(\d+)")


def shards_of(directory: Path) -> list[Path]:
    """Return the parts of a sweep that was divided by `shard=K/N`, in order; none where it has a ledger of its own."""
    if (directory / NAME).is_file():
        return []
    parts = [
        (found, place.parent)
        for place in directory.glob(f"shard-*/{NAME}")
        if (found := _SHARD.fullmatch(place.parent.name))
    ]
    return [place for _, place in sorted(parts, key=lambda part: (int(part[0][2]), int(part[0][1])))]


def walk(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk as `os.walk` does, through links too and past hidden folders, into each directory once."""
    seen: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(root, followlinks=True):
        if _first_seen(place, seen):  # a link may lead back to where one is
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield place, folders, files
        else:
            folders.clear()


def _first_seen(place: str, seen: set[tuple[int, int]]) -> bool:
    try:
        state = os.stat(place)  # noqa: PTH116 - text, as os.walk gives it
    except OSError:
        return False
    known = (state.st_dev, state.st_ino)
    first = known not in seen
    seen.add(known)
    return first


def jobs_elsewhere(own: Path, since: float) -> OtherRuns:
    """Return what the ledgers around `own` tell that were written after `since` (Unix seconds).

    They are looked for in `outputs/` of the working directory, in the one that `own` is in, and beside `own`.
    """
    jobs: set[str] = set()
    lost: list[tuple[Path, Result]] = []
    unknown = ""
    for directory in _neighbours(own):
        try:
            for result in _results(directory, since):
                jobs.update(result.job_ids)
                lost += [(directory, result)] if unanswered(result) else []
        except (LedgerError, OSError) as error:
            # Of another version, or broken: any listed job may belong to it.
            unknown = unknown or str(error)
    return OtherRuns(frozenset(jobs), tuple(lost), unknown)


def _neighbours(own: Path) -> Iterator[Path]:
    """Yield each directory with a ledger around `own`, once, as it is reached first."""
    here = own.resolve()
    seen = {here}
    around = [OUTPUTS, *(place for place in (here, *here.parents) if place.name == OUTPUTS.name)][:2]
    # Beside it are the other runs of a sweep whose launcher is not ours.
    beside = (path.parent for path in own.absolute().parent.glob(f"*/{NAME}"))
    for directory in (*(place for root in around for place in find_ledgers(root)), *beside):
        if directory.resolve() not in seen:
            seen.add(directory.resolve())
            yield directory


def _results(directory: Path, since: float) -> list[Result]:
    if written_at(directory) < since:
        return []
    with Ledger(directory, readonly=True) as ledger:
        return [run.earlier for run in ledger.runs() if run.earlier is not None]


def written_at(directory: Path) -> float:
    """Return when the ledger in `directory` was last written, in Unix seconds; 0 if it is gone."""
    log = directory / f"{NAME}-wal"
    written = [0.0]
    # Whoever closes the ledger just now removes its log.
    with suppress(FileNotFoundError):
        written.append((directory / NAME).stat().st_mtime)
        state = log.stat()
        written += [state.st_mtime] if state.st_size else []
    return max(written)
