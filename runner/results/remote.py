"""Read sweeps from a storage as if they lay here; their media are fetched when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.errors import ConfigError
from runner.storage.place import Place
from runner.storage.records import fetch_records

from .reading import RunGroup, sweep_at, sweeps_of


@dataclass(frozen=True, slots=True)
class Remote:
    """Hold what was found below an address.

    Attributes:
        place: the address.
        directory: where the records are as long as they are read, by the paths that they have there.
    """

    place: Place
    directory: Path

    def sweeps(self) -> list[RunGroup]:
        """Return all sweeps; raises `ConfigError` where one cannot be read."""
        with self._by_address():
            found = sweeps_of([self.directory])
            for error in found.unreadable:
                raise error
        return [self._there(each) for each in found.sweeps]

    def sweep(self) -> RunGroup:
        """Return the one sweep or run that the address is; raises `ConfigError`."""
        with self._by_address():
            return self._there(sweep_at(self.directory))

    def name(self, path: Path) -> str:
        """Return what a file or directory here is called there, from the address."""
        below = path.absolute().relative_to(self.directory.absolute()).as_posix()
        return "" if below == "." else below

    def address(self, path: Path) -> str:
        """Return the whole address of a file or directory here."""
        return self.place.below(self.name(path)).url

    def _there(self, group: RunGroup) -> RunGroup:
        return replace(group, url=self.address(group.directory))

    @contextmanager
    def _by_address(self) -> Iterator[None]:
        try:
            yield
        except ConfigError as error:
            text = error.message.replace(str(self.directory), self.place.url)
            raise ConfigError(text, hint="the address of a sweep, as its end has named it") from error


@contextmanager
def remote(url: str) -> Iterator[Remote]:
    """Fetch what tells of the sweeps at or below an address, as long as the block lasts; raises `ConfigError`."""
    with TemporaryDirectory(prefix="runner-") as folder:
        # Called as it is there: notes and judgements know runs by that.
        directory = Path(folder) / (url.rstrip("/").rpartition("/")[2] or "storage")
        directory.mkdir()
        yield Remote(fetch_records(url, directory), directory)
