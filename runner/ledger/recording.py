"""Runs and their ledger: begun together, found again together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runner.artifacts.atomic import disk_errors
from runner.engine.run import Run
from runner.errors import ConfigError
from runner.shell import word

from .book import NAME, Entry, Ledger, run_directory
from .lock import locked
from .ownership import CopyError, owned
from .reconciliation import Reconciled


@contextmanager
def recording(directory: Path) -> Iterator[Ledger]:
    """The ledger of `directory`, both made if need be, for this process alone; raises `LockedError`, `DiskError`."""
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    with locked(directory), Ledger(directory) as ledger, owned(ledger):
        yield ledger


def entered(
    ledger: Ledger,
    runs: Sequence[Run],
    fingerprints: Sequence[str],
    *,
    known: Reconciled | None = None,
    more: bool = False,
) -> list[Run]:
    """Record new runs, or find what became of them if the ledger has them already.

    `known` are the ledger's runs where they are read already; with `more`, they are earlier batches of the same
    sweep. Those that a rebuilt ledger does not know are added. Raises `ConfigError` if it has others.
    """
    works = {run.index: work for run, work in zip(runs, fingerprints, strict=True)}
    known = known or Reconciled([] if more else ledger.entries())
    had = {} if more else {entry.number: entry for entry in known.entries}
    if any(works.get(number) != entry.fingerprint for number, entry in had.items()):
        raise ConfigError(
            f"{ledger.directory} holds other runs",
            hint=f"python -m runner resume {word(str(ledger.directory))} goes on with those; for others, give "
            "the command with another directory and reuse=true, which pays for nothing that is there",
        )
    if new := [run for run in runs if run.index not in had]:
        ledger.add(_entry(ledger, run, works[run.index]) for run in new)
    going = [known.taken_up(run, had[run.index]) if run.index in had else run for run in runs]
    if ledger.copy_of is not None and (paying := sum(run.open and run.pays for run in going)):
        raise CopyError(ledger.directory, ledger.copy_of, paying)
    return going


def _entry(ledger: Ledger, run: Run, work: str) -> Entry:
    try:
        directory = run_directory(os.path.relpath(run.directory, ledger.directory))
    except ValueError as error:
        raise ConfigError(
            f"run {run.index} would be written to {run.directory}, outside of {ledger.directory}; nothing was sent",
            hint="hydra.sweep.subdir='${hydra.job.num}'",
        ) from error
    return Entry(run.index, directory, work, run.config, run.overrides, run.label)


def has_ledger(directory: Path) -> bool:
    """Whether `directory` holds a ledger."""
    return (directory / NAME).is_file()
