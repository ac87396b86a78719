"""Make what a judge is shown of files, in a child process: what makes a decoder crash or hang costs that file alone."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.artifacts.picture import MAX_PIXELS
from runner.artifacts.probe import CONTAINER_OPTIONS
from runner.child import how_ended, start
from runner.errors import ArtifactError

if TYPE_CHECKING:
    from av.container import InputContainer
    from PIL.Image import Image

_SECONDS = 120.0
"""For which one file may take."""

_QUALITY = 90


def scaled(size: tuple[int, int], most: int) -> tuple[int, int]:
    """Return a size whose longer side has at most so many pixels."""
    share = min(1.0, most / max(size))
    width, height = (max(1, round(side * share)) for side in size)
    return width, height


@dataclass(frozen=True, slots=True)
class Wanted:
    """Say what is shown of a file: so many frames, if it is a video, with sides of at most so many pixels."""

    path: Path
    media_type: str
    frames: int
    max_side: int


class PictureMaker:
    """Make JPEGs, one file after the other, in a child that knows no key; to be used by one thread at a time."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def make(self, wanted: Wanted) -> list[bytes]:
        """Return the pictures of a file; raises `ArtifactError` where it cannot be decoded."""
        order = {"path": str(wanted.path.absolute()), "type": wanted.media_type, "frames": wanted.frames}
        try:
            child = self._child = self._child or start("runner.model_judge.pictures", trusted=False)
            if self._stopped:
                child.kill()
            stdin, stdout = _pipes(child)
            limit = threading.Timer(_SECONDS, child.kill)
            limit.start()
            try:
                stdin.write(json.dumps({**order, "max_side": wanted.max_side}).encode() + b"\n")
                stdin.flush()
                line = stdout.readline()
            finally:
                limit.cancel()
        except OSError as error:  # no child can be had, or it has died before
            self.close()
            raise ArtifactError(f"{wanted.path} cannot be looked at: {error.strerror or error}") from error
        if not line.endswith(b"\n"):
            raise ArtifactError(f"{wanted.path} makes the decoder crash or hang ({self.close()})")
        answer: dict[str, Any] = json.loads(line)  # Any: JSON
        if "error" in answer:
            raise ArtifactError(f"{wanted.path} cannot be looked at: {answer['error']}")
        return [base64.b64decode(text) for text in answer["pictures"]]

    def stop(self) -> None:
        """Kill the child, so that a thread that waits for it ends at once; for any thread, before `close`."""
        self._stopped = True
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> str:
        """End the child; returns how that went."""
        child, self._child = self._child, None
        if child is None:
            return "it had ended"
        for pipe in _pipes(child):
            with suppress(OSError):
                pipe.close()
        return how_ended(child.wait())


def _pipes(child: subprocess.Popen[bytes]) -> tuple[Any, Any]:  # Any: pipes that were asked for
    return child.stdin, child.stdout


def run_child() -> None:
    """Answer each line of stdin with a line on stdout, until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # no library can write between the answers
    for line in sys.stdin.buffer:
        answers.write(json.dumps(_answer(json.loads(line))).encode() + b"\n")
        answers.flush()


def _answer(order: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    path, side = Path(order["path"]), order["max_side"]
    try:
        found = _frames(path, order["frames"], side) if order["type"].startswith("video/") else [_image(path, side)]
    except Exception as error:  # noqa: BLE001 - whatever FFmpeg or Pillow raise is about this file
        return {"error": f"{type(error).__name__}: {error}"[:500]}
    return {"pictures": [base64.b64encode(each).decode() for each in found]}


def _image(path: Path, side: int) -> bytes:
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} is too large")
        upright = ImageOps.exif_transpose(image)
        if upright.has_transparency_data:
            # On white, as most viewers show it.
            clear = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
        return _jpeg(upright.convert("RGB"), side)


def _jpeg(image: Image, side: int) -> bytes:
    size = scaled(image.size, side)
    small = image if size == image.size else image.resize(size)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _frames(path: Path, count: int, side: int) -> list[bytes]:
    """Return so many frames of a video, evenly spaced from its first to its last; all where it has fewer."""
    import av

    with av.open(str(path), options=CONTAINER_OPTIONS) as container:
        times = [*_times(container)]
    # One frame stands for all: that in the middle.
    places = [len(times) // 2] if count == 1 else _spread(len(times), count)
    wanted = {times[place] for place in places}
    with av.open(str(path), options=CONTAINER_OPTIONS) as container:
        container.streams.video[0].thread_type = "AUTO"
        decoded = container.decode(container.streams.video[0])
        found = [
            _jpeg(frame.to_image(), side)  # type: ignore[no-untyped-call]  # PyAV leaves it so
            for frame in decoded
            if frame.pts in wanted
        ]
    if not found:
        raise ValueError("it has no frame")
    return found


def _times(container: InputContainer) -> Iterator[int]:
    """Yield when each frame is shown, by its packets alone."""
    stamps = (packet.pts for packet in container.demux(container.streams.video[0]) if packet.size)
    yield from sorted(stamp for stamp in stamps if stamp is not None)


def _spread(length: int, count: int) -> Sequence[int]:
    """Return up to `count` places, evenly spaced from the first to the last of a list."""
    return sorted({round(step * (length - 1) / (count - 1)) for step in range(count)}) if length else []


if __name__ == "__main__":
    run_child()
