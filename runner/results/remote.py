"""Read sweeps from a storage as if they lay here; their media are fetched when they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.artifacts.result import Artifact
from runner.errors import ConfigError
from runner.storage.place import Place, reach
from runner.storage.records import fetch_records
from runner.storage.uploader import reason_of

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


def download(url: str, directory: Path, artifacts: list[Artifact]) -> None:
    """Fetch files of a run from its address to a directory here, unless they are there; raises `ConfigError`."""
    lacking = [each for each in artifacts if not _is_here(directory / each.path, each)]
    if not lacking:
        return
    directory.mkdir(parents=True, exist_ok=True)
    try:
        place = reach(url)
        for each in lacking:
            part = directory / f"{each.path}.part"
            place.get(each.path, part)
            if _is_here(part, each):
                part.replace(directory / each.path)
    except Exception as error:
        raise ConfigError(f"{url} cannot be read: {reason_of(error)}") from error
    for each in lacking:
        if not (directory / each.path).is_file():
            raise ConfigError(f"{url}/{each.path} is not the file that its run has made")


def _is_here(path: Path, artifact: Artifact) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256
    except OSError:
        return False
