"""Make the MP4 that the benchmarks' server sends for every job: H.264 with sound, of a given size in bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageChops

WIDTH, HEIGHT = 1280, 720
RATE = 24
"""Frames per second."""

MOST_BITS = 2_000_000
"""A second of picture; a larger file is filled up with a box that players pass over."""

SAMPLES, SAMPLE_RATE = 1024, 48_000
_HEADER = 8


def write_clip(
    path: Path, seconds: int, size: int, *, preset: str = "ultrafast", key_frame_every: int = RATE, grain: int = 0
) -> None:
    """Write an MP4 of `seconds` that has `size` bytes, or few more where a picture cannot be so small."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=RATE, options={"preset": preset})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.bit_rate = min(MOST_BITS, 8 * size // seconds) * 9 // 10
        video.codec_context.gop_size = key_frame_every
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for frame in _pictures(seconds * RATE, grain):
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for sound in _silence(seconds * SAMPLE_RATE):
            container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    missing = size - path.stat().st_size
    if missing > _HEADER:
        # A size of 1 says that the length follows in eight bytes: a box may have a gigabyte and more.
        with path.open("ab") as file:
            file.write((1).to_bytes(4, "big") + b"free" + missing.to_bytes(8, "big"))
        with path.open("r+b") as file:
            file.truncate(size)


def _pictures(count: int, grain: int) -> Iterator[av.VideoFrame]:
    """Yield two landscapes of blots that move across each other; `grain`, of 255, is another in every frame."""
    dice = random.Random(0)
    wide = (WIDTH + 4 * count, HEIGHT)
    far, near = (
        Image.frombytes("RGB", (side, side), dice.randbytes(3 * side * side)).resize(wide, Image.Resampling.BICUBIC)
        for side in (24, 90)
    )
    noise = Image.frombytes("L", wide, dice.randbytes(wide[0] * wide[1]))
    noise = noise.point([value * grain // 255 for value in range(256)]).convert("RGB")
    for number in range(count):
        picture = Image.blend(_part(far, number), _part(near, 4 * count - 3 * number), 0.5)
        frame = av.VideoFrame.from_image(ImageChops.add(picture, _part(noise, dice.randrange(4 * count))))
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        yield frame


def _part(image: Image.Image, left: int) -> Image.Image:
    return image.crop((left, 0, left + WIDTH, HEIGHT))


def _silence(samples: int) -> Iterator[av.AudioFrame]:
    for start in range(0, samples, SAMPLES):
        frame = av.AudioFrame("fltp", "mono", SAMPLES)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        yield frame
