"""Make the MP4 that the benchmarks' server sends for every job: H.264 with sound, of a given size in bytes."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

WIDTH, HEIGHT = 1280, 720
RATE = 24
"""Frames per second."""

MOST_BITS = 2_000_000
"""A second of picture; a larger file is filled up with a box that players pass over."""

SAMPLES, SAMPLE_RATE = 1024, 48_000
_HEADER = 16
_ENCODING = {"libx264": {"preset": "ultrafast"}, "libx265": {"x265-params": "log-level=none"}}


def write_clip(
    path: Path,
    seconds: int,
    size: int,
    *,
    codec: str = "libx264",
    movflags: str = "+faststart",
    key_frame_every: int = RATE,
    shape: tuple[int, int] = (WIDTH, HEIGHT),
) -> None:
    """Write a clip of `seconds` that has `size` bytes, or a few more; MP4 unless the name says otherwise."""
    with av.open(str(path), "w", options={"movflags": movflags} if movflags else {}) as container:
        video = container.add_stream(codec, rate=RATE, options=_ENCODING.get(codec, {}))
        video.width, video.height, video.pix_fmt = *shape, "yuv420p"
        video.bit_rate = min(MOST_BITS, 8 * size // seconds) * 9 // 10
        video.codec_context.gop_size = key_frame_every
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for frame in _pictures(seconds * RATE, shape):
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for sound in _silence(seconds * SAMPLE_RATE):
            container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    missing = size - path.stat().st_size
    if missing > _HEADER and path.suffix == ".mp4":
        # A size of 1 says that the length follows in eight bytes: a box may have a gigabyte and more.
        with path.open("r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write((1).to_bytes(4, "big") + b"free" + missing.to_bytes(8, "big"))
            file.truncate(size)


def _pictures(count: int, shape: tuple[int, int]) -> Iterator[av.VideoFrame]:
    """Yield two landscapes of blots that move across each other."""
    dice, (width, height) = random.Random(0), shape
    wide = (width + 4 * count, height)
    far, near = (
        Image.frombytes("RGB", (side, side), dice.randbytes(3 * side * side)).resize(wide, Image.Resampling.BICUBIC)
        for side in (24, 90)
    )
    for number in range(count):
        slow = far.crop((number, 0, number + width, height))
        left = 4 * count - 3 * number
        frame = av.VideoFrame.from_image(Image.blend(slow, near.crop((left, 0, left + width, height)), 0.5))
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        yield frame


def _silence(samples: int) -> Iterator[av.AudioFrame]:
    for start in range(0, samples, SAMPLES):
        frame = av.AudioFrame("fltp", "mono", SAMPLES)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        yield frame
