"""Keep in the ledger which files lie in a storage, each compared there with what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from .discover import NAME, STORAGE
from .ledger import Ledger, LedgerError

SWEEP = -1
"""Stands for a run's number where files are the sweep's own."""

_TABLE = """
CREATE TABLE IF NOT EXISTS uploads (
    place TEXT NOT NULL, run INTEGER NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL, changed INTEGER NOT NULL,
    sha256 TEXT NOT NULL, PRIMARY KEY (place, run, name))"""
"""Earlier versions do not have it, and ignore it."""
_THERE = "SELECT 1 FROM sqlite_master WHERE name = 'uploads'"
_KEEP = "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?)"
_OUTDATED = "DELETE FROM uploads WHERE place = ? AND run = ? AND name = ?"
_OF_RUN = "SELECT name, bytes, sha256 FROM uploads WHERE place = ? AND run = ?"
_KNOWN = "SELECT place, run, name, bytes, changed, sha256 FROM uploads"


class Uploaded(NamedTuple):
    """Describe a file that lies in a storage and was compared with the one here.

    Attributes:
        name: relative to its run's directory, or to the sweep's.
        bytes: its size.
        changed: when the file here was last changed as it was sent, in nanoseconds of its disk's clock.
        sha256: hexadecimal.
    """

    name: str
    bytes: int
    changed: int
    sha256: str


class Uploads:
    """Keep what of a ledger's runs lies in one place; each change is on disk when the call returns."""

    def __init__(self, ledger: Ledger, place: str) -> None:
        """Read what is known of the place; raises `LedgerError`."""
        self._ledger = ledger
        self.place = place
        self.seen: set[int] = set()
        """Runs whose files were all looked at in the place meanwhile."""
        self._known: dict[int, dict[str, Uploaded]] = {}
        for where, run, each in _all(ledger):
            if where == place:
                self._known.setdefault(run, {})[each.name] = each

    def of(self, run: int) -> dict[str, Uploaded]:
        """Return what lies there of a run, by name."""
        return self._known.get(run, {})

    def keep(self, run: int, files: Iterable[Uploaded]) -> None:
        """Record files that were compared; a copy of the ledger that lies there is then out of date.

        Raises `DiskError`.
        """
        files = [*files]
        with self._ledger.changing() as db:
            db.execute(_TABLE)
            db.execute(_OUTDATED, (self.place, SWEEP, NAME))
            db.executemany(_KEEP, [(self.place, run, *each) for each in files])
        self._known.get(SWEEP, {}).pop(NAME, None)
        self._known[run] = {**self.of(run), **{each.name: each for each in files}}

    def forget(self, run: int, names: Iterable[str]) -> None:
        """Take files for not uploaded, as they are not there any more; raises `DiskError`."""
        names = [name for name in names if name in self.of(run)]
        if names:
            with self._ledger.changing() as db:
                db.executemany(_OUTDATED, [(self.place, run, name) for name in names])
            self._known[run] = {name: each for name, each in self.of(run).items() if name not in names}

    def forget_all(self) -> None:
        """Take nothing for uploaded any more; raises `DiskError`."""
        for run in [*self._known]:
            self.forget(run, [*self.of(run)])


def _all(ledger: Ledger) -> Iterator[tuple[str, int, Uploaded]]:
    rows = ledger.ask(_KNOWN) if ledger.ask(_THERE) else []
    for place, run, *file in rows:
        yield str(place), int(run), Uploaded(*file)


def places_with(ledger: Ledger, run: int, sums: Mapping[str, str]) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the places to which all files of a run with these names and sums were uploaded, the latest first.

    With each come the sizes of the files, by their names. Raises `LedgerError`.
    """
    if not ledger.ask(_THERE):
        return
    for place in [*dict.fromkeys(places_of(ledger).values())][::-1]:
        rows = ledger.ask(_OF_RUN, place, run)
        sizes = {str(name): int(size) for name, size, sha256 in rows if sums.get(name) == sha256}
        if sizes.keys() == sums.keys():
            yield place, sizes


def places_of(ledger: Ledger) -> dict[str, str]:
    """Return the places of a ledger's uploads by what `storage.url` was, the latest last; raises `LedgerError`."""
    told = ledger.known_facts().get(STORAGE, {})
    if not isinstance(told, dict):
        raise LedgerError(f"{ledger.directory} does not tell readably of its uploads")
    return {str(url): str(place) for url, place in told.items()}


def keep_place(ledger: Ledger, url: str, place: str) -> None:
    """Keep where the runs lie that were to be uploaded to `url`."""
    with ledger.facts() as facts:
        others = {key: value for key, value in facts.get(STORAGE, {}).items() if key != url}
        facts[STORAGE] = {**others, url: place}
