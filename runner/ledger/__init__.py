"""What is known of runs, durably: how far each has come, what it paid, and how to go on."""

from .acquaintance import Acquaintance
from .book import Entry, Ledger, LedgerError
from .fingerprint import fingerprint
from .lock import LockedError
from .recording import entered, gone_on, has_ledger, recording
from .reuse import Reuse, link
from .shelf import OUTPUTS, jobs_elsewhere, shelved
from .store import LedgerStore
from .summary import Summary, go_on, may_pass, summary

__all__ = [
    "OUTPUTS",
    "Acquaintance",
    "Entry",
    "Ledger",
    "LedgerError",
    "LedgerStore",
    "LockedError",
    "Reuse",
    "Summary",
    "entered",
    "fingerprint",
    "go_on",
    "gone_on",
    "has_ledger",
    "jobs_elsewhere",
    "link",
    "may_pass",
    "recording",
    "shelved",
    "summary",
]
