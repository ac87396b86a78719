"""What is known of runs that are no part of this execution, so that none of their jobs is taken for a lost one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from runner.artifacts.result import Result


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The jobs and the open requests of other runs.

    Attributes:
        jobs: ids of jobs that belong to them.
        open: those with a paid request that nobody knows an answer to, each with the directory of its ledger.
        unknown: why there may be more, for people; empty if there are not.
    """

    jobs: frozenset[str] = frozenset()
    open: tuple[tuple[Path, Result], ...] = ()
    unknown: str = ""

    def also(self, jobs: Iterable[str]) -> Elsewhere:
        """The same with more jobs."""
        return replace(self, jobs=self.jobs.union(jobs))
