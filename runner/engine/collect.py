"""Collect a finished file, and pictures before it: download and check, again if need be; nothing is generated again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import RetryCallState

from runner.artifacts.atomic import discard
from runner.artifacts.download import ByteSource, Stored, decode, download, keep_text
from runner.artifacts.picture import NAME, Picture, Thumbnail, examine, write_thumbnail
from runner.artifacts.result import Artifact
from runner.config.request import ImageRequest
from runner.errors import TOO_LARGE, ArtifactError, DiskError, ProviderError, RateLimitError, UncertainError
from runner.providers.base import FORBIDDEN, OnPartial, PartialImage

from .clock import Backoff
from .endpoint import Endpoint
from .recorder import RunRecorder
from .store import StoreLostError

if TYPE_CHECKING:
    from PIL.Image import Image


T = TypeVar("T")

TRIES = 8
"""Downloads of one file, over about a minute: some servers say completed before they can deliver."""

_AGAIN = Backoff(base=0.5, cap=20, floor=0.5)

_TROUBLE = (ProviderError, ArtifactError, UncertainError)
"""What a download can meet without being lost; `ExpiredError` is none of these."""

_LEFT = (DiskError, asyncio.CancelledError)
"""After what nothing is kept: the one wants space, of the other somebody may go on at any time."""


async def collect(
    endpoint: Endpoint,
    recorder: RunRecorder,
    opened: Callable[[], AbstractAsyncContextManager[ByteSource]],
    part: Path,
    check: Callable[[Stored], Awaitable[T]],
    arrived: Callable[[Stored], Awaitable[None]] | None = None,
    tries: int = TRIES,
    unverified: Path | None = None,
) -> tuple[Stored, T]:
    """Download to `part` and `check` it, until both succeed; `arrived` is awaited between the two.

    Raises `ArtifactError` after the last try and `ExpiredError` at once. No `.part` file stays behind, unless
    nothing can be recorded any more. What came and did not pass the check stays as `unverified`, if that is given,
    until something passes.
    """
    tried = 0

    async def once() -> tuple[Stored, T]:
        nonlocal tried
        tried, whole = tried + 1, False
        try:
            stored = await _transfer(endpoint, opened, part)
            whole = True
            if arrived is not None:
                await arrived(stored)
            found = await check(stored)
        except StoreLostError:
            raise  # another process may be writing to the directory by now
        except BaseException as error:
            if unverified is not None and not isinstance(error, _LEFT) and (whole or tried >= tries):
                _set_aside(part, unverified, instead=whole)
            discard(part)
            raise
        if unverified is not None:
            discard(unverified)
        return stored, found

    def mention(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            recorder.tell(note=f"the download failed and is tried again: {state.outcome.exception()}")

    retrying = _AGAIN.tries(endpoint.clock, tries, _may_pass, mention)
    try:
        return await retrying(once)
    except _TROUBLE as error:
        raise _given_up(recorder, tried, error, unverified) from error


def _set_aside(part: Path, unverified: Path, *, instead: bool) -> None:
    """Keep what came, if anything did; `instead` of what came before."""
    with suppress(OSError):
        if part.stat().st_size and (instead or not unverified.exists()):
            part.replace(unverified)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, _TROUBLE) and error.code not in (TOO_LARGE, FORBIDDEN)


async def _transfer(
    endpoint: Endpoint, opened: Callable[[], AbstractAsyncContextManager[ByteSource]], part: Path
) -> Stored:
    async with endpoint.transfer():
        sent_at = endpoint.clock.elapsed()
        try:
            async with opened() as content:
                stored = await download(content, part, min_bytes_per_second=endpoint.config.min_bytes_per_second)
        except RateLimitError as error:
            endpoint.refused(error, sent_at, paid=False)
            raise
    endpoint.limits.reads.accepted(sent_at)
    return stored


def _given_up(recorder: RunRecorder, tries: int, error: Exception, unverified: Path | None) -> ArtifactError:
    job_id = recorder.result.job_id
    what = f"the file of job {job_id}" if job_id else "the file"
    times = "once" if tries == 1 else f"{tries} times"
    hint = "it is paid and stays at the provider until it expires; only the download has to be repeated"
    where = ""
    if unverified is not None and unverified.exists():
        where = f"; what came is kept as {unverified.name}"
        hint = f"{hint}: resume looks at {unverified.name} again, and then downloads again"
    return ArtifactError(
        f"{what} could not be collected, tried {times}: {error}{where}",
        hint=hint,
        code=getattr(error, "code", None),
        job_id=job_id,
    )


_ROUNDED = 16
"""Models make sides of whole blocks of so many pixels."""
_SECONDS, _PART = 0.5, 0.1
"""A length may differ by the larger of seconds and the part of what was asked for: containers and models round."""
_RATIO = 0.03
_FORMATS = {"jpg": "jpeg", "tif": "tiff"}


def warn_of_mismatch(recorder: RunRecorder, artifact: Artifact) -> None:
    """Warn where a file's size, length, shape or format is another than the request said; `auto` says nothing."""
    sent = recorder.result.request_sent
    pairs = [*_sizes(recorder, sent, artifact), *_formats(sent, artifact), *_lengths(sent, artifact)]
    if any(differs for _, _, differs in pairs):
        asked, got = " ".join(pair[0] for pair in pairs), " ".join(pair[1] for pair in pairs)
        recorder.warn(f"asked for {asked}, got {got}{_excuse(sent, artifact)}")


_Pair = tuple[str, str, bool]
"""What was asked for, what came, and whether that is a difference."""


def _sizes(recorder: RunRecorder, sent: Mapping[str, Any], artifact: Artifact) -> list[_Pair]:  # Any: JSON
    if not artifact.width or not artifact.height:
        return []
    got = f"{artifact.width}x{artifact.height}"
    if (asked := _asked_size(sent)) is not None:
        return [(f"{asked[0]}x{asked[1]}", got, asked != (artifact.width, artifact.height))]
    ratio = _numbers(str(sent.get("aspect_ratio") or recorder.run.config.request.aspect_ratio or ""), ":")
    if ratio is None or sent.get("size") is not None:
        return []
    wrong = abs(artifact.width * ratio[1] / (artifact.height * ratio[0]) - 1) > _RATIO
    return [(f"{ratio[0]}:{ratio[1]}", got, wrong)]


def _asked_size(sent: Mapping[str, Any]) -> tuple[int, int] | None:  # Any: JSON
    sides = (sent.get("width"), sent.get("height"))
    if all(isinstance(side, int) for side in sides):
        return int(sides[0] or 0), int(sides[1] or 0)
    return _numbers(str(sent.get("size") or ""), "x")


def _numbers(text: str, between: str) -> tuple[int, int] | None:
    first, found, second = text.partition(between)
    if not (found and first.isdecimal() and second.isdecimal() and int(first) and int(second)):
        return None
    return int(first), int(second)


def _formats(sent: Mapping[str, Any], artifact: Artifact) -> list[_Pair]:  # Any: JSON
    asked = sent.get("output_format")
    if not isinstance(asked, str):
        return []
    extension = artifact.path.rpartition(".")[2]
    got = _FORMATS.get(extension, extension)
    return [(asked, got, _FORMATS.get(asked.lower(), asked.lower()) != got)]


def _lengths(sent: Mapping[str, Any], artifact: Artifact) -> list[_Pair]:  # Any: JSON
    """Return the length where it is asked for as a whole: an extension has its source's, too."""
    try:
        asked = float(sent["seconds"] if "seconds" in sent else sent["duration"])
    except (KeyError, TypeError, ValueError):
        return []
    got = artifact.duration_seconds
    if got is None or "num_frames" in sent or sent.get("operation") == "extend":
        return []
    return [(f"of {asked:g} s", f"of {got:g} s", abs(got - asked) > max(_SECONDS, _PART * asked))]


def _excuse(sent: Mapping[str, Any], artifact: Artifact) -> str:  # Any: JSON
    asked = _asked_size(sent)
    got = (artifact.width or 0, artifact.height or 0)
    if asked is None or asked == got or any(abs(a - b) >= _ROUNDED for a, b in zip(asked, got, strict=True)):
        return ""
    return f" (the size is rounded: each side differs by less than {_ROUNDED} pixels)"


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
