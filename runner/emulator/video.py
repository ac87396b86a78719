"""Make clips as real files, with thumbnail and sprite sheet, each cached under what determines it."""

from __future__ import annotations

import hashlib
import math
import os
from array import array
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video import VideoStream
from PIL import Image, ImageDraw

from . import drawing
from .clip import SUFFIXES, Clip, Variant

SAMPLE_RATE = 48_000
FRAME_SAMPLES = 1024
LOUDNESS = 0.04
PERIODS = (240, 216, 192, 180, 160, 144, 128, 120)
"""Samples per wave: whole numbers, so that one wave can be repeated; 200 to 400 Hz."""


def tone(key: str, seconds: float) -> Iterator[av.AudioFrame]:
    """Yield mono float frames of exactly `seconds` at 48 kHz."""
    period = PERIODS[hashlib.sha256(key.encode("utf-8", "replace")).digest()[0] % len(PERIODS)]
    wave = array("f", (LOUDNESS * math.sin(2 * math.pi * n / period) for n in range(period)))
    total = round(seconds * SAMPLE_RATE)
    samples = (wave * (total // period + 1))[:total]
    for start in range(0, total, FRAME_SAMPLES):
        chunk = samples[start : start + FRAME_SAMPLES]
        frame = av.AudioFrame("fltp", "mono", len(chunk))
        plane = frame.planes[0]
        plane.update(chunk.tobytes().ljust(plane.buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        yield frame


SHEET_COLUMNS = 5
SHEET_FRAMES = 20
BT601 = 6
LIMITED_RANGE = 1
FREE_HEADER = 8
BRIGHT = (254, 254, 254)


class RenderCancelledError(Exception):
    """Tell that the emulator is closing; the clip is rendered again when it is next asked for."""


class Film:
    """Draw the frames of one clip: a window that moves over a larger picture, under a caption and a clock."""

    def __init__(self, clip: Clip, reference: Path | None) -> None:
        self.size = (clip.width, clip.height)
        self.frames = clip.length
        self.fps = clip.fps
        self._margin = (clip.width // 4, clip.height // 4)
        canvas = (clip.width + 2 * self._margin[0], clip.height + 2 * self._margin[1])
        self._canvas = drawing.backdrop(canvas, f"{clip.prompt}\n{clip.label}", reference)
        note = f"{clip.label}  {clip.width}x{clip.height}  {clip.length / clip.fps:g} s"
        layer, self._plate = drawing.caption(self.size, clip.prompt, note)
        mark = layer.crop((0, 0, clip.width, self._plate[1])).getbbox() or (0, 0, 1, 1)
        self._captions = [(layer.crop(box), box[:2]) for box in (self._plate, mark)]

    def frame(self, number: int) -> Image.Image:
        """Return frame `number`."""
        turn = 2 * math.pi * number / self.frames
        left = round(self._margin[0] * (1 + math.sin(turn)))
        top = round(self._margin[1] * (1 - math.cos(turn)))
        picture = self._canvas.crop((left, top, left + self.size[0], top + self.size[1]))
        for caption, corner in self._captions:
            picture.paste(caption, corner, caption)
        self._clock(ImageDraw.Draw(picture), number)
        return picture

    def _clock(self, draw: ImageDraw.ImageDraw, number: int) -> None:
        left, _, right, bottom = self._plate
        unit = max(8, min(self.size) // 24)
        seconds, frame = divmod(number, self.fps)
        text = f"{seconds // 60:02}:{seconds % 60:02}.{frame * 100 // self.fps:02}"
        face = drawing.font(round(unit * 0.95))
        start = right - unit - round(draw.textlength("00:00.00", font=face))
        draw.text((start, bottom - round(unit * 1.65)), text, BRIGHT, face)
        done = left + round((right - left) * (number + 1) / self.frames)
        draw.rectangle((left, bottom - max(2, unit // 8), done, bottom), fill=BRIGHT)


def _encoded(film: Film, cancelled: Callable[[], bool]) -> Iterator[av.VideoFrame]:
    for number in range(film.frames):
        if cancelled():
            raise RenderCancelledError
        drawn = av.VideoFrame.from_image(film.frame(number))  # type: ignore[no-untyped-call]  # PyAV gives it no types
        frame = drawn.reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, film.fps)
        yield frame


def _video_stream(container: OutputContainer, film: Film) -> VideoStream:
    # One thread: x264's output depends on the number of threads, and must be the same everywhere.
    options = {"preset": "ultrafast", "crf": "24", "threads": "1"}
    stream = container.add_stream("libx264", rate=film.fps, options=options)
    stream.width, stream.height = film.size
    stream.pix_fmt = "yuv420p"
    stream.time_base = Fraction(1, film.fps)
    context = stream.codec_context
    context.thread_count = 1
    context.gop_size = film.fps
    context.color_range, context.colorspace = LIMITED_RANGE, BT601
    context.color_primaries, context.color_trc = BT601, BT601
    return stream


def _write_movie(film: Film, clip: Clip, path: Path, cancelled: Callable[[], bool]) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = _video_stream(container, film)
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options={"b": "64000"})
        for frame in _encoded(film, cancelled):
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for sound in tone(clip.prompt, clip.length / clip.fps):
            container.mux(audio.encode(sound))
        container.mux(audio.encode(None))


def _pad(path: Path, min_bytes: int) -> None:
    missing = min_bytes - path.stat().st_size
    if missing <= 0:
        return
    size = max(missing, FREE_HEADER)
    with path.open("ab") as file:
        file.write(size.to_bytes(4, "big") + b"free" + bytes(size - FREE_HEADER))


def _sheet(film: Film) -> Image.Image:
    width = 320 if film.size[0] >= film.size[1] else 180
    height = width * film.size[1] // film.size[0]
    sheet = Image.new("RGB", (width * SHEET_COLUMNS, height * (SHEET_FRAMES // SHEET_COLUMNS)))
    for index in range(SHEET_FRAMES):
        picture = film.frame(index * film.frames // SHEET_FRAMES).resize((width, height))
        sheet.paste(picture, (index % SHEET_COLUMNS * width, index // SHEET_COLUMNS * height))
    return sheet


def render(clip: Clip, media: Path, variant: Variant, cancelled: Callable[[], bool] = lambda: False) -> Path:
    """Write one of the clip's files into `media` in one step; the same clip gives the same bytes."""
    path = media / (clip.name() + SUFFIXES[variant])
    film = Film(clip, media / clip.reference if clip.reference else None)
    part = path.with_name(f"{path.name}.{os.getpid()}-{id(film)}.part")
    try:
        if variant == "video":
            _write_movie(film, clip, part, cancelled)
            _pad(part, clip.min_bytes)
        elif variant == "thumbnail":
            film.frame(film.frames // 2).save(part, "WEBP", quality=80, method=2)
        else:
            _sheet(film).save(part, "JPEG", quality=80)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
