"""The thumbnail that a finished run gets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from runner.artifacts.result import Artifact
from runner.artifacts.thumbnail import NAME, Thumbnail, write_thumbnail

from .journal import Journal
from .threads import Threads

if TYPE_CHECKING:
    from PIL.Image import Image


async def add_thumbnail(journal: Journal, threads: Threads, image: Image) -> None:
    """Write and record `thumbnail.webp`; the run is no less complete without it."""
    try:
        # Not behind the decoding of all other files, while each image that waits holds its pixels.
        made = await threads.disk(write_thumbnail, image, journal.run.directory)
    except Exception as error:  # noqa: BLE001 - whatever Pillow meets in an odd picture: it has been checked
        record_thumbnail(journal, None, str(error))
    else:
        record_thumbnail(journal, made)


def record_thumbnail(journal: Journal, made: Thumbnail | None, problem: str | None = None) -> None:
    """Record the thumbnail that lies in the run's directory, or warn of why there is none."""
    if made is None:
        journal.warn(f"no thumbnail: {problem}")
        return
    journal.add(
        Artifact(
            path=NAME,
            bytes=len(made.content),
            sha256=hashlib.sha256(made.content).hexdigest(),
            media_type="image/webp",
            width=made.width,
            height=made.height,
        )
    )
