"""Directories are made while runs wait for their turn, and no request waits for those of later runs."""

from __future__ import annotations

import asyncio
import threading

from runner.engine.scheduler import Scheduler
from runner.engine.store import ResultFiles

from .simulation import SimulatedLoop

FIRST = 4


class Shelf(ResultFiles):
    """Makes the directories of the first runs at once, those of the others after the first request."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.opened: list[int] = []
        self.late = False

    def open(self, run) -> None:
        self.late = self.late or (run.index >= FIRST and not self.asked.wait(10))
        self.opened.append(run.index)


def test_the_first_request_does_not_wait_for_all_directories(runs, clock, provider):
    many, shelf = runs(100, max_concurrent_jobs=100, max_concurrent_requests=FIRST), Shelf()
    provider.before_answer = shelf.asked.set

    async def main():
        return await Scheduler(many, observer=lambda _: None, clock=clock, create=lambda _: provider, store=shelf).run()

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        outcome = runner.run(main())
    assert outcome.exit_code == 0
    assert not shelf.late
    assert shelf.opened == [run.index for run in many], "once, and in their order"
