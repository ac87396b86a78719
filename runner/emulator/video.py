"""Make clips as real files, with thumbnail and sprite sheet, each cached under what determines it."""

from __future__ import annotations

import hashlib
import math
import os
from array import array
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import OutputContainer
from av.video import VideoStream
from PIL import Image, ImageDraw, ImageFilter

from . import drawing
from .job import SUFFIXES, Clip, Variant

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

Planes = tuple[Image.Image, Image.Image, Image.Image]


class RenderCancelledError(Exception):
    """Tell that the emulator is closing; the clip is rendered again when it is next asked for."""


def _planes(image: Image.Image) -> Planes:
    y, cb, cr = image.convert("YCbCr").split()
    half = (image.width // 2, image.height // 2)
    luma = y.point([16 + value * 219 // 255 for value in range(256)])
    chroma = [plane.resize(half).point([16 + value * 224 // 255 for value in range(256)]) for plane in (cb, cr)]
    return luma, chroma[0], chroma[1]


def _softened(planes: Planes, radius: float) -> Planes:
    luma, *chroma = planes
    soft, halved = ImageFilter.GaussianBlur(radius), ImageFilter.GaussianBlur(radius / 2)
    return luma.filter(soft), chroma[0].filter(halved), chroma[1].filter(halved)


class Film:
    """Draw the frames of one clip, in YUV, because converting each from RGB would double the work."""

    def __init__(self, clip: Clip, reference: Path | None) -> None:
        self.size = (clip.width, clip.height)
        self.frames = clip.length
        self.fps = clip.fps
        self._margin = (clip.width // 4 // 4 * 4, clip.height // 4 // 4 * 4)
        canvas = (clip.width + 2 * self._margin[0], clip.height + 2 * self._margin[1])
        self._canvas = _planes(drawing.backdrop(canvas, f"{clip.prompt}\n{clip.model}", reference))
        # Not the model's name, by which its colours are chosen: it may be compared without names.
        note = f"{clip.width}x{clip.height}  {clip.length / clip.fps:g} s"
        layer, self._plate = drawing.caption(self.size, clip.prompt, note)
        self._layer = _planes(layer.convert("RGB"))
        if clip.softness:
            self._canvas, self._layer = (_softened(planes, clip.softness) for planes in (self._canvas, self._layer))
        alpha = layer.getchannel("A")
        self._masks = (alpha, alpha.resize((clip.width // 2, clip.height // 2)))
        self._boxes = [self._even(box) for box in (self._plate, self._badge(alpha))]

    def _badge(self, alpha: Image.Image) -> drawing.Box:
        return alpha.crop((0, 0, self.size[0], self._plate[1])).getbbox() or (0, 0, 2, 2)

    def _even(self, box: drawing.Box) -> drawing.Box:
        left, top, right, bottom = box
        return (
            left // 2 * 2,
            top // 2 * 2,
            min(self.size[0], right // 2 * 2 + 2),
            min(self.size[1], bottom // 2 * 2 + 2),
        )

    def _offset(self, number: int) -> tuple[int, int]:
        turn = 2 * math.pi * number / self.frames
        horizontal, vertical = self._margin
        return (
            round(horizontal * (1 + math.sin(turn)) / 2) * 2,
            round(vertical * (1 - math.cos(turn)) / 2) * 2,
        )

    def frame(self, number: int) -> Planes:
        """Return frame `number`, as limited-range BT.601 planes with halved chroma."""
        left, top = self._offset(number)
        planes = []
        for index, (canvas, layer) in enumerate(zip(self._canvas, self._layer, strict=True)):
            part = 2 if index else 1
            x, y, width, height = left // part, top // part, self.size[0] // part, self.size[1] // part
            plane = canvas.crop((x, y, x + width, y + height))
            for box in self._boxes:
                small = cast("drawing.Box", tuple(side // part for side in box))
                plane.paste(layer.crop(small), small[:2], self._masks[min(index, 1)].crop(small))
            planes.append(plane)
        self._clock(planes[0], number)
        return planes[0], planes[1], planes[2]

    def _clock(self, luma: Image.Image, number: int) -> None:
        draw = ImageDraw.Draw(luma)
        left, _, right, bottom = self._plate
        unit = max(8, min(self.size) // 24)
        seconds, frame = divmod(number, self.fps)
        text = f"{seconds // 60:02}:{seconds % 60:02}.{frame * 100 // self.fps:02}"
        face = drawing.font(round(unit * 0.95))
        draw.text(
            (right - unit - round(draw.textlength("00:00.00", font=face)), bottom - round(unit * 1.65)), text, 235, face
        )
        done = left + round((right - left) * (number + 1) / self.frames)
        draw.rectangle((left, bottom - max(2, unit // 8), done, bottom), fill=235)

    def picture(self, number: int) -> Image.Image:
        """Return frame `number` in RGB."""
        luma, *chroma = self.frame(number)
        full = [luma.point([min(255, max(0, (value - 16) * 255 // 219)) for value in range(256)])]
        wide = [min(255, max(0, (value - 16) * 255 // 224)) for value in range(256)]
        full += [plane.point(wide).resize(self.size) for plane in chroma]
        return Image.merge("YCbCr", full).convert("RGB")


def _encoded(film: Film, cancelled: Callable[[], bool]) -> Iterator[av.VideoFrame]:
    for number in range(film.frames):
        if cancelled():
            raise RenderCancelledError
        frame = av.VideoFrame(*film.size, "yuv420p")
        for plane, image in zip(frame.planes, film.frame(number), strict=True):
            padded = image if plane.line_size == image.width else image.crop((0, 0, plane.line_size, image.height))
            plane.update(padded.tobytes())
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
        audio = None
        if not clip.silent:
            audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options={"b": "64000"})
        for frame in _encoded(film, cancelled):
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is None:
            return
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
        picture = film.picture(index * film.frames // SHEET_FRAMES).resize((width, height))
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
            film.picture(film.frames // 2).save(part, "WEBP", quality=80, method=2)
        else:
            _sheet(film).save(part, "JPEG", quality=80)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
