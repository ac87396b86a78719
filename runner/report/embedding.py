"""Files inside the page: small media as `data:` addresses, so that one file can be sent around."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from runner.artifacts.result import Artifact, Result
from runner.artifacts.thumbnail import NAME as POSTER

EACH = 4_000_000
"""Bytes of the largest file that is taken in, unless told otherwise."""

TOTAL = 60_000_000
"""Bytes of all of them together; in the page they are a third more."""

_SHOWN = re.compile(r"(image|video|audio)/[a-z0-9.+-]+")


class Embedding:
    """Takes files in while they fit; what is too large or gone stays a link."""

    def __init__(self, results: Sequence[Result], *, each: int = EACH, total: int = TOTAL) -> None:
        """Room for the posters of all `results` is kept back from the videos of the first."""
        self._each = each
        posters = sum(artifact.bytes for result in results for artifact in result.artifacts if artifact.path == POSTER)
        self._room = {True: min(total, posters), False: max(0, total - posters)}
        self.left_out = 0
        """How many files stay links."""

    def take(self, directory: Path, artifact: Artifact) -> str | None:
        """The file as an address that holds it; None if it stays where it is."""
        room = self._room[artifact.path == POSTER]
        content = self._read(directory, artifact, min(room, self._each))
        if content is None:
            self.left_out += 1
            return None
        self._room[artifact.path == POSTER] = room - len(content)
        return f"data:{artifact.media_type};base64,{base64.b64encode(content).decode('ascii')}"

    def _read(self, directory: Path, artifact: Artifact, most: int) -> bytes | None:
        path = PurePath(artifact.path)
        # A directory may come from anyone: its result.json names no file elsewhere, and nothing that is no media.
        if path.is_absolute() or ".." in path.parts or not _SHOWN.fullmatch(artifact.media_type):
            return None
        try:
            if (directory / path).stat().st_size > most:
                return None
            return (directory / path).read_bytes()
        except OSError:
            return None
