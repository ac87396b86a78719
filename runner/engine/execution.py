"""The engine's two doors: one for programs with an event loop, one for those without."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from runner.config import ProviderConfig
from runner.providers.base import Provider

from .clock import Clock, RealClock
from .elsewhere import Elsewhere
from .outcome import Outcome
from .purse import Purse
from .run import Observer, Run
from .scheduler import Scheduler
from .search import Claimed
from .signals import interrupts
from .store import ResultFiles, Store


def run_all(
    runs: Sequence[Run],
    *,
    observer: Observer,
    fail_fast: bool = False,
    store: Store | None = None,
    claimed: Claimed = Elsewhere,
    purse: Purse | None = None,
) -> Outcome:
    """Execute all runs concurrently and return when the last has ended.

    `store` keeps their records (default: each run's `result.json`); `claimed` tells what is other runs'.
    `purse` is what they may spend together (default: without a limit).
    The first Ctrl-C, SIGTERM or SIGHUP stops submitting and polling, keeps every job's id, and awaits the answers to
    paid requests that are under way; the second leaves at once. `Outcome.interrupted` then names the signal.
    """
    scheduler = _scheduler(runs, observer, fail_fast, store=store, claimed=claimed, purse=purse)
    return asyncio.run(_interruptible(scheduler))


async def execute(
    runs: Sequence[Run],
    *,
    observer: Observer,
    fail_fast: bool = False,
    store: Store | None = None,
    claimed: Claimed = Elsewhere,
    purse: Purse | None = None,
    clock: Clock | None = None,
    create: Callable[[ProviderConfig], Provider] | None = None,
) -> Outcome:
    """Execute all runs on the running event loop, leaving signals alone.

    `clock` and `create` (what makes a provider of its config) can be replaced. No `RunnerError` of a run is raised:
    they are in the outcome.
    """
    scheduler = _scheduler(
        runs, observer, fail_fast, store=store, claimed=claimed, purse=purse, clock=clock, create=create
    )
    return await scheduler.run()


async def _interruptible(scheduler: Scheduler) -> Outcome:
    with interrupts(scheduler.interrupt):
        return await scheduler.run()


def _scheduler(
    runs: Sequence[Run],
    observer: Observer,
    fail_fast: bool,
    *,
    store: Store | None,
    claimed: Claimed,
    purse: Purse | None,
    clock: Clock | None = None,
    create: Callable[[ProviderConfig], Provider] | None = None,
) -> Scheduler:
    return Scheduler(
        runs,
        observer=observer,
        fail_fast=fail_fast,
        clock=clock or RealClock(),
        create=create or _create_provider,
        store=store or ResultFiles(),
        claimed=claimed,
        purse=purse,
    )


def _create_provider(config: ProviderConfig) -> Provider:
    from runner.providers import create  # what the SDK costs is paid by those who send

    return create(config)
