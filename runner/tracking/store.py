"""What the tracker relies on: a place that keeps runs, and the runs of a sweep below a run of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

Value = str | int | float | bool


class End(Enum):
    """How a run, or a sweep's own, ended."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    OPEN = "open"
    """It did not: `resume` goes on with it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is recorded of a run, or of a sweep as a whole.

    Attributes:
        params: its resolved config, dotted keys to plain values.
        metrics: numbers to compare by; money in US dollars, times in seconds.
        tags: what is said of it; None: it has nothing of the kind (any more).
        files: what is uploaded.
        began: Unix seconds.
        ended: Unix seconds, None if it did not end.
    """

    name: str
    params: Mapping[str, Value]
    metrics: Mapping[str, float]
    tags: Mapping[str, str | None]
    files: tuple[Path, ...] = ()
    end: End = End.OPEN
    began: float | None = None
    ended: float | None = None


class Store(Protocol):
    """A place that keeps runs; used by one thread. Whatever a method raises ends the tracking and nothing else."""

    @property
    def place(self) -> str:
        """Where it is, without credentials: ids are of no use in another."""

    def begin(self, sweep: Facts, known: str | None) -> str:
        """Begin the sweep's own run, or go on with the one of the `known` id if it is still there; returns its id.

        What its runs have in common is not known before its end: a sweeper may come with others.
        """

    def record(self, run: Facts, parent: str | None, known: str | None) -> Iterator[str]:
        """Record an ended run, below `parent` if it is of a sweep, or bring the one of the `known` id up to date.

        Yields its id as soon as it has one, and again whenever something was done, as a file that is uploaded.
        """

    def end(self, parent: str, sweep: Facts) -> None:
        """End the sweep's own run, with what its runs have in common and what they amount to."""
