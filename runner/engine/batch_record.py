"""Describe how far a batch is, keep that for whoever comes after a kill, and find batches whose answers were lost."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from runner.artifacts.result import StoredModel
from runner.errors import RunnerError
from runner.providers.batch import Batch

from .endpoint import Endpoint

MOST_LINES = 50_000
MOST_BYTES = 200_000_000
"""What one batch takes."""


class Phase(StrEnum):
    """Describe how far sending a batch has come; each is on disk before what follows it is done."""

    RECORDED = "recorded"
    """Its runs are recorded as submitting; nothing was paid."""
    UPLOADED = "uploaded"
    """Its input is at the provider; nothing was paid."""
    CREATING = "creating"
    """The paid request may have left."""
    CREATED = "created"
    """Its id is known."""


class BatchRecord(StoredModel):
    """Describe one batch.

    Attributes:
        mark: our random name of it, which stands in its metadata and in the attempts of its runs.
        runs: how many lines it has.
        status: the provider's word as it was last heard, at Unix time `asked_at`, with its counts.
    """

    mark: str
    phase: Phase
    model: str = ""
    endpoint: str = ""
    runs: int = 0
    input_file_id: str | None = None
    id: str | None = None
    status: str = ""
    total: int = 0
    completed: int = 0
    failed: int = 0
    asked_at: float | None = None
    ended: bool = False
    """Whether all that came of it is on disk."""

    @property
    def under_way(self) -> bool:
        """Return whether it may go on at the provider, or something of it is still to be fetched."""
        return not self.ended and self.phase in (Phase.CREATING, Phase.CREATED)

    @property
    def unsent(self) -> bool:
        """Return whether its paid request has not left, so that `resume` takes back what its runs count as spent."""
        return self.phase in (Phase.RECORDED, Phase.UPLOADED)

    @property
    def progress(self) -> str:
        """Return how far it is, in words."""
        total = self.total or self.runs
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.completed + self.failed:,} of {total:,} done{failed}"

    def __str__(self) -> str:
        name = self.id or "a batch whose answer was lost"
        return f"{name}: {self.progress}" + (f" ({self.status})" if self.status else "")


class BatchStore(Protocol):
    """Keep the records of batches; called in threads."""

    directory: Path
    """Where what comes of batches lies until all of it is in the runs' directories."""
    most_lines: int
    most_bytes: int

    def known(self) -> Mapping[str, BatchRecord]:
        """Return all records, by their marks; raises `LedgerError`."""

    def keep(self, record: BatchRecord) -> None:
        """Keep a record, which is on disk when this returns; raises `DiskError`."""


MAX_PAGES = 500
"""Pages of 100 batches that are read at most."""

_MARGIN = 7 * 86_400.0
"""Seconds by which a batch may be listed as older than its request: clocks differ, some lists tell the day alone."""


@dataclass(slots=True)
class BatchSearch:
    """Describe what a list of batches was found to hold.

    Attributes:
        found: batches by the marks that were looked for.
        shortfall: why others may exist that were not listed, for people; empty where the list was read far enough.
    """

    found: dict[str, Batch] = field(default_factory=dict)
    shortfall: str = ""

    @property
    def reason(self) -> str:
        """Return why a batch that is not among these was not found, for people."""
        return self.shortfall or "the provider lists no batch with its mark"


async def find(endpoint: Endpoint, marks: Mapping[str, str | None], since: float) -> BatchSearch:
    """Return those of the account's batches that are ours for certain: by their mark, or by our file.

    `marks` are those that are looked for, each with its input file where that is known; none was created earlier than
    `since` (Unix seconds, by this machine's clock). Raises no `RunnerError`: what was found before one counts.
    """
    api = endpoint.provider.batches()
    files = {file_id: mark for mark, file_id in marks.items() if file_id is not None}
    search = BatchSearch()
    listed: dict[str, Batch] = {}
    after: str | None = None
    for _ in range(MAX_PAGES):
        try:
            page = await endpoint.ask(api.page, after, "list of batches")
        except RunnerError as error:
            search.shortfall = f"the provider's batches could not be listed: {error}"
            return search
        fresh = [batch for batch in page.batches if batch.id not in listed]
        listed |= {batch.id: batch for batch in fresh}
        for batch in fresh:
            mark = batch.mark if batch.mark in marks else files.get(batch.input_file_id or "")
            if mark is not None and batch.mark in (None, mark):
                search.found[mark] = batch
        if page.last is None or len(search.found) == len(marks) or _reaches([*listed.values()], since - _MARGIN):
            return search
        if not fresh:
            search.shortfall = (
                f"a page of the provider's list of batches told nothing new after {len(listed):,} of them"
            )
            return search
        after = page.last
    search.shortfall = f"only {len(listed):,} of the provider's batches were listed, and it has more"
    return search


def _reaches(batches: Sequence[Batch], moment: float) -> bool:
    """Return whether the list is in the order of time, the newest first, and what follows is older than `moment`.

    No source promises an order: where that of the batches does not show it, all pages are read.
    """
    times = [batch.created_at for batch in batches]
    told = [time for time in times if time is not None]
    if not told or len(told) < len(times) or not told[0] > told[-1] or told[-1] >= moment:
        return False
    return all(newer >= older for newer, older in itertools.pairwise(told))
