"""A run's directory is made when the run's turn comes, not while others wait for theirs."""

from __future__ import annotations

import asyncio

from runner.engine import execute
from runner.engine.store import ResultFiles

from .simulation import SimulatedLoop


class Shelf(ResultFiles):
    """Remembers whose directories were asked for."""

    def __init__(self) -> None:
        self.opened: list[int] = []

    def open(self, run) -> None:
        self.opened.append(run.index)


def test_the_first_request_does_not_wait_for_all_directories(runs, clock, provider):
    many, shelf, seen = runs(100, max_concurrent_jobs=100, max_concurrent_requests=4), Shelf(), []
    provider.before_answer = lambda: seen.append(len(shelf.opened))

    async def main():
        return await execute(many, observer=lambda _: None, clock=clock, create=lambda _: provider, store=shelf)

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        outcome = runner.run(main())
    assert outcome.exit_code == 0
    assert seen[0] <= 4, "those of the requests that may be sent at once"
    assert {*shelf.opened} == {run.index for run in many}
