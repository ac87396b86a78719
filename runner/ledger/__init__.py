"""What is known of runs, durably: how far each has come, what it paid, and how to go on."""

from .discover import OUTPUTS, LedgerIndex, Reuse, fingerprint, jobs_elsewhere, link, shelved
from .ledger import Ledger, LedgerError, rebuilding
from .lock import CopyError, LockedError, keep_copy
from .recording import (
    NOTHING,
    LedgerStore,
    Reconciled,
    entered,
    gone_on,
    has_ledger,
    reconcile,
    recording,
    refuse_unknown,
)
from .summary import Summary, go_on, may_pass, summary

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
    "fingerprint",
    "go_on",
    "gone_on",
    "has_ledger",
    "jobs_elsewhere",
    "keep_copy",
    "link",
    "may_pass",
    "rebuilding",
    "reconcile",
    "recording",
    "refuse_unknown",
    "shelved",
    "summary",
]
