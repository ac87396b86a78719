"""What a video file really is: opened, its first and last frame decoded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ArtifactError, DiskError

from .limits import TOO_LARGE
from .thumbnail import Thumbnail, small_frame, write_frame

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video import VideoFrame, VideoStream

# Playlists and the like would make FFmpeg open whatever a server writes into them.
_CONTAINERS = "mov,mp4,matroska,webm,avi,mpegts,ogg,gif,flv"
_MAX_PIXELS = 8192 * 8192
_MAX_SIDE = 16_384
_MAX_SECONDS = 24 * 3600
MAX_DECODED = 10**11
"""Pixels decoded to look at the end: a minute of 8K video behind its last key frame, and half a minute of work."""

_TAIL = Fraction(1, 10)
"""Seconds by which the last frame may end before the container says it does."""

_TEXT = (b"<!doctype", b"<html", b"<?xml", b"{", b"#extm3u")


@dataclass(frozen=True, slots=True)
class Video:
    """The facts of a video file.

    Attributes:
        extension: the name's ending that fits the container, without the dot.
        duration_seconds: the picture's, not the sound's.
        thumbnail: of its first frame, if one was asked for.
        no_thumbnail: why there is none although it was asked for.
    """

    media_type: str
    extension: str
    width: int
    height: int
    duration_seconds: float
    fps: float | None
    video_codec: str
    audio_codec: str | None
    thumbnail: Thumbnail | None = None
    no_thumbnail: str | None = None


def probe(path: Path, *, thumbnail: bool = False, limit: int = MAX_DECODED) -> Video:
    """Read and check a video file; raises `ArtifactError` if it is anything else, cut, damaged or absurdly large.

    With `thumbnail`, one is written beside the file, once that is known to be good; `limit` is in pixels to decode
    behind the last key frame. Blocks for some 10 to 300 ms of decoding: `Decoder` does it elsewhere.
    """
    import av  # 40 ms and 30 MB that a dry run need not pay

    try:
        with _opened(path) as container:
            video, small = _examine(container, limit, small=thumbnail)
    except (av.FFmpegError, ValueError, OverflowError) as error:
        raise ArtifactError(f"the file is {_nature(path)}: {error}") from error
    return video if small is None else _with_thumbnail(video, small, path.parent)


def _with_thumbnail(video: Video, small: VideoFrame | str, directory: Path) -> Video:
    """The video is no less whole without one; a text says why there is no frame for it."""
    import av

    if isinstance(small, str):
        return replace(video, no_thumbnail=small)
    try:
        return replace(video, thumbnail=write_frame(small, directory))
    except (av.FFmpegError, DiskError, OSError, ValueError) as error:
        return replace(video, no_thumbnail=str(error))


def _small(frame: VideoFrame) -> VideoFrame | str:
    import av

    try:
        return small_frame(frame)
    except (av.FFmpegError, ValueError) as error:
        return str(error)


def _opened(path: Path) -> InputContainer:
    import av

    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    if _is_mp4(path):
        # All that is asked of an MP4 stands in its header, and the frames are decoded here: FFmpeg need not do so too.
        container = av.open(str(path), options={**options, "probesize": "32"})
        if _describes_itself(container):
            return container
        container.close()
    return av.open(str(path), options=options)


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _describes_itself(container: InputContainer) -> bool:
    """Whether the header says what FFmpeg would otherwise find out by decoding."""
    return all(
        _is_known(stream) and stream.width and stream.height and stream.duration and stream.average_rate
        for stream in container.streams.video[:1]
    )


def _is_known(stream: VideoStream) -> bool:
    return getattr(stream, "codec_context", None) is not None


def _examine(container: InputContainer, limit: int, *, small: bool) -> tuple[Video, VideoFrame | str | None]:
    if not container.streams.video:
        raise ArtifactError("the file holds no picture")
    stream = container.streams.video[0]
    if not _is_known(stream):
        raise ArtifactError("the picture is of a kind that nothing here can decode")
    _check_size(stream.width, stream.height)
    # The decoder's own limit, too: a stream may change its size on the way.
    stream.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
    # The pool of threads that calls this is the parallelism; FFmpeg's own threads cost more to start than they save.
    stream.codec_context.thread_count = 1
    first = next(container.decode(stream), None)
    if first is None:
        raise ArtifactError("the file holds no frame")
    picture = _small(first) if small else None
    del first  # its pixels are megabytes, which the frames to come can have
    duration = _duration(container, stream)
    _check_end(container, stream, duration, limit)
    audio = container.streams.audio
    media_type, extension = _container_type(container)
    video = Video(
        media_type=media_type,
        extension=extension,
        width=stream.width,
        height=stream.height,
        duration_seconds=round(float(duration), 3),
        fps=round(float(stream.average_rate), 3) if stream.average_rate else None,
        video_codec=stream.codec_context.codec.canonical_name,
        audio_codec=audio[0].codec_context.codec.canonical_name if audio else None,
    )
    return video, picture


def _check_size(width: int, height: int) -> None:
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE and width * height <= _MAX_PIXELS):
        raise ArtifactError(f"the picture is {width}x{height}, which nothing generates", code=TOO_LARGE)


def _duration(container: InputContainer, stream: VideoStream) -> Fraction:
    duration = _told(container, stream)
    if not 0 <= duration <= _MAX_SECONDS:
        raise ArtifactError(f"the file claims to be {float(duration):,.0f} seconds long, which nothing generates",
                            code=TOO_LARGE)  # fmt: skip
    return duration


def _told(container: InputContainer, stream: VideoStream) -> Fraction:
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    if container.duration is not None:
        return Fraction(container.duration, 1_000_000)
    raise ArtifactError("the file does not say how long it is")


def _check_end(container: InputContainer, stream: VideoStream, duration: Fraction, limit: int) -> None:
    """Decode from the last key frame on; a file cut anywhere cannot come to its end."""
    base = stream.time_base or Fraction(1, 1_000_000)
    start = stream.start_time or 0
    container.seek(start + int(duration / base), stream=stream, backward=True)
    end, decoded = None, 0
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise ArtifactError("the file is cut or damaged: its last packets are incomplete")
        for frame in packet.decode():
            decoded += frame.width * frame.height
            if decoded > limit:
                raise ArtifactError("the file takes more decoding than anything that is generated", code=TOO_LARGE)
            if frame.pts is not None:
                end = max(end or 0, frame.pts - start + (frame.duration or 0))
    frame_time = 1 / stream.average_rate if stream.average_rate else Fraction(1, 24)
    if end is None or end * base < duration - frame_time - _TAIL:
        reached = float(end * base) if end else 0
        raise ArtifactError(f"the file is cut: its picture ends at {reached:.2f} of {float(duration):.2f} seconds")


def _container_type(container: InputContainer) -> tuple[str, str]:
    name = container.format.name
    if "mp4" in name:
        quicktime = container.metadata.get("major_brand", "").startswith("qt")
        return ("video/quicktime", "mov") if quicktime else ("video/mp4", "mp4")
    if "webm" in name:
        return "video/webm", "webm"
    extension = min(container.format.extensions, default="video")
    return f"video/{extension}", extension


def _nature(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    return "a text or web page, no video" if start.startswith(_TEXT) else "no video, or a damaged one"
