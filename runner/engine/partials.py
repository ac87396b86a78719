"""Keep and show pictures before the finished one: partial images as they come, and thumbnails."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifacts.atomic import discard
from runner.artifacts.download import Stored, decode, keep_text
from runner.artifacts.picture import NAME, Picture, Thumbnail, examine, write_thumbnail
from runner.artifacts.result import Artifact
from runner.config.request import ImageRequest
from runner.errors import ArtifactError, DiskError
from runner.providers.base import OnPartial, PartialImage

from .recorder import RunRecorder

if TYPE_CHECKING:
    from PIL.Image import Image


def on_partial(recorder: RunRecorder) -> OnPartial:
    """Return what writes each partial image as `partial-N.png` (by its content) and tells of it.

    They stay beside the finished image: each was asked for and paid. One that cannot be kept is warned of, as the
    image that is awaited matters more.
    """
    request = recorder.run.config.request
    expected = (request.partial_images or 0) if isinstance(request, ImageRequest) else 0

    async def keep(partial: PartialImage) -> None:
        part = recorder.run.directory / f"partial-{partial.index}.part"
        try:
            artifact = await recorder.threads.media(_write, partial.b64, part)
        except DiskError as error:
            discard(part)
            recorder.warn(f"partial image {partial.index}: {error}")
            return
        except ArtifactError as error:
            kept = part.with_suffix(".unverified")
            with suppress(OSError):
                part.replace(kept)
            recorder.warn(f"partial image {partial.index}: {error}; what came is kept as {kept.name}")
            return
        # The finished image is the last step.
        recorder.sketched(artifact, 100 * (partial.index + 1) / (max(expected, partial.index + 1) + 1))

    return keep


def _write(b64: str, part: Path) -> Artifact:
    try:
        stored = decode(b64, part)
    except ArtifactError:
        keep_text(b64, part)
        raise
    picture = examine(part)
    final = part.with_suffix(f".{picture.extension}")
    part.replace(final)
    return image_artifact(final.name, stored, picture)


def image_artifact(name: str, stored: Stored, picture: Picture, revised_prompt: str | None = None) -> Artifact:
    """Return the record of an image file."""
    return Artifact.made(
        path=name,
        bytes=stored.bytes,
        sha256=stored.sha256,
        media_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        revised_prompt=revised_prompt,
    )


async def add_thumbnail(recorder: RunRecorder, image: Image) -> None:
    """Write and record `thumbnail.webp`; the run is no less complete without it."""
    try:
        # Not behind the decoding of all other files, while each image that waits holds its pixels.
        made = await recorder.threads.disk(write_thumbnail, image, recorder.run.directory)
    except Exception as error:  # noqa: BLE001 - whatever Pillow meets in an odd picture: it has been checked
        record_thumbnail(recorder, None, str(error))
    else:
        record_thumbnail(recorder, made)


def record_thumbnail(recorder: RunRecorder, made: Thumbnail | None, problem: str | None = None) -> None:
    """Record the thumbnail that lies in the run's directory, or warn of why there is none."""
    if made is None:
        recorder.warn(f"no thumbnail: {problem}")
        return
    recorder.add(
        Artifact.made(
            path=NAME,
            bytes=len(made.content),
            sha256=hashlib.sha256(made.content).hexdigest(),
            media_type="image/webp",
            width=made.width,
            height=made.height,
        )
    )
