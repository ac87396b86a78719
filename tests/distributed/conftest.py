"""Sweeps that several workers execute in threads of the tests' own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runner.artifacts.result import Attempt, Result
from runner.artifacts.run_status import RunStatus
from runner.distributed.driver import run_distributed
from runner.engine.matching import OtherRuns
from runner.engine.recorder import BudgetTracker, planned
from runner.engine.run import Event, Outcome, Run
from runner.ledger.ledger import Ledger
from runner.ledger.recording import LedgerStore, entered, reconcile, recording, resumed_run
from runner.ledger.reuse import new_run
from tests.distributed.threads import ThreadCluster, Work
from tests.emulator_thread import as_openai


class Sweep:
    """A sweep's directory with its runs."""

    def __init__(self, place: Path, runs: list[Run]) -> None:
        self.place = place
        self.runs = runs
        self.said: list[str] = []
        self.events: list[Event] = []
        self.signals: list[int] = []
        self.work: Work | None = None
        self.resubmit = False
        self.cluster: ThreadCluster | None = None

    def run(
        self, workers: int = 2, *, limit: float | None = None, watch: Callable[[Event], object] = lambda _event: None
    ) -> Outcome:
        """Execute what is left of the runs."""

        def observe(event: Event) -> None:
            self.events.append(event)
            watch(event)

        with self.opened() as (ledger, runs):
            store = LedgerStore(dict.fromkeys((run.directory for run in runs), ledger), _make)
            spent = sum(attempt.usd or 0 for run in runs if run.earlier for attempt in run.earlier.attempts)
            self.cluster = ThreadCluster(ledger, workers, limit=limit, spent=spent, work=self.work)
            left = [replace(run, resubmit=self.resubmit and run.status.lost) for run in runs if run.open]
            outcome = run_distributed(
                left, self.cluster, ledger, say=self.said.append, observer=observe,
                store=store, claimed=OtherRuns, budget_tracker=BudgetTracker(limit, spent),
                interrupted=self.signals.append,
            )  # fmt: skip
            self.cluster.close()
        return outcome

    @contextmanager
    def opened(self) -> Iterator[tuple[Ledger, list[Run]]]:
        """Open the ledger, and return it with what it has of the runs."""
        with recording(self.place) as ledger:
            known = reconcile(ledger).runs
            yield ledger, [resumed_run(run, run) for run in known] if known else entered(ledger, self.runs, [])

    @property
    def statuses(self) -> list[str]:
        with Ledger(self.place, readonly=True) as ledger:
            return [run.status.value for run in ledger.runs()]


def _make(run: Run) -> None:
    run.directory.mkdir(parents=True, exist_ok=True)


def recorded(run: Run, status: RunStatus, usd: float | None = None) -> Result:
    """A run's record with one request."""
    result = planned(run, 0.0)
    result.status, result.job_id = status, None if status.lost else f"video_{run.index}"
    begun = result.timestamps["planned"]
    result.attempts = [
        Attempt.made(number=1, provider=result.provider, model=result.model, choice=0, started_at=begun, usd=usd,
                     job_id=result.job_id)
    ]  # fmt: skip
    return result


@pytest.fixture
def sweep_of(tmp_path, loaded, emulator, monkeypatch) -> Callable[..., Sweep]:
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")

    def make(count: int, *overrides: str, server=emulator) -> Sweep:
        place = tmp_path / "out"
        config = loaded(*as_openai(server), *overrides)  # composing takes longer than all else
        configs = [config.model_copy(update={"replica": number}) for number in range(count)]
        return Sweep(place, [new_run(number, each, place / str(number)) for number, each in enumerate(configs)])

    return make
