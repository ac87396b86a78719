"""What this machine must have: room for the files, and FFmpeg to check them."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.artifacts.probe import probe
from runner.artifacts.space import MIN_FREE_BYTES
from runner.sweep.preflight import writable

from .check import Check, fail, of_problem, ok

_SIDE = 64


def output(directory: Path) -> Check:
    """Whether `directory`, where a run would go, can be made and has room."""
    problem = writable(directory)
    if problem is not None:
        return of_problem("output", problem)
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < MIN_FREE_BYTES:
        return fail(
            "output", f"only {free / 1e6:,.0f} MB are free below {existing}", "free some, or hydra.run.dir=PATH"
        )
    return ok("output", f"{existing} is writable, {free / 1e9:,.1f} GB free")


def decoding() -> Check:
    """Whether a video can be checked: a tiny one is made and read as every download is."""
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder, "clip.mp4")
            version = _make_clip(path)
            video = probe(path)
    except Exception as error:  # noqa: BLE001 - FFmpeg's own libraries may fail in any way
        return fail("decode", f"no video can be checked here: {error}", "pip install --force-reinstall av")
    return ok("decode", f"{video.video_codec} in {video.media_type} (PyAV {version})")


def _make_clip(path: Path) -> str:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = _SIDE, _SIDE, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame(_SIDE, _SIDE, "yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return av.__version__
