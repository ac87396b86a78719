"""What the engine takes in and what it tells while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.artifacts.result import Result, RunStatus
from runner.config import RunConfig


@dataclass(frozen=True, slots=True)
class Run:
    """One validated config with its own output directory (which exists)."""

    index: int
    config: RunConfig
    directory: Path
    overrides: tuple[str, ...] = ()
    label: str = ""
    """What tells this run from its siblings, for people."""
    earlier: Result | None = None
    """What became of it so far, where it is gone on with; `config` is then the choice that it has come to."""
    again: bool = False
    """Whether it is tried again although it has failed."""
    resubmit: bool = False
    """Whether it may be paid again if its answer stays lost: the user's explicit consent."""
    recorded: bool = False
    """Whether its `result.json` is known to say what `earlier` says."""

    job: str | None = None
    """The job that the user says a lost request of it has made."""

    @property
    def status(self) -> RunStatus:
        """How far it had come before."""
        return RunStatus.PLANNED if self.earlier is None else self.earlier.status

    @property
    def choice(self) -> int:
        """Which of its config's choices it goes on with: 0 as configured, n its nth fallback."""
        return 0 if self.earlier is None else self.earlier.choice

    @property
    def pays(self) -> bool:
        """Whether going on sends a paid request; else there is, or may be, a job that is only to be brought home."""
        return not self.status.paid and (self.resubmit or not self.status.lost)

    @property
    def open(self) -> bool:
        """Whether something is left to do."""
        return self.status.unfinished or self.again


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a run: a status, a poll's progress, a note, or (`result` set) its end."""

    run: Run
    status: RunStatus
    progress: float = 0
    """Percent, 0 to 100."""
    job_id: str | None = None
    remote_status: str | None = None
    """The provider's own word, as in queued or in_progress."""
    note: str | None = None
    result: Result | None = None
    partial: Path | None = None
    """A partial image that has just come."""


Observer = Callable[[Event], None]
"""Called on the engine's loop for every event; must return at once and must not raise."""
