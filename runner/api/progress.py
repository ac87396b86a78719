"""Tell a program's callback of progress, from the engine's events."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from runner.artifacts.run_status import RunStatus
from runner.config.frozen import Frozen
from runner.engine.run import Event
from runner.providers.base import JobStatus
from runner.providers.job import job_status

from .response import ImageGenerationResponse, VideoGenerationResponse

Callback = Callable[[Any], object]
"""Any: a `VideoGenerationUpdate` or an `ImageGenerationUpdate`; may return an awaitable."""

_log = logging.getLogger("runner")

_STATUS: dict[JobStatus, Status] = {JobStatus.QUEUED: "queued", JobStatus.COMPLETED: "completed"}


class Progress:
    """Call back for every answer about the job, in order, before anything is done about it.

    A plain function is called on the engine's loop and holds it up; a coroutine is awaited beside it. What either
    raises is logged and changes nothing: a bug in a progress bar must not lose a paid video.
    """

    def __init__(self, callback: Callback | None, request_id: str) -> None:
        self._callback = callback
        self._request_id = request_id
        self._told: GenerationUpdate | None = None
        self._coroutines: asyncio.Queue[Awaitable[object] | None] = asyncio.Queue()
        self._awaiting: asyncio.Task[None] | None = None
        self._last: dict[int, RunStatus] = {}
        self._files_of_failed = False

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        self._last[event.run.index] = event.status
        if event.result is not None and event.status.failed:
            self._files_of_failed |= bool(event.result.artifacts or event.result.pending)
        update = self._update(event)
        if update is None or self._callback is None or (event.note is not None and update == self._told):
            return
        self._told = update
        try:
            answer = self._callback(update)
        except Exception:  # noqa: BLE001 - the program's own bug, whatever it is
            _log.exception("on_progress failed for %s; the work goes on", update.request_id)
            return
        if inspect.isawaitable(answer):
            self._coroutines.put_nowait(answer)
            self._awaiting = self._awaiting or asyncio.create_task(self._await_in_turn())

    @property
    def unfinished(self) -> bool:
        """Return whether something was paid, or may have been, of which the caller does not get all."""
        return self._files_of_failed or any(
            status.unfinished and status is not RunStatus.PLANNED for status in self._last.values()
        )

    async def finish(self) -> None:
        """Wait until every coroutine has ended."""
        if self._awaiting is not None:
            self._coroutines.put_nowait(None)
            await self._awaiting

    def drop(self) -> None:
        """End without waiting, as when the caller was cancelled."""
        if self._awaiting is not None:
            self._awaiting.cancel()
        while not self._coroutines.empty():
            waiting = self._coroutines.get_nowait()
            if isinstance(waiting, Coroutine):
                waiting.close()

    async def _await_in_turn(self) -> None:
        while (coroutine := await self._coroutines.get()) is not None:
            try:
                await coroutine
            except Exception:  # noqa: BLE001 - as above
                _log.exception("on_progress failed for %s; the work goes on", self._request_id)

    def _update(self, event: Event) -> GenerationUpdate | None:
        if event.status.failed:
            error = event.result.error.message if event.result is not None and event.result.error else event.note
            return self._made(event, "failed", round(event.progress), error) if error else None
        if event.run.config.request.kind == "image":
            return self._image(event)
        if event.job_id is None or event.status is not RunStatus.SUBMITTED:
            return None
        remote = job_status(event.remote_status or "")
        if remote.terminal and remote is not JobStatus.COMPLETED:
            return None  # the failure is told with its reason
        return self._made(event, _STATUS.get(remote, "processing"), round(event.progress))

    def _image(self, event: Event) -> GenerationUpdate | None:
        match event.status:
            case RunStatus.SUBMITTING:
                return self._made(event, "processing", round(event.progress))
            case RunStatus.VERIFIED if event.result is not None:
                return self._made(event, "completed", 100)
        return None

    def _made(self, event: Event, status: Status, percent: int, error: str | None = None) -> GenerationUpdate:
        config = event.run.config
        words = {"provider": config.provider.kind, "model": config.model.name}
        if event.remote_status is not None:
            words["status"] = event.remote_status
        told: dict[str, Any] = {"status": status, "progress_percent": percent, "update": words, "error": error}
        told["run"] = event.run.index
        told["request_id"] = event.job_id or self._request_id  # Any: fields of an update
        if config.request.kind == "image":
            return ImageGenerationUpdate(**told, partial_image=event.partial)
        return VideoGenerationUpdate(**told)


Status = Literal["queued", "processing", "completed", "failed"]


class GenerationUpdate(Frozen):
    """Describe one answer about the work.

    Attributes:
        request_id: the job's id; images have no job, so that theirs is the request's.
        status: queued, processing, completed or failed.
        progress_percent: 0 to 100; None only from a provider of your own.
        update: the server's own status word, and the provider and model at work.
        error: what was said when it failed.
        run: which of the call's runs it is about: 0 for the only one, the run's number in a sweep.
    """

    request_id: str
    status: Status
    progress_percent: int | None = Field(None, ge=0, le=100)
    update: Mapping[str, Any] = Field(default_factory=dict)  # Any: what a provider of your own puts there
    error: str | None = None
    run: int = 0


class VideoGenerationUpdate(GenerationUpdate):
    """Describe one answer about a video's job.

    Attributes:
        result: None, as the file is not there yet when the job is completed; for updates that are built by hand.
    """

    result: VideoGenerationResponse | None = None


class ImageGenerationUpdate(GenerationUpdate):
    """Describe how far an image request is.

    Attributes:
        partial_image: a sketch of the image, where `partial_images` asked for some and this one has just come.
        result: None; for updates that are built by hand.
    """

    result: ImageGenerationResponse | None = None
    partial_image: Path | None = None


ProgressCallback = Callable[[VideoGenerationUpdate], Awaitable[None] | None]
ImageProgressCallback = Callable[[ImageGenerationUpdate], Awaitable[None] | None]
