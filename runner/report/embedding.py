"""Files inside the page: small media as `data:` addresses, so that one file can be sent around."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from runner.artifacts.result import Artifact, Result
from runner.artifacts.thumbnail import NAME as POSTER

EACH = 4_000_000
"""Bytes of the largest file that is taken in, unless told otherwise."""

TOTAL = 60_000_000
"""Bytes of all of them together; in the page they are a third more."""

_SHOWN = re.compile(r"(image|video|audio)/[a-z0-9.+-]+")


class LeftOut(Enum):
    """Why a file stays a link."""

    LARGE = "too large for one file inside"
    CROWDED = "the files before took the room"
    MISSING = "gone, no media, or not in a run's own directory"


class Embedding:
    """Takes files in while they fit; what is too large or gone stays a link.

    Attributes:
        left_out: how many files stay links, by the reason.
    """

    def __init__(self, results: Sequence[Result], *, each: int = EACH, total: int = TOTAL) -> None:
        """Room for the posters of all `results` is kept back from the videos of the first."""
        self._each = each
        posters = sum(artifact.bytes for result in results for artifact in result.artifacts if artifact.path == POSTER)
        self._room = {True: min(total, posters), False: max(0, total - posters)}
        self.left_out: Counter[LeftOut] = Counter()

    def take(self, sweep: Path, directory: Path, artifact: Artifact) -> str | None:
        """The file of a sweep's run as an address that holds it; None if it stays where it is."""
        poster = artifact.path == POSTER
        content = self._read(own_file(directory, artifact, within=sweep), self._room[poster])
        if isinstance(content, LeftOut):
            self.left_out[content] += 1
            return None
        self._room[poster] -= len(content)
        return data_address(artifact.media_type, content)

    def _read(self, path: Path | None, room: int) -> bytes | LeftOut:
        if path is None:
            return LeftOut.MISSING
        try:
            size = path.stat().st_size
            if size > self._each:
                return LeftOut.LARGE
            return LeftOut.CROWDED if size > room else path.read_bytes()
        except OSError:
            return LeftOut.MISSING


def own_file(directory: Path, artifact: Artifact, *, within: Path | None = None) -> Path | None:
    """The media file of a run; None if it is gone, is no media, or lies elsewhere, as outside of its sweep's directory.

    A directory may come from anyone: neither its records nor a link in it take another file into a page.
    """
    if not _SHOWN.fullmatch(artifact.media_type):
        return None
    try:
        path = (directory / artifact.path).resolve()
        places = [place.resolve() for place in (directory, within or directory)]
        inside = all(path.is_relative_to(place) for place in places) and path.is_file()
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return None
    return path if inside else None


def data_address(media_type: str, content: bytes) -> str:
    """The address of a file that holds the file itself."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
