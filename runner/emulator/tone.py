"""A quiet tone whose pitch comes from the prompt, as audio frames."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterator
from fractions import Fraction

import av

SAMPLE_RATE = 48_000
FRAME_SAMPLES = 1024
LOUDNESS = 0.04
PERIODS = (240, 216, 192, 180, 160, 144, 128, 120)
"""Samples per wave: whole numbers, so that one wave can be repeated; 200 to 400 Hz."""


def _wave(period: int) -> array[float]:
    return array("f", (LOUDNESS * math.sin(2 * math.pi * n / period) for n in range(period)))


def tone(key: str, seconds: float) -> Iterator[av.AudioFrame]:
    """Mono float frames of exactly `seconds` at 48 kHz."""
    period = PERIODS[hashlib.sha256(key.encode("utf-8", "replace")).digest()[0] % len(PERIODS)]
    wave = _wave(period)
    total = round(seconds * SAMPLE_RATE)
    samples = (wave * (total // period + 1))[:total]
    for start in range(0, total, FRAME_SAMPLES):
        chunk = samples[start : start + FRAME_SAMPLES]
        frame = av.AudioFrame("fltp", "mono", len(chunk))
        plane = frame.planes[0]
        plane.update(chunk.tobytes().ljust(plane.buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        yield frame
