"""Say how far a run has come in the words that people read: on the page, in the terminal and in tables."""

from __future__ import annotations

from enum import StrEnum

from runner.artifacts.run_status import RunStatus


class RunState(StrEnum):
    """Describe how far a run has come, coarser than `RunStatus`, which records and programs go by."""

    QUEUED = "queued"
    GENERATING = "generating"
    DOWNLOADING = "downloading"
    DONE = "done"
    FAILED = "failed"
    UNCERTAIN = "uncertain"

    @property
    def sign(self) -> str:
        """Return one character of one column that stands for the state."""
        return _SIGNS[self]

    @property
    def meaning(self) -> str:
        """Return what the state says about the run, its money included."""
        return _MEANINGS[self]


_SIGNS = {
    RunState.QUEUED: "○",
    RunState.GENERATING: "◔",
    RunState.DOWNLOADING: "◕",
    RunState.DONE: "✓",
    RunState.FAILED: "✗",
    RunState.UNCERTAIN: "?",
}

_MEANINGS = {
    RunState.QUEUED: "it waits to be sent; until then it costs nothing",
    RunState.GENERATING: "it was sent; the provider makes it, also while nobody waits for it",
    RunState.DOWNLOADING: "it is made; its file is not here yet, or is not checked",
    RunState.DONE: "its file is here and checked",
    RunState.FAILED: "it ended without a file; its error says why",
    RunState.UNCERTAIN: "it was sent, and its answer was lost; it may have been paid",
}

_OF = {
    RunStatus.PLANNED: RunState.QUEUED,
    RunStatus.SUBMITTING: RunState.GENERATING,
    RunStatus.SUBMITTED: RunState.GENERATING,
    RunStatus.COMPLETED: RunState.DOWNLOADING,
    RunStatus.DOWNLOADED: RunState.DOWNLOADING,
    RunStatus.VERIFIED: RunState.DONE,
    RunStatus.FAILED: RunState.FAILED,
    RunStatus.EXPIRED: RunState.FAILED,
    RunStatus.CANCELLED: RunState.FAILED,
    RunStatus.UNCERTAIN: RunState.UNCERTAIN,
}


def state_of(status: RunStatus, *, busy: bool) -> RunState:
    """Return the state of a run; `busy`: whether someone is at work on it, and may still get a request's answer."""
    if status is RunStatus.SUBMITTING and not busy:
        return RunState.UNCERTAIN
    return _OF[status]
