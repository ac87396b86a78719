"""Say what of a sweep lies in a storage, and what does not, by its ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.artifacts.result import Result
from runner.config.problem import ranges
from runner.ledger.discover import NAME as LEDGER
from runner.ledger.ledger import Ledger
from runner.ledger.uploads import SWEEP, Uploads, places_of

from .upload import is_uploaded


class Stored(NamedTuple):
    """Describe what lies in a place.

    Attributes:
        place: its address.
        there: how many runs that have ended are there.
        left: the numbers of those that are not.
        whole: whether the page, the tables and the ledger are there as they are here.
    """

    place: str
    there: int
    left: tuple[int, ...]
    whole: bool = True

    @property
    def complete(self) -> bool:
        """Return whether nothing is left to upload."""
        return self.whole and not self.left

    @property
    def text(self) -> str:
        """Return it in one line."""
        count = f"{self.there:,} run{'s' * (self.there != 1)}"
        if not self.left:
            return f"uploaded: {count} to {self.place}"
        which = self._replace(whole=True).missing
        return f"uploaded: {self.there:,} of {self.there + len(self.left):,} runs to {self.place}; not {which}"

    @property
    def missing(self) -> str:
        """Return what is left to upload, as in `runs 3–5, page, tables and ledger`; empty where nothing is."""
        runs = [f"run{'s' * (len(self.left) > 1)} {ranges(self.left)}"] if self.left else []
        return ", ".join([*runs, *([] if self.whole else ["page, tables and ledger"])])


def stored_in(uploads: Uploads, results: Sequence[Result]) -> Stored:
    """Return what lies in the place of these uploads."""
    ended = [result for result in results if not result.status.unfinished]
    left = [result.index for result in ended if not is_uploaded(result, uploads.of(result.index))]
    return Stored(uploads.place, len(ended) - len(left), tuple(left), LEDGER in uploads.of(SWEEP))


def stored_of(ledger: Ledger, results: Sequence[Result]) -> Stored | None:
    """Return what lies in the place that a ledger's runs were last uploaded to; None if they never were."""
    places = [*places_of(ledger).values()]
    return stored_in(Uploads(ledger, places[-1]), results) if places else None
