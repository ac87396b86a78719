"""Define what driver, coordinator and workers tell each other; none of it holds a key."""

from __future__ import annotations

import functools
import hashlib
import pickle
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.config.provider import ProviderConfig, servers_of
from runner.config.run import Budget
from runner.engine.pool import server_at
from runner.engine.run import Event, Run
from runner.engine.store import StoreLostError
from runner.errors import RunnerError
from runner.ledger.ledger import Row

Ask = Callable[..., "Future[Any]"]
"""Calls a method of the coordinator; `CoordinatorLostError` says that it is gone. Any: what the method returns."""


class CoordinatorLostError(StoreLostError):
    """Tell that the coordinator has ended: nothing can be recorded any more, so that nothing is submitted."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """Describe an endpoint's limits, which all workers keep together.

    Attributes:
        key: what names the endpoint.
        jobs: how many jobs may be there at the same time; of a pool, at all of its servers.
        per_minute: how many paid requests may be sent in a minute; None: any.
    """

    key: str
    jobs: int
    per_minute: float | None

    @classmethod
    @functools.cache
    def of(cls, config: ProviderConfig) -> Limits:
        """Return the limits that a config names."""
        key = hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]
        jobs = sum(server.max_concurrent_jobs for server in servers_of(config)) or config.max_concurrent_jobs
        return cls(key, jobs, config.requests_per_minute)


@dataclass(frozen=True, slots=True)
class Item:
    """Describe a run that waits for a worker.

    Attributes:
        exists: whether it was paid already.
        place: the limits of the server where its job is under way; None if there is none.
        free: whether its paid request needs no turn: as many runs of its endpoint are handed out as there may be jobs
            there, nothing else limits them, and no runs of others come there.
        usd: what its attempts count already, in US dollars.
        packed: the whole run, which the coordinator does not read.
    """

    index: int
    limits: Limits
    exists: bool
    place: Limits | None
    free: bool
    usd: float
    packed: bytes

    @classmethod
    def of(cls, run: Run, shared: Collection[str] = ()) -> Item:
        """Pack a run; `shared` are the keys of endpoints that runs of others come to."""
        provider, earlier = run.config.provider, run.earlier
        attempts = earlier.attempts if earlier is not None else ()
        usd = sum(run.config.budget.known(attempt.usd) for attempt in attempts)
        limits = Limits.of(provider)
        free = limits.per_minute is None and limits.key not in shared and not servers_of(provider)
        waits = earlier is not None and run.status is RunStatus.SUBMITTED
        place = Limits.of(server_at(provider, earlier.endpoint)) if earlier is not None and waits else None
        return cls(run.index, limits, run.status.paid, place, free, usd, pickle.dumps(run))

    @property
    def run(self) -> Run:
        """Return the run."""
        return cast("Run", pickle.loads(self.packed))  # noqa: S301 - made by `of`, in a process of ours


@dataclass(frozen=True, slots=True)
class Change:
    """Describe one record that is to be kept.

    Attributes:
        usd: what the run's attempts count in US dollars. Only a request that is about to leave may have None: nobody
            knows its price.
        key: names the endpoint where the run is.
    """

    row: Row
    usd: tuple[float | None, ...]
    key: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Describe an event of a run, without what the driver knows of the run itself.

    Of a worker that died it may be `unwritten`: the ledger has the end, and `result.json` may be older.
    """

    index: int
    choice: int
    status: RunStatus
    progress: float = 0
    job_id: str | None = None
    remote_status: str | None = None
    note: str | None = None
    result: Result | None = None
    partial: Path | None = None
    unwritten: bool = False

    @classmethod
    def of(cls, event: Event, choice: int) -> Told:
        """Take an event apart; `choice` is the run's present one."""
        result = None if event.result is None else event.result.model_copy(update={"config": None})
        return cls(
            event.run.index, choice, event.status, event.progress, event.job_id, event.remote_status, event.note,
            result, event.partial,
        )  # fmt: skip

    def event(self, run: Run) -> Event:
        """Return the event of `run`, which is the same run as it was planned."""
        config = run.config if run.earlier is None else run.earlier.config
        result = None if self.result is None else self.result.model_copy(update={"config": config})
        if self.choice != run.choice:
            run = replace(run, config=run.config.choice(self.choice - run.choice))
        return Event(
            run, self.status, self.progress, self.job_id, self.remote_status, self.note, result, self.partial
        )  # fmt: skip


def pack(told: Sequence[Told]) -> bytes:
    """Return events as they travel: the coordinator passes them on and does not read them."""
    return pickle.dumps(told)


def unpack(packed: bytes) -> Sequence[Told]:
    """Return the events that `pack` has packed."""
    return cast("Sequence[Told]", pickle.loads(packed))  # noqa: S301 - made by `pack`, in a process of ours


@dataclass(frozen=True, slots=True)
class Answer:
    """Describe an answer that moves an endpoint's limits: a 429, or (without `error`) an acceptance.

    Attributes:
        ago: seconds since the request was sent.
        submit_after: seconds after which the next may be sent, if the server said so.
    """

    limits: Limits
    ago: float
    error: RunnerError | None = None
    paid: bool = True
    submit_after: float | None = None


@dataclass(slots=True)
class Report:
    """Hold what a worker tells at once.

    Attributes:
        told: events, in their order, packed.
        ended: runs whose end is among them.
        left: runs that hold no place among an endpoint's jobs any more.
        answers: what moves limits.
        stopped: why nothing more may be submitted, at an endpoint or (None) at any.
    """

    told: bytes = b""
    ended: list[int] = field(default_factory=list)
    left: list[tuple[str, int]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    stopped: list[tuple[Limits | None, RunnerError]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.told or self.left or self.answers or self.stopped)


@dataclass(slots=True)
class News:
    """Hold what the coordinator tells a worker at once.

    Attributes:
        items: runs to execute.
        pauses: endpoints that asked for a pause, its seconds, and whether it is one of paid requests alone.
        stopped: endpoints where nothing more is submitted.
        drains: whether nothing more is submitted anywhere.
        ends: whether no more runs come.
        signals: how often an interrupt was asked for since the last news.
    """

    items: list[Item] = field(default_factory=list)
    pauses: list[tuple[str, float, bool]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    drains: bool = False
    ends: bool = False
    signals: int = 0

    def __bool__(self) -> bool:
        return bool(self.items or self.pauses or self.stopped or self.drains or self.ends or self.signals)


def usd_of(result: Result, budget: Budget) -> tuple[float | None, ...]:
    """Return what a run's attempts count, in US dollars; None for one that is about to leave at an unknown price."""
    usd: list[float | None] = [budget.known(attempt.usd) for attempt in result.attempts]
    if usd and result.status is RunStatus.SUBMITTING:
        usd[-1] = result.attempts[-1].usd
    return tuple(usd)


@dataclass(frozen=True, slots=True)
class Summary:
    """Describe how the coordinator's work ended.

    Attributes:
        spent: US dollars that all attempts count.
        waiting: runs that no worker had.
        stopped_by: the error that ended submitting, everywhere or at an endpoint.
    """

    spent: float
    waiting: Sequence[int]
    stopped_by: RunnerError | None
