"""Know the sweeps and runs that are served, each by a name that stands in addresses."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.results.reading import sweep_places


@dataclass(frozen=True, slots=True)
class Entry:
    """Name a sweep's directory, or a run's that is of none; the name is the same in every process."""

    name: str
    directory: Path


class Catalogue:
    """Find the sweeps at or below directories; new ones are found while others are looked at."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = directories
        self._known: dict[str, Entry] = {}

    def entries(self) -> list[Entry]:
        """Return all that are there now."""
        found = [_entry(place) for directory in self.directories for place in sweep_places(directory)]
        self._known = {each.name: each for each in found}
        return [*self._known.values()]

    def find(self, name: str) -> Entry | None:
        """Return the one of this name, if there is one."""
        if name not in self._known:
            self.entries()
        return self._known.get(name)


def _entry(directory: Path) -> Entry:
    return Entry(hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:12], directory)
