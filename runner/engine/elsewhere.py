"""What is known of runs that are no part of this execution, so that none of their jobs is taken for a lost one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from runner.artifacts.result import Result
from runner.providers.gateway_id import backend_id


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The jobs and the open requests of other runs.

    Attributes:
        jobs: ids of jobs that belong to them.
        open: those with a paid request that nobody knows an answer to, each with the directory of its ledger.
        unknown: why there may be more, for people; empty if there are not.
        own: runs of this execution that are done and have such a request: it explains a job that is nobody's.
    """

    jobs: frozenset[str] = frozenset()
    open: tuple[tuple[Path, Result], ...] = ()
    unknown: str = ""
    own: tuple[Result, ...] = ()

    @property
    def backend_ids(self) -> frozenset[str]:
        """The jobs' ids as their servers' backends know them: a gateway lists a job under another id than it gave."""
        return frozenset(map(backend_id, self.jobs))

    def also(self, jobs: Iterable[str], own: Iterable[Result] = ()) -> Elsewhere:
        """Return these with more jobs, and with runs of this execution."""
        return replace(self, jobs=self.jobs.union(jobs), own=(*self.own, *own))
