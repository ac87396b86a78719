"""Linking finished work into the runs that ask for it, before anything is paid."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from runner.artifacts.result import Result, RunStatus
from runner.display import print_problems
from runner.engine.recorder import planned
from runner.engine.run import Event, Observer, Run
from runner.engine.store import Record
from runner.errors import ConfigError
from runner.ledger import Ledger, LedgerStore, Reuse, fingerprint, link


def reuse(
    runs: Sequence[Run], ledgers: Mapping[Path, Ledger], store: LedgerStore, observer: Observer
) -> dict[int, Result]:
    """The records of the runs that are finished by what others have made, by their number; raises `DiskError`."""
    known, done = Reuse(), {}
    for run in runs:
        if not run.config.reuse or run.directory not in ledgers or (run.earlier and run.earlier.attempts):
            continue
        work = _work(run)
        source = None if work is None else known.find(work, run.directory)
        if source is not None:
            store.open(run)
            done[run.index] = result = link(run, run.earlier or planned(run, time.time()), source)
            for error in filter(None, store.save([Record(run, result)])):
                raise error
            _tell(run, result, observer)
    print_problems(dict.fromkeys(known.problems))
    return done


def _work(run: Run) -> str | None:
    with suppress(ConfigError):  # an input that is gone is no reason to leave the other runs where they are
        return fingerprint(run.config)
    return None


def _tell(run: Run, result: Result, observer: Observer) -> None:
    observer(Event(run, RunStatus.VERIFIED, 100, result.job_id, note=f"reused from {result.reused_from}"))
    observer(Event(run, RunStatus.VERIFIED, 100, result.job_id, result=result))
