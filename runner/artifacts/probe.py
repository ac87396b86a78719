"""Examine a video file: open it, its first frame and its packets, decode its end, or play all of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import TOO_LARGE, ArtifactError, DiskError

from .picture import Thumbnail, refuse_beyond, small_copy, small_frame, write_frame, write_thumbnail

if TYPE_CHECKING:
    from collections.abc import Callable

    from av import Packet
    from av.container import InputContainer
    from av.video import VideoFrame, VideoStream
    from PIL.Image import Image


MAX_PIXELS = 8192 * 8192
"""Of one frame."""

MAX_DECODED = 10**11
"""Pixels decoded to look at the end: a minute of 8K video behind its last key frame, and half a minute of work."""

_MAX_SECONDS = 24 * 3600
_TAIL = Fraction(1, 10)
"""Seconds by which the last frame may end before the container says it does."""

_PLACE_OF_LENGTH = {"h264": 4, "hevc": 21}
"""Where the codec's header says how many bytes the length before each unit of a packet has, if it begins with a 1."""


def set_up(stream: VideoStream) -> None:
    """Bound what decoding may take."""
    # The decoder's own limit, too: a stream may change its size on the way.
    # Smoothing the borders of blocks takes a tenth of the time, shows at no thumbnail's size, and finds no damage.
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS), "skip_loop_filter": "all"}
    # The pool of threads that calls this is the parallelism; FFmpeg's own threads cost more to start than they save.
    stream.codec_context.thread_count = 1


def first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    """Return the first frame, decoded from its own packet alone where it is a key frame, as it nearly always is."""
    for packet in container.demux(stream):
        if (frame := _frame_of(packet, stream)) is not None:
            return frame
        break
    container.seek(stream.start_time or 0, stream=stream, backward=True)
    return next(container.decode(stream), None)


def _frame_of(packet: Packet[VideoStream], stream: VideoStream) -> VideoFrame | None:
    """Return the frame of a key frame's packet, without waiting for those that the decoder would show before it."""
    if not packet.is_keyframe or packet.size == 0:
        return None
    frames = [*stream.codec_context.decode(packet), *stream.codec_context.decode(None)]
    stream.codec_context.flush_buffers()
    return frames[0] if frames else None


def checked_duration(
    container: InputContainer,
    stream: VideoStream,
    reopened: Callable[[], InputContainer],
    limit: int,
    *,
    shown: int | None,
    thorough: bool,
) -> Fraction:
    """Return how long the picture is, in seconds; raises `ArtifactError` where the file is cut or damaged.

    The first frame was decoded before, and is shown at `shown`, in the stream's units. Of H.264 and H.265, whose
    packets consist of units with lengths that must add up, all packets are looked through, and the last key frame is
    decoded, too. Of other codecs, and with `thorough`, all is decoded from the last key frame on. Where a doubt is
    left, everything is played.
    """
    own = stream.duration is not None and stream.time_base is not None
    told = _told(container, stream)
    if told is not None and not 0 <= told <= _MAX_SECONDS:
        raise ArtifactError(f"the file claims to be {float(told):,.0f} seconds long, which nothing generates",
                            code=TOO_LARGE)  # fmt: skip
    frame_time = 1 / stream.average_rate if stream.average_rate else Fraction(1, 24)
    if told is not None:
        end = _end_of_picture(container, stream, told, limit, shown=shown, thorough=thorough)
        if end is not None and end >= told - frame_time - _TAIL:
            return told
    # Some files give no length, some cannot be searched, and some count their sound.
    with reopened() as again:
        picture, everything = _played(again, limit)
    reached = picture if own else max(picture, everything)
    if told is not None and reached < told - frame_time - _TAIL:
        raise ArtifactError(f"the file is cut: its picture ends at {float(picture):.2f} of {float(told):.2f} seconds")
    return picture


def _told(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    return None if container.duration is None else Fraction(container.duration, 1_000_000)


def _end_of_picture(
    container: InputContainer, stream: VideoStream, told: Fraction, limit: int, *, shown: int | None, thorough: bool
) -> Fraction | None:
    """Return where the picture ends, in seconds; None if something on the way looks damaged."""
    if length_bytes := _length_bytes(stream):
        end = _end_of_packets(container, stream, length_bytes, shown)
        if end is None or not thorough:
            return end
    return _decoded_end(container, stream, told, limit)


def _end_of_packets(
    container: InputContainer, stream: VideoStream, length_bytes: int, shown: int | None
) -> Fraction | None:
    """Return where the picture ends by its packets, in seconds; None if one of them, or the last key frame, is damaged.

    Decoders conceal most damage. Lengths that do not add up show what is missing, overwritten or moved.
    """
    base, start, end = stream.time_base or Fraction(1, 1_000_000), stream.start_time or 0, 0
    last_key: Packet[VideoStream] | None = None
    for packet in container.demux(stream):
        if packet.size == 0:
            continue  # the end
        if packet.is_corrupt or packet.pts is None or not _adds_up(memoryview(packet), length_bytes):
            return None
        end = max(end, packet.pts - start + (packet.duration or 0))
        last_key = packet if packet.is_keyframe else last_key
    # Where there is one key frame, as often in a few seconds, it was decoded for the first frame.
    if last_key is not None and last_key.pts != shown and _frame_of(last_key, stream) is None:
        return None
    return end * base


def _length_bytes(stream: VideoStream) -> int:
    """Return how many bytes the length before each unit of a packet has; 0 where units have none."""
    header, place = stream.codec_context.extradata or b"", _PLACE_OF_LENGTH.get(stream.codec_context.name, 0)
    return (header[place] & 3) + 1 if place and header[:1] == b"\1" and len(header) > place else 0


def _adds_up(content: memoryview, length_bytes: int) -> bool:
    place = 0
    while place < len(content):
        length = int.from_bytes(content[place : place + length_bytes], "big")
        if length == 0:
            return False
        place += length_bytes + length
    return place == len(content)


def _decoded_end(container: InputContainer, stream: VideoStream, duration: Fraction, limit: int) -> Fraction:
    """Return where the picture ends, in seconds, decoded from the last key frame on: a cut file ends early."""
    base = stream.time_base or Fraction(1, 1_000_000)
    start = stream.start_time or 0
    container.seek(start + int(duration / base), stream=stream, backward=True)
    end, budget = 0, _PixelBudget(limit)
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise ArtifactError("the file is cut or damaged: its last packets are incomplete")
        for frame in packet.decode():
            budget.take(frame)
            if frame.pts is not None:
                end = max(end, frame.pts - start + (frame.duration or 0))
    return end * base


def _played(container: InputContainer, limit: int) -> tuple[Fraction, Fraction]:
    """Return how many seconds the picture lasts, and the longest stream, from first frame to last packet."""
    stream = container.streams.video[0]
    set_up(stream)
    begin: Fraction | None = None
    end = everything = Fraction(0)
    frames, budget = 0, _PixelBudget(limit)
    for packet in container.demux():
        if packet.is_corrupt:
            raise ArtifactError("the file is cut or damaged: packets in it are incomplete")
        if packet.pts is not None:
            everything = max(everything, (packet.pts + (packet.duration or 0)) * packet.time_base)
        for frame in stream.decode(packet) if packet.stream is stream else ():
            budget.take(frame)
            frames += 1
            if frame.pts is not None and frame.time_base is not None:
                shown = frame.pts * frame.time_base
                begin = shown if begin is None else min(begin, shown)
                end = max(end, shown + (frame.duration or 0) * frame.time_base)
    if begin is not None and end > begin:
        return end - begin, everything - begin
    length = frames / (stream.average_rate or Fraction(24))
    return length, max(length, everything)


class _PixelBudget:
    """Count the pixels that are decoded."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, frame: VideoFrame) -> None:
        """Count a frame; raises `ArtifactError` where that is more than anything that is generated takes."""
        self._left -= frame.width * frame.height
        if self._left < 0:
            raise ArtifactError("the file takes more decoding than anything that is generated", code=TOO_LARGE)


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
