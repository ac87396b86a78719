"""Write the page of sweeps that lie in a storage: into it, or here as one file that holds their small media."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.artifacts.atomic import discard
from runner.artifacts.result import Artifact, own_name
from runner.errors import ConfigError
from runner.results.reading import RunGroup
from runner.results.remote import Remote
from runner.storage.checksum import digests_of
from runner.storage.uploader import reason_of

from .live_page import NAME, write_page
from .page import Embedding


class RemoteMedia:
    """Take media from a storage into the page while they fit; the others stay where they are, by their address."""

    def __init__(self, remote: Remote, embedding: Embedding, largest: int) -> None:
        """Take what decides what fits, and how many bytes the largest file may have, which else is not fetched."""
        self._remote = remote
        self._embedding = embedding
        self._largest = largest

    def take(self, sweep: Path, directory: Path, artifact: Artifact) -> str | None:
        """Return the file as an address that holds it, or its own; raises `ConfigError` if it cannot be read."""
        path = directory / artifact.path
        if not own_name(artifact.path):
            return None
        try:
            if artifact.bytes <= self._largest:
                directory.mkdir(parents=True, exist_ok=True)
                self._remote.place.get(self._remote.name(path), path)
            return self._embedding.take(sweep, directory, artifact) or self._remote.address(path)
        except FileNotFoundError:
            return self._remote.address(path)
        except Exception as error:
            raise ConfigError(f"{self._remote.address(path)} cannot be read: {reason_of(error)}") from error
        finally:
            discard(path)


def write_there(remote: Remote, sweeps: Sequence[RunGroup]) -> str:
    """Write the page beside the sweeps, and return its address; raises `ConfigError` where nothing may be written."""
    page = remote.directory / NAME
    write_page(page, sweeps)
    try:
        remote.place.put(page, NAME, digests_of(page), lambda: None)
    except Exception as error:
        reason, hint = reason_of(error), "--output FILE writes the page here, with its small media inside"
        raise ConfigError(f"{remote.place.address(NAME)} cannot be written: {reason}", hint=hint) from error
    return remote.place.address(NAME)
