"""Films and sounds whose numbers are known, and what metrics make of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from runner.metrics.catalog import find
from runner.metrics.measuring import measured
from runner.metrics.metric import Subject

SIZE = (64, 48)
RATE = 48_000


def grey(level: float) -> np.ndarray:
    """A picture of one brightness, 0 to 1."""
    return np.full((SIZE[1], SIZE[0], 3), round(level * 255), np.uint8)


def noise(seed: int) -> np.ndarray:
    """A picture unlike any other."""
    return np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


def tone(seconds: float, *, level: float = 1.0, hertz: float = 997.0) -> np.ndarray:
    """A sine of a level, 1: full scale."""
    times = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * math.pi * hertz * times)).astype(np.float32)


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """Write a video that keeps every pixel, 24 frames a second unless told otherwise, with or without a sound."""

    def make(pictures: Iterable[np.ndarray], sound: np.ndarray | None = None, *, fps: int = 24) -> Path:
        path = tmp_path / "film.mkv"
        with av.open(str(path), "w") as container:
            video = container.add_stream("ffv1", rate=fps)
            video.width, video.height, video.pix_fmt = *SIZE, "bgr0"
            audio = None if sound is None else container.add_stream("pcm_f32le", rate=RATE, layout="mono")
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="bgr0")
                frame.pts, frame.time_base = number, Fraction(1, fps)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            if audio is not None:
                part = av.AudioFrame.from_ndarray(sound[None], "flt", "mono")
                part.sample_rate, part.pts = RATE, 0
                container.mux(audio.encode(part))
                container.mux(audio.encode(None))
        return path

    return make


@pytest.fixture
def value() -> Callable[..., float | None]:
    """One metric of a file; what was asked for by the names that `Subject` has."""

    def of(name: str, path: Path, **asked: Any) -> float | None:
        kind = "image/png" if path.suffix == ".png" else "video/mp4"
        found = measured(Subject(path=path, media_type=kind, **asked), {name: find(name)})
        assert not found["errors"], found
        return found["values"][name]

    return of


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """Write a PNG."""

    def make(content: np.ndarray, name: str = "picture.png") -> Path:
        Image.fromarray(content).save(tmp_path / name)
        return tmp_path / name

    return make
