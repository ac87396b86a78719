"""The thumbnail that a finished run gets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from runner.artifacts.result import Artifact
from runner.artifacts.thumbnail import NAME, write_thumbnail
from runner.errors import DiskError

from .journal import Journal
from .threads import Threads

if TYPE_CHECKING:
    from PIL.Image import Image


async def add_thumbnail(journal: Journal, threads: Threads, image: Image) -> None:
    """Write and record `thumbnail.webp`; the run is no less complete without it."""
    try:
        # Not behind the decoding of all other files, while each frame that waits holds its pixels.
        content, width, height = await threads.disk(write_thumbnail, image, journal.run.directory)
    except (DiskError, OSError, ValueError) as error:
        journal.warn(f"no thumbnail: {error}")
        return
    journal.add(
        Artifact(
            path=NAME,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            media_type="image/webp",
            width=width,
            height=height,
        )
    )
