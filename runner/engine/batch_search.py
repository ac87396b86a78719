"""Find batches whose answers were lost in the account's list, and say how far that could be read."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.errors import RunnerError
from runner.providers.batch import Batch

from .endpoint import Endpoint

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
