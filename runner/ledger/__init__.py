"""Keep what is known of runs durably: how far each has come, what it paid, and how to resume."""

from .discover import OUTPUTS, LedgerIndex, find_ledgers, jobs_elsewhere
from .ledger import Ledger, LedgerError, rebuilding
from .lock import CopyError, LockedError, keep_copy
from .recording import (
    NOTHING,
    LedgerStore,
    Reconciled,
    entered,
    has_ledger,
    reconcile,
    recording,
    refuse_unknown,
    resumed_run,
)
from .reuse import Reuse, fingerprint, link
from .summary import Summary, may_pass, resume_command, summary

__all__ = [
    "NOTHING",
    "OUTPUTS",
    "CopyError",
    "Ledger",
    "LedgerError",
    "LedgerIndex",
    "LedgerStore",
    "LockedError",
    "Reconciled",
    "Reuse",
    "Summary",
    "entered",
    "find_ledgers",
    "fingerprint",
    "has_ledger",
    "jobs_elsewhere",
    "keep_copy",
    "link",
    "may_pass",
    "rebuilding",
    "reconcile",
    "recording",
    "refuse_unknown",
    "resume_command",
    "resumed_run",
    "summary",
]
