"""What is known of runs, durably: how far each has come, what it paid, and how to go on."""

from .book import Ledger, LedgerError, rebuilding
from .discover import OUTPUTS, LedgerIndex, jobs_elsewhere, shelved
from .lock import LockedError
from .ownership import CopyError, keep_copy
from .reconciliation import NOTHING, Reconciled, gone_on, reconcile, refuse_unknown
from .recording import LedgerStore, entered, has_ledger, recording
from .reuse import Reuse, fingerprint, link
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
