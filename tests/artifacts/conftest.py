from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Callable[..., Path]:
    """A clip of test pictures, of any codec and container that FFmpeg writes."""
    import av

    folder = tmp_path_factory.mktemp("clips")

    def make(
        name="clip.mp4", codec="libx264", seconds=2, size=(64, 48), audio=None, sound_seconds=0, **options
    ) -> Path:
        path = folder / name
        if path.exists():
            return path
        with av.open(str(path), "w", options={name: value for name, value in options.items() if value}) as container:
            stream = container.add_stream(codec, rate=12)
            stream.width, stream.height, stream.pix_fmt, stream.time_base = *size, "yuv420p", Fraction(1, 12)
            sound = container.add_stream(audio, rate=48_000) if audio else None
            for number in range(12 * seconds):
                frame = av.VideoFrame(*size, "yuv420p")
                for plane in frame.planes:
                    plane.update(bytes((number * 31 + index * index) % 251 for index in range(plane.buffer_size)))
                frame.pts, frame.time_base = number, Fraction(1, 12)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if sound is not None:
                for number in range(max(1, sound_seconds * 48_000 // 1024)):
                    silence = av.AudioFrame("fltp", "mono", 1024)
                    silence.sample_rate, silence.pts = 48_000, number * 1024
                    for plane in silence.planes:
                        plane.update(bytes(plane.buffer_size))
                    container.mux(sound.encode(silence))
                container.mux(sound.encode(None))
        return path

    return make
