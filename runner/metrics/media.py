"""Decode a file once, for all metrics that want to see or hear it; raises `ArtifactError` where it cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import numpy as np

from runner.artifacts.picture import quiet, refuse_beyond
from runner.artifacts.probe import CONTAINER_OPTIONS
from runner.errors import ArtifactError

from .frame import EXAMINED_A_SECOND, DecodedFrame, DecodedImage, Frame, small_size
from .metric import Metric, Subject
from .videos import BLOCK, RATE, Sound

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream
    from PIL.Image import Image

AnyPacket: TypeAlias = "av.Packet[Any]"
"""Any: of either stream."""

Failed = Callable[[Metric, Exception], None]
"""Told of a metric that raised; it hears and sees no more."""


def play(subject: Subject, metrics: Sequence[Metric], failed: Failed) -> None:
    """Show and play the file to the metrics, each frame and tenth of a second once."""
    watching = [each for each in metrics if type(each).see is not Metric.see]
    listening = [each for each in metrics if type(each).hear is not Metric.hear]
    if not subject.is_video:
        _show(Frame(DecodedImage(opened_image(subject.path))), watching, failed)
    elif watching or listening:
        with opened_video(subject.path) as container:
            _play(container, watching, listening, failed)


def _play(container: InputContainer, watching: list[Metric], listening: list[Metric], failed: Failed) -> None:
    pictures = container.streams.video[0] if watching and container.streams.video else None
    sounds = container.streams.audio[0] if listening and container.streams.audio else None
    streams = [stream for stream in (pictures, sounds) if stream is not None]
    if not streams:
        return
    shown, heard = _Pictures(pictures), _Sounds(sounds)
    for packet in container.demux(streams):
        if packet.stream is pictures:
            for frame in shown.decoded(packet):
                _show(frame, watching, failed)
        else:
            for sound in heard.decoded(packet):
                _sound(sound, listening, failed)
    for sound in heard.rest():
        _sound(sound, listening, failed)


def _show(frame: Frame, watching: list[Metric], failed: Failed) -> None:
    for metric in [*watching]:
        try:
            metric.see(frame)
        except Exception as error:  # noqa: BLE001 - one metric's bug leaves the others
            watching.remove(metric)
            failed(metric, error)


def _sound(sound: Sound, listening: list[Metric], failed: Failed) -> None:
    for metric in [*listening]:
        try:
            metric.hear(sound)
        except Exception as error:  # noqa: BLE001 - as above
            listening.remove(metric)
            failed(metric, error)


class _Pictures:
    """Decode a video's packets to frames."""

    def __init__(self, stream: VideoStream | None) -> None:
        self._number = 0
        self._begin: Fraction | None = None
        self._next_examined = 0.0
        if stream is not None:
            stream.codec_context.thread_count = 1  # several files are scored at once, each on its own core

    def decoded(self, packet: AnyPacket) -> Iterator[Frame]:
        for frame in packet.decode():
            if not isinstance(frame, av.VideoFrame):
                continue
            shown = Fraction(frame.pts or 0) * (frame.time_base or Fraction(1, 24))
            self._begin = shown if self._begin is None else self._begin
            seconds = float(shown - self._begin)
            examined = seconds >= self._next_examined
            if examined:
                self._next_examined = seconds + 1 / EXAMINED_A_SECOND - _TOLERANCE
            yield Frame(DecodedFrame(frame), self._number, seconds, examined=examined)
            self._number += 1


_TOLERANCE = 0.001
"""Seconds by which times that are written in whole units may miss the moment that they mean."""


class _Sounds:
    """Decode a video's packets to tenths of a second of sound, of at most two channels."""

    def __init__(self, stream: AudioStream | None) -> None:
        self._resampler: av.AudioResampler | None = None
        if stream is not None:
            layout = "mono" if stream.channels == 1 else "stereo"
            self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=RATE, frame_size=BLOCK)

    def decoded(self, packet: AnyPacket) -> Iterator[Sound]:
        if self._resampler is not None:
            for frame in packet.decode():
                if isinstance(frame, av.AudioFrame):
                    yield from (np.asarray(part.to_ndarray(), np.float32) for part in self._resampler.resample(frame))

    def rest(self) -> Iterator[Sound]:
        """Yield what is left when all packets are decoded."""
        if self._resampler is not None:
            yield from (np.asarray(part.to_ndarray(), np.float32) for part in self._resampler.resample(None))


def opened_video(path: Path) -> InputContainer:
    """Open a video; raises `ArtifactError`."""
    try:
        return av.open(str(path), options=CONTAINER_OPTIONS)
    except (av.FFmpegError, OSError) as error:
        raise ArtifactError(f"it cannot be opened as a video: {error.strerror or error}") from error


def opened_image(path: Path) -> Image:
    """Return a picture in RGB, upright; raises `ArtifactError`."""
    from PIL import Image, ImageOps

    quiet()
    try:
        with Image.open(path) as image:
            refuse_beyond(image.width, image.height)
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ArtifactError(f"it cannot be opened as a picture: {error}") from error


def middle_picture(path: Path, *, whole: bool = False) -> Image:
    """Return the frame in the middle of a video, in RGB: a small copy, or the `whole` of it."""
    with opened_video(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        middle = (stream.start_time or 0) + (stream.duration or 0) // 2
        container.seek(middle, stream=stream, backward=True)
        found: av.VideoFrame | None = None
        for found in container.decode(stream):
            if found.pts is None or found.pts >= middle:
                break
        if found is None:
            raise ArtifactError("it holds no frame")
        size = (found.width, found.height) if whole else small_size(found.width, found.height)
        shown = found.reformat(*size, "rgb24", interpolation="AREA", threads=1)
        picture: Image = shown.to_image()  # type: ignore[no-untyped-call]  # PyAV leaves it so
        return picture
