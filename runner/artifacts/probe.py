"""Examine a video file: open it, its first frame and what follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import TOO_LARGE, ArtifactError, DiskError

from .completeness import MAX_DECODED, MAX_PIXELS, checked_duration, first_frame, set_up
from .picture import Thumbnail, refuse_beyond, small_copy, small_frame, write_frame, write_thumbnail

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video import VideoFrame, VideoStream
    from PIL.Image import Image

# Playlists and the like would make FFmpeg open whatever a server writes into them.
_CONTAINERS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,ogg,gif,apng,flv,asf,ivf,h264,hevc"
_TYPES = {
    "mpegts": ("video/mp2t", "ts"),
    "mpeg": ("video/mpeg", "mpg"),
    "avi": ("video/avi", "avi"),
    "ogg": ("video/ogg", "ogv"),
    "flv": ("video/x-flv", "flv"),
    "asf": ("video/x-ms-wmv", "wmv"),
    "ivf": ("video/x-ivf", "ivf"),
    "h264": ("video/h264", "h264"),
    "hevc": ("video/h265", "h265"),
    "gif": ("image/gif", "gif"),
    "apng": ("image/png", "png"),
}
"""Of containers that FFmpeg calls by one name."""
CONTAINER_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
"""What any file is opened with that is not our own."""
_MAX_SIDE = 16_384
_STREAMS = 8
"""How many are opened without decoding any of their frames."""

_STILL = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")
_TEXT = (b"<!doctype", b"<html", b"<?xml", b"{", b"#extm3u")


@dataclass(frozen=True, slots=True)
class Video:
    """Describe the facts of a video file.

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


def probe(path: Path, *, thumbnail: bool = False, thorough: bool = False, limit: int = MAX_DECODED) -> Video:
    """Read and check a video file; raises `ArtifactError` if it is anything else, cut, damaged or absurdly large.

    With `thumbnail`, one is written beside the file, once that is known to be good. `thorough` decodes all from the
    last key frame on; `limit` is in pixels to decode there. Blocks for some 5 to 40 ms, and up to a second if thorough:
    `Decoder` does it elsewhere.
    """
    import av  # 40 ms and 30 MB that a dry run need not pay

    head = _head(path)
    small: VideoFrame | Image | str | None
    try:
        if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            video, small = _examine_webp(path)
        else:
            with _opened(path) as container:
                video, small = _examine(container, path, limit, small=thumbnail, thorough=thorough)
    except (ArtifactError, DiskError):
        raise
    except av.FFmpegError as error:
        raise ArtifactError(f"the file is {_nature(path)}: {error.strerror or type(error).__name__}") from error
    except Exception as error:
        raise ArtifactError(f"the file is {_nature(path)}: {type(error).__name__}: {error}") from error
    return _with_thumbnail(video, small, path.parent) if thumbnail and small is not None else video


def _examine_webp(path: Path) -> tuple[Video, Image | None]:
    """Return what a WebP that moves is; FFmpeg does not play it everywhere."""
    from PIL import Image

    try:
        with Image.open(path, formats=("WEBP",)) as image:
            refuse_beyond(image.width, image.height)
            frames = getattr(image, "n_frames", 1)
            small, seconds = small_copy(image), 0.0
            for number in range(min(frames, MAX_DECODED // (image.width * image.height))):
                image.seek(number)
                image.load()
                seconds += image.info.get("duration", 0) / 1000
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"the picture is cut or damaged: {type(error).__name__}: {error}") from error
    if frames < 2:
        raise ArtifactError("the file is a still picture, no video")
    video = Video(
        media_type="image/webp",
        extension="webp",
        width=image.width,
        height=image.height,
        duration_seconds=round(seconds, 3),
        fps=round(frames / seconds, 3) if seconds else None,
        video_codec="webp",
        audio_codec=None,
    )
    return video, small


def _with_thumbnail(video: Video, small: VideoFrame | Image | str, directory: Path) -> Video:
    """Return the video with its frame `small` as a thumbnail, or with why there is none; it is whole without it."""
    import av

    if isinstance(small, str):
        return replace(video, no_thumbnail=small)
    try:
        if isinstance(small, av.VideoFrame):
            return replace(video, thumbnail=write_frame(small, directory))
        return replace(video, thumbnail=write_thumbnail(small, directory))
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

    if _head(path)[4:8] == b"ftyp":
        # All that is asked of an MP4 stands in its header, and the frames are decoded here: FFmpeg need not do so too.
        # Any: PyAV takes options for each stream, and its types say text
        undecoded: Any = [{"skip_frame": "all"}] * _STREAMS
        container = av.open(str(path), options={**CONTAINER_OPTIONS, "probesize": "32"}, stream_options=undecoded)
        if _describes_itself(container):
            return container
        container.close()
    return av.open(str(path), options=CONTAINER_OPTIONS)


def _describes_itself(container: InputContainer) -> bool:
    """Return whether the header says what FFmpeg would otherwise find out by decoding."""
    return all(
        _is_known(stream) and stream.width and stream.height and stream.duration and stream.average_rate
        for stream in container.streams.video[:1]
    )


def _is_known(stream: VideoStream) -> bool:
    return getattr(stream, "codec_context", None) is not None


def _examine(
    container: InputContainer, path: Path, limit: int, *, small: bool, thorough: bool
) -> tuple[Video, VideoFrame | str | None]:
    import av

    if not container.streams.video:
        raise ArtifactError("the file holds no picture")
    stream = container.streams.video[0]
    if not _is_known(stream):
        raise ArtifactError("the picture is of a kind that nothing here can decode")
    if not (0 < stream.width <= _MAX_SIDE and 0 < stream.height <= _MAX_SIDE
            and stream.width * stream.height <= MAX_PIXELS):  # fmt: skip
        raise ArtifactError(f"the picture is {stream.width}x{stream.height}, which nothing generates", code=TOO_LARGE)
    set_up(stream)
    first = first_frame(container, stream)
    if first is None:
        raise ArtifactError("the file holds no frame")
    picture = _small(first) if small else None
    shown = first.pts
    del first  # its pixels are megabytes, which the frames to come can have
    duration = checked_duration(
        container, stream, lambda: av.open(str(path), options=CONTAINER_OPTIONS), limit, shown=shown, thorough=thorough
    )
    audio = container.streams.audio
    media_type, extension = _container_type(container, path)
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


def _container_type(container: InputContainer, path: Path) -> tuple[str, str]:
    name = container.format.name
    if name in _TYPES:
        return _TYPES[name]
    if "mp4" in name:
        quicktime = container.metadata.get("major_brand", "").startswith("qt")
        return ("video/quicktime", "mov") if quicktime else ("video/mp4", "mp4")
    if "webm" in name:
        return ("video/webm", "webm") if b"webm" in _head(path) else ("video/x-matroska", "mkv")
    extension = min(container.format.extensions, default="video")
    return f"video/{extension}", extension


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _nature(path: Path) -> str:
    head = _head(path)
    start = head.lstrip().lower()
    if head.startswith(_STILL):
        return "a still picture, no video"
    return "a text or web page, no video" if start.startswith(_TEXT) else "no video, or a damaged one"
