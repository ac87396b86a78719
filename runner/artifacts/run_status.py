"""Say how far a run has come; who lists sweeps reads this, and no models."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """Describe how far a run has come; `VERIFIED` is success."""

    PLANNED = "planned"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    COMPLETED = "completed"
    DOWNLOADED = "downloaded"
    VERIFIED = "verified"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def failed(self) -> bool:
        """Return whether the run ended without its artifact and resuming it will not bring one."""
        return self in (RunStatus.FAILED, RunStatus.EXPIRED, RunStatus.CANCELLED)

    @property
    def paid(self) -> bool:
        """Return whether the result exists, at the provider or here, and only has to be collected or checked."""
        return self in (RunStatus.SUBMITTED, RunStatus.COMPLETED, RunStatus.DOWNLOADED)

    @property
    def lost(self) -> bool:
        """Return whether a request left and nobody knows what became of it."""
        return self in (RunStatus.SUBMITTING, RunStatus.UNCERTAIN)

    @property
    def passing(self) -> bool:
        """Return whether a run continues from here at once, unless it ends here."""
        return self in (RunStatus.COMPLETED, RunStatus.DOWNLOADED)

    @property
    def unfinished(self) -> bool:
        """Return whether something is left to go on with."""
        return not self.failed and self is not RunStatus.VERIFIED
