"""Runs and their ledger: begun together, found again together."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from runner.artifacts.atomic import disk_errors
from runner.artifacts.result import RunStatus
from runner.engine.journal import planned
from runner.engine.run import Run
from runner.errors import ConfigError

from .book import NAME, Entry, Ledger
from .lock import locked


@contextmanager
def recording(directory: Path) -> Iterator[Ledger]:
    """The ledger of `directory`, both made if need be, for this process alone; raises `LockedError`, `DiskError`."""
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    with locked(directory), Ledger(directory) as ledger:
        yield ledger


def entered(ledger: Ledger, runs: Sequence[Run], fingerprints: Sequence[str], *, more: bool = False) -> list[Run]:
    """Record new runs, or find what became of them if the ledger has them already.

    Raises `ConfigError` if it has others; with `more`, the ledger's own runs are earlier batches of the same sweep.
    """
    known = {} if more else {entry.number: entry for entry in ledger.entries()}
    if not known:
        ledger.add(_entry(ledger, run, work) for run, work in zip(runs, fingerprints, strict=True))
        return list(runs)
    if {number: entry.fingerprint for number, entry in known.items()} != {
        run.index: work for run, work in zip(runs, fingerprints, strict=True)
    }:
        raise ConfigError(
            f"{ledger.directory} holds other runs",
            hint=f"python -m runner resume {shlex.quote(str(ledger.directory))} goes on with those; for others, give "
            "the command with another directory and reuse=true, which pays for nothing that is there",
        )
    return [gone_on(run, known[run.index]) for run in runs]


def gone_on(run: Run, known: Entry) -> Run:
    """The run at the choice that it has come to, with what became of it.

    Its config may differ in what is not paid, for this time only: its record keeps the one that the ledger has.
    """
    saved = replace(run, config=known.config, overrides=known.overrides)
    earlier = known.result or planned(saved, time.time())
    if earlier.status is RunStatus.EXPIRED and earlier.job_id is not None:
        # Looked for once more: a 404 that was taken for the end may have come of another key, or have passed.
        earlier.status = RunStatus.SUBMITTED
    if earlier.status.paid or earlier.status.lost:
        earlier.resumed += 1
        for attempt in earlier.attempts:
            attempt.inherited = True
    config = run.config if len(run.config.fallbacks) == len(known.config.fallbacks) else known.config
    return replace(saved, config=config.choice(earlier.choice), earlier=earlier)


def _entry(ledger: Ledger, run: Run, work: str) -> Entry:
    directory = os.path.relpath(run.directory, ledger.directory)
    return Entry(run.index, directory, work, run.config, run.overrides, run.label)


def has_ledger(directory: Path) -> bool:
    """Whether `directory` holds a ledger."""
    return (directory / NAME).is_file()
