"""Answer with files: rendered by worker threads, cached for all processes, read in pieces."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import uuid
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from .job import SUFFIXES, Clip, EmulatedJob, Variant
from .settings import EmulatorSettings


def _render(clip: Clip, media: Path, variant: Variant, closing: threading.Event) -> Path:
    # PyAV is imported by the first rendering: the server answers before it is loaded.
    from .video import render

    return render(clip, media, variant, closing.is_set)


class Studio:
    """Render clips once each, in the background, into the media folder."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self.media = settings.media
        self._settings = settings
        self._closing = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1), thread_name_prefix="studio")
        self._rendering: dict[str, Future[Path]] = {}

    def close(self) -> None:
        """Stop rendering; half-written files are removed."""
        self._closing.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def clip(self, job: EmulatedJob) -> Clip:
        """Return what is rendered for a job."""
        width, height = (int(side) for side in job.size.split("x"))
        whole = {name: value for name in ("fps", "frames") if isinstance(value := job.parameters.get(name), int)}
        guidance = job.parameters.get("guidance_scale")
        silent = False in (job.parameters.get("generate_audio"), job.parameters.get("generate_sound"))
        clip = Clip(job.prompt, job.model, width, height, job.seconds, job.reference, self._settings.video_bytes,
                    silent=silent, **whole)  # fmt: skip
        if isinstance(guidance, int | float):
            clip = replace(clip, guidance=float(guidance))
        return replace(clip, prompt="", model="", reference=None) if self._settings.shared_clips else clip

    def begin(self, job: EmulatedJob) -> None:
        """Start rendering a job's video, unless it is there or on its way."""
        clip = self.clip(job)
        if not self._path(clip, "video").exists():
            self._submit(clip, "video")

    async def file(self, job: EmulatedJob, variant: Variant) -> Path:
        """Return the path of a job's file, once it is rendered."""
        clip = self.clip(job)
        path = self._path(clip, variant)
        if not path.exists():
            await asyncio.wrap_future(self._submit(clip, variant))
        return path

    def keep(self, content: bytes) -> str:
        """Store an uploaded file in the media folder and return its name."""
        name = hashlib.sha256(content).hexdigest()[:32] + ".upload"
        path = self.media / name
        if not path.exists():
            self.media.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{name}.{uuid.uuid4().hex}.part")  # another request may bring it now, too
            part.write_bytes(content)
            part.replace(path)
        return name

    def _path(self, clip: Clip, variant: Variant) -> Path:
        return self.media / (clip.name() + SUFFIXES[variant])

    def _submit(self, clip: Clip, variant: Variant) -> Future[Path]:
        path = self._path(clip, variant)
        future = self._rendering.get(path.name)
        if future is None or future.done():
            self.media.mkdir(parents=True, exist_ok=True)
            future = self._pool.submit(_render, clip, self.media, variant, self._closing)
            self._rendering[path.name] = future
            future.add_done_callback(lambda _: self._rendering.pop(path.name, None))
        return future


PIECE_BYTES = 256 * 1024


def file_answer(path: Path, media_type: str) -> Response:
    """Stream one file with its Content-Length.

    Starlette's own FileResponse hands each 64 KiB to a thread, which costs more than reading a file that was just
    written and is in the page cache.
    """
    length = {"content-length": str(path.stat().st_size)}
    return _Pieces(path, media_type=media_type, headers=length)


class _Pieces(StreamingResponse):
    """Send a file in pieces, and close it as soon as its client is gone."""

    def __init__(self, path: Path, media_type: str, headers: Mapping[str, str]) -> None:
        self._pieces = _pieces(path)
        super().__init__(self._pieces, media_type=media_type, headers=headers)

    async def stream_response(self, send: Send) -> None:
        """Send the pieces; a generator that nobody closes holds its file until it is collected."""
        async with aclosing(self._pieces):
            await super().stream_response(send)


async def _pieces(path: Path) -> AsyncGenerator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
