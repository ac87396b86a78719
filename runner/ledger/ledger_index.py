"""Know what ledgers say of directories that runs are to be written to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.artifacts.run_status import RunStatus

from .discover import LEVELS, NAME, run_directory
from .ledger import Ledger, LedgerError


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
