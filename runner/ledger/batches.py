"""Keep the records of batches in the ledger, among what it tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runner.engine.batch_record import MOST_BYTES, MOST_LINES, BatchRecord

from .ledger import Ledger, LedgerError

FACT = "batches"
FOLDER = "batches"
"""Below the ledger's directory: what is sent and what comes, until it is where it belongs."""


class LedgerBatches:
    """Keep batches in one ledger; each change is on disk when the call returns."""

    def __init__(self, ledger: Ledger, *, most_lines: int = MOST_LINES, most_bytes: int = MOST_BYTES) -> None:
        """Take the sweep's ledger, and what one batch takes."""
        self._ledger = ledger
        self.directory: Path = ledger.directory / FOLDER
        self.most_lines = most_lines
        self.most_bytes = most_bytes

    def known(self) -> Mapping[str, BatchRecord]:
        """Return all records, by their marks; raises `LedgerError`."""
        return {record.mark: record for record in batches_of(self._ledger)}

    def keep(self, record: BatchRecord) -> None:
        """Keep a record; raises `DiskError`."""
        with self._ledger.facts() as facts:
            facts[FACT] = {**facts.get(FACT, {}), record.mark: record.model_dump(mode="json")}


def batches_of(ledger: Ledger) -> list[BatchRecord]:
    """Return the batches of a ledger's runs, in the order in which they were sent; raises `LedgerError`."""
    told: Any = ledger.known_facts().get(FACT, {})  # Any: JSON
    try:
        return [BatchRecord.model_validate(each) for each in told.values()]
    except (ValidationError, AttributeError) as error:
        raise LedgerError(f"{ledger.directory} does not tell readably of its batches") from error


_MARKS = """
SELECT DISTINCT json_extract(attempt.value, '$.batch') FROM runs, json_each(runs.result, '$.attempts') AS attempt
WHERE runs.status IN ('submitting', 'submitted', 'uncertain')"""


def waited_for(ledger: Ledger) -> list[BatchRecord]:
    """Return the batches that may go on at the provider, as they were last heard of: runs wait for them."""
    under_way = [record for record in batches_of(ledger) if record.under_way]
    marks = {mark for (mark,) in ledger.ask(_MARKS)} if under_way else set()
    return [record for record in under_way if record.mark in marks]
