"""What ledgers already say about directories that runs are to be written to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from runner.artifacts.result import RunStatus

from .book import NAME, Ledger, LedgerError, run_directory

LEVELS = 4
"""How deep below its sweep's directory a run's may lie, as `hydra.sweep.subdir` may name several folders."""


class Known(NamedTuple):
    """One run, as its ledger has it."""

    fingerprint: str
    status: RunStatus


class Acquaintance:
    """Reads each ledger once."""

    def __init__(self) -> None:
        self._known: dict[Path, Mapping[Path, Known] | None] = {}

    def find(self, directory: Path) -> tuple[Path, Known] | None:
        """The ledger's directory, and the run that it has in `directory` (an absolute path); None if none has one."""
        for place in (directory, *directory.parents[:LEVELS]):
            known = self._of(place)
            if known is not None and directory in known:
                return place, known[directory]
        return None

    def runs_of(self, place: Path) -> Mapping[Path, Known]:
        """Every run of the ledger in `place`, by its directory."""
        return self._of(place) or {}

    def _of(self, place: Path) -> Mapping[Path, Known] | None:
        if place not in self._known:
            self._known[place] = _read(place) if os.path.isfile(place / NAME) else None  # noqa: PTH113 - too long a name is none
        return self._known[place]


def _read(place: Path) -> Mapping[Path, Known]:
    with Ledger(place, readonly=True) as ledger:
        runs = ledger.ask("SELECT directory, fingerprint, status FROM runs")
    try:
        return {
            Path(os.path.abspath(place / run_directory(directory))): Known(work, RunStatus(status))  # noqa: PTH100 - as Hydra makes paths
            for directory, work, status in runs
        }
    except ValueError as error:
        raise LedgerError(f"{place / NAME} cannot be read: {error}") from error
