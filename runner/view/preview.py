"""Make small copies of media, in a child process: a file that makes FFmpeg crash costs its copy and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from runner.child import start

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

SHORT_SIDE = 360
"""Pixels of a small video, at most."""

LONGEST_SIDE = 1024
"""Pixels of a small image."""

_QUALITY = {"crf": "27", "preset": "veryfast"}
_IMAGE_QUALITY = 80


class Previewer:
    """Make small copies, one after the other, in a child that knows no key."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def make(self, source: Path, target: Path, media_type: str) -> bool:
        """Write a small copy of `source` to `target`; returns whether there is one."""
        try:
            self._child = self._child or start("runner.view.preview", trusted=False)
            order = {"source": str(source.absolute()), "target": str(target.absolute()), "type": media_type}
            stdin, stdout = _pipes(self._child)
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()
            answer = stdout.readline()
        except OSError:  # no child can be had, or it has died before
            answer = b""
        if not answer:
            self._end()
        made = answer.strip() == b"true"
        if not made:
            with suppress(OSError):
                target.unlink(missing_ok=True)
        return made

    def _end(self) -> None:
        if self._child is not None:
            for pipe in _pipes(self._child):
                with suppress(OSError):
                    pipe.close()
            self._child.wait()
            self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()


def _pipes(child: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    stdin: Any = child.stdin  # Any: pipes that were asked for
    stdout: Any = child.stdout
    return stdin, stdout


def run_child() -> None:
    """Copy what each line of stdin names, and say after each on stdout whether it was made, until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # no library can write between the answers
    for line in sys.stdin.buffer:
        order = json.loads(line)
        made = _made(Path(order["source"]), Path(order["target"]), order["type"])
        answers.write(json.dumps(made).encode() + b"\n")
        answers.flush()


def _made(source: Path, target: Path, media_type: str) -> bool:
    try:
        if media_type.startswith("video/"):
            _video(source, target)
        else:
            _image(source, target)
    except Exception:  # noqa: BLE001 - whatever FFmpeg or Pillow raise: there is no copy then
        return False
    return True


def _image(source: Path, target: Path) -> None:
    from PIL import Image

    with Image.open(source) as image:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        image.convert("RGBA" if image.has_transparency_data else "RGB").save(target, "WEBP", quality=_IMAGE_QUALITY)


def _video(source: Path, target: Path) -> None:
    import av

    options = {"movflags": "+faststart"}  # plays before all of it is loaded
    with (
        av.open(source, options={"protocol_whitelist": "file"}) as given,
        av.open(target, "w", format="mp4", options=options) as made,
    ):
        _encode(given, made)


def _encode(given: InputContainer, made: OutputContainer) -> None:
    from av import AudioFrame, VideoFrame

    picture = given.streams.video[0]
    scale = min(1.0, SHORT_SIDE / min(picture.width, picture.height))
    width, height = (max(2, round(side * scale / 2) * 2) for side in (picture.width, picture.height))
    video = made.add_stream("libx264", rate=picture.average_rate or Fraction(24), options=_QUALITY)
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    video.time_base = picture.time_base or Fraction(1, 90_000)
    sound = given.streams.audio[0] if given.streams.audio else None
    audio = made.add_stream("aac", rate=sound.rate, layout=sound.layout.name) if sound is not None else None
    for packet in given.demux([each for each in (picture, sound) if each is not None]):
        for frame in packet.decode():
            if isinstance(frame, VideoFrame):
                small = frame.reformat(width, height, "yuv420p")
                made.mux(video.encode(small))
            elif isinstance(frame, AudioFrame) and audio is not None:
                made.mux(audio.encode(frame))
    made.mux(video.encode(None))
    if audio is not None:
        made.mux(audio.encode(None))


if __name__ == "__main__":
    run_child()
