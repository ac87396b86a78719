"""The list of batches in which lost ones are looked for: in any order, cut short, or without an end."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runner.engine import batch_record
from runner.engine.batch_record import BatchSearch, find
from runner.engine.endpoint import Endpoint
from runner.errors import ServerError
from runner.providers.batch import Batch, BatchPage, BatchStatus

NOW = 1_800_000_000.0
DAY = 86_400.0
MARK = "runner-1"


def batch(number: int, days: float | None = 0.0, **told: Any) -> Batch:
    created = None if days is None else NOW - days * DAY
    return Batch(f"batch_{number}", BatchStatus.IN_PROGRESS, "in progress", created_at=created, **told)


LOST = batch(7, mark=MARK)


class Listing:
    """Give pages in their order, each with a cursor of its own unless `cursors` says which."""

    def __init__(self, *pages: list[Batch], cursors: Callable[[int], str | None] | None = None) -> None:
        self.pages = pages
        self.cursors = cursors or (lambda number: str(number + 1) if number + 1 < len(pages) else None)
        self.asked: list[str | None] = []

    async def page(self, after: str | None) -> BatchPage:
        self.asked.append(after)
        number = min(len(self.asked), len(self.pages)) - 1
        return BatchPage(tuple(self.pages[number]), self.cursors(number))


async def search(listing: Listing, marks: dict[str, str | None] | None = None) -> BatchSearch:
    async def ask(question: Any, subject: Any, _: str) -> Any:
        return await question(subject)

    endpoint = SimpleNamespace(provider=SimpleNamespace(batches=lambda: listing), ask=ask)
    return await find(cast("Endpoint", endpoint), marks or {MARK: "file-1"}, NOW)


@pytest.mark.parametrize(
    "pages",
    [
        [[batch(1, 90), batch(2, 60)], [LOST]],
        [[batch(1, 0), batch(2, 90), batch(3, 2)], [LOST]],
        [[batch(1, 60), batch(2, 60)], [LOST]],
        [[batch(1, 0), batch(2, None), batch(3, 60)], [LOST]],
        [[batch(1, 0), batch(2, 3)], [LOST]],
        [[batch(1, 0)], [batch(2, 60), LOST]],
    ],
    ids=["oldest first", "no order", "same day", "a time is missing", "clocks differ", "second page"],
)
async def test_a_batch_is_found_on_a_later_page_whatever_the_order(pages):
    found = await search(Listing(*pages))
    assert (found.found, found.shortfall) == ({MARK: LOST}, "")


async def test_a_list_in_the_order_of_time_is_read_back_to_the_request():
    listing = Listing([batch(1, 0), batch(2, 3)], [batch(3, 4), batch(4, 30)], [batch(5, 31)])
    found = await search(listing)
    assert (found.found, found.reason) == ({}, "the provider lists no batch with its mark")
    assert len(listing.asked) == 2


async def test_nothing_is_asked_for_once_all_are_found():
    listing = Listing([batch(1, 0, input_file_id="file-1")], [batch(2)])
    assert list((await search(listing)).found) == [MARK]
    assert len(listing.asked) == 1


async def test_a_batch_with_our_file_and_another_mark_is_not_ours():
    assert (await search(Listing([batch(1, mark="runner-2", input_file_id="file-1")]))).found == {}


@pytest.mark.parametrize("cursor", ["the same", None], ids=["one cursor", "new cursors"])
async def test_a_server_that_gives_one_page_for_ever_is_not_asked_for_ever(cursor):
    listing = Listing([batch(1), batch(2)])
    listing.cursors = lambda _: cursor or str(len(listing.asked))
    found = await search(listing)
    assert (len(listing.asked), found.found) == (2, {})
    assert found.reason == "a page of the provider's list of batches told nothing new after 2 of them"


async def test_a_list_without_end_is_read_so_far(monkeypatch):
    monkeypatch.setattr(batch_record, "MAX_PAGES", 3)
    listing = Listing(*([batch(number)] for number in range(9)))
    found = await search(listing)
    assert len(listing.asked) == 3
    assert found.reason == "only 3 of the provider's batches were listed, and it has more"


async def test_what_was_found_before_a_page_that_fails_counts():
    class Failing(Listing):
        async def page(self, after: str | None) -> BatchPage:
            if after is not None:
                raise ServerError("no answer")
            return await super().page(after)

    found = await search(Failing([LOST], []), {MARK: None, "runner-2": None})
    assert (found.found, found.reason) == ({MARK: LOST}, "the provider's batches could not be listed: no answer")
