"""Check that a video's picture is whole: look through its packets, decode its end, or play all of it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from runner.errors import TOO_LARGE, ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable

    from av import Packet
    from av.container import InputContainer
    from av.video import VideoFrame, VideoStream

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
