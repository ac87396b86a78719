"""The engine's two doors: one for programs with an event loop, one for those without."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from runner.config import ProviderConfig
from runner.providers.base import Provider

from .clock import Clock, RealClock
from .outcome import Outcome
from .run import Observer, Run
from .scheduler import Scheduler
from .signals import interrupts


def run_all(runs: Sequence[Run], *, observer: Observer, fail_fast: bool = False) -> Outcome:
    """Execute all runs concurrently and return when the last has ended.

    The first Ctrl-C or SIGTERM stops submitting and polling, keeps every job's id, and awaits the answers to paid
    requests that are under way; the second leaves at once. `Outcome.interrupted` then names the signal.
    """
    return asyncio.run(_interruptible(runs, observer, fail_fast))


async def execute(
    runs: Sequence[Run],
    *,
    observer: Observer,
    fail_fast: bool = False,
    clock: Clock | None = None,
    create: Callable[[ProviderConfig], Provider] | None = None,
) -> Outcome:
    """Execute all runs on the running event loop, leaving signals alone.

    `clock` and `create` (what makes a provider of its config) can be replaced. No `RunnerError` of a run is raised:
    they are in the outcome.
    """
    return await _scheduler(runs, observer, fail_fast, clock, create).run()


async def _interruptible(runs: Sequence[Run], observer: Observer, fail_fast: bool) -> Outcome:
    scheduler = _scheduler(runs, observer, fail_fast, None, None)
    with interrupts(scheduler.interrupt):
        return await scheduler.run()


def _scheduler(
    runs: Sequence[Run],
    observer: Observer,
    fail_fast: bool,
    clock: Clock | None,
    create: Callable[[ProviderConfig], Provider] | None,
) -> Scheduler:
    return Scheduler(
        runs, observer=observer, fail_fast=fail_fast, clock=clock or RealClock(), create=create or _create_provider
    )


def _create_provider(config: ProviderConfig) -> Provider:
    from runner.providers import create  # what the SDK costs is paid by those who send

    return create(config)
