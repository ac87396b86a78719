"""Generate videos and images, awaited or blocking: the API's four functions."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import uuid
import weakref
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.engine.execution import Session
from runner.engine.recorder import BudgetTracker
from runner.engine.run import gives_way
from runner.errors import RunnerError

from .config import GenerationConfig, ImageGenerationConfig, VideoGenerationConfig
from .media import Folder
from .order import Order, along, along_async, order
from .progress import ImageProgressCallback, Progress, ProgressCallback
from .request import GenerationRequest, ImageGenerationRequest, VideoGenerationRequest
from .response import ImageGenerationResponse, VideoGenerationResponse, failure, image_response, video_response

T = TypeVar("T")

_log = logging.getLogger("runner")

_sessions: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Session] = weakref.WeakKeyDictionary()
"""Calls on one loop share an engine; one that nobody uses holds nothing open."""


async def generate_video_async(
    config: VideoGenerationConfig,
    request: VideoGenerationRequest,
    on_progress: ProgressCallback | None = None,
    *,
    output_dir: str | Path | None = None,
) -> VideoGenerationResponse:
    """Generate a video without blocking the event loop.

    `on_progress` is called, or awaited in turn, for every answer about the job; what it raises is logged. Of several
    videos those that succeeded come back, with a warning for each that did not. Raises a `RunnerError`; a job that
    goes on at the provider is named by `error.job_id`, and its directory stays. A provider of `register_provider` gets
    `on_progress` as it is, and writes nothing.
    """
    return await along_async(
        config,
        lambda choice, followed: _video(choice, request, on_progress, output_dir, followed=followed),
        lambda handler, choice: handler.generate_video_async(choice, request, on_progress=on_progress),
        VideoGenerationResponse,
    )


def generate_video(
    config: VideoGenerationConfig,
    request: VideoGenerationRequest,
    on_progress: ProgressCallback | None = None,
    *,
    output_dir: str | Path | None = None,
) -> VideoGenerationResponse:
    """Generate a video and wait for it, as `generate_video_async` does.

    Inside a running event loop (a notebook) the work is done in a thread, where `on_progress` is then called; the loop
    waits.
    """
    return along(
        config,
        lambda choice, followed: waited(_video(choice, request, on_progress, output_dir, followed=followed)),
        lambda handler, choice: handler.generate_video(choice, request, on_progress=on_progress),
        VideoGenerationResponse,
    )


async def generate_image_async(
    config: ImageGenerationConfig,
    request: ImageGenerationRequest,
    on_progress: ImageProgressCallback | None = None,
    *,
    output_dir: str | Path | None = None,
) -> ImageGenerationResponse:
    """Generate or edit images without blocking the event loop; otherwise as `generate_video_async`."""
    return await along_async(
        config,
        lambda choice, followed: _images(choice, request, on_progress, output_dir, followed=followed),
        lambda handler, choice: handler.generate_image_async(choice, request, on_progress=on_progress),
        ImageGenerationResponse,
    )


def generate_image(
    config: ImageGenerationConfig,
    request: ImageGenerationRequest,
    on_progress: ImageProgressCallback | None = None,
    *,
    output_dir: str | Path | None = None,
) -> ImageGenerationResponse:
    """Generate or edit images and wait for them; otherwise as `generate_video`."""
    return along(
        config,
        lambda choice, followed: waited(_images(choice, request, on_progress, output_dir, followed=followed)),
        lambda handler, choice: handler.generate_image(choice, request, on_progress=on_progress),
        ImageGenerationResponse,
    )


async def _video(
    config: VideoGenerationConfig,
    request: VideoGenerationRequest,
    on_progress: ProgressCallback | None,
    output_dir: str | Path | None,
    *,
    followed: bool,
) -> VideoGenerationResponse:
    done = await _carry_out(config, request, Progress(on_progress, new_request_id()), output_dir, followed)
    return video_response(done.results, done.order.runs, done.folder, done.warnings)


async def _images(
    config: ImageGenerationConfig,
    request: ImageGenerationRequest,
    on_progress: ImageProgressCallback | None,
    output_dir: str | Path | None,
    *,
    followed: bool,
) -> ImageGenerationResponse:
    request_id = new_request_id()
    done = await _carry_out(config, request, Progress(on_progress, request_id), output_dir, followed)
    return image_response(done.results[0], done.order.runs[0], done.folder, done.warnings, request_id)


@dataclass(frozen=True, slots=True)
class _Done:
    order: Order
    results: list[Result]
    folder: Folder
    warnings: tuple[str, ...]


async def _carry_out(
    config: GenerationConfig,
    request: GenerationRequest,
    progress: Progress,
    output_dir: str | Path | None,
    followed: bool,
) -> _Done:
    folder, made = await asyncio.to_thread(_prepare, config, request, output_dir, followed)
    try:
        ends = await _ends(made, progress)
        await progress.finish()
    except BaseException:
        progress.drop()
        raise
    finally:
        if progress.unfinished:
            folder.keep()
            _log.warning("not all that may have been paid arrived; what arrived and its record are in %s", folder.path)
    failures = [failure(result, error) for result, error in ends if result.status is not RunStatus.VERIFIED]
    if len(failures) == len(ends):
        # While one run may still bring a file, the call must not be paid for elsewhere.
        raise next((error for error in failures if not gives_way(error)), failures[0])
    return _Done(made, [result for result, _ in ends], folder, (*made.warnings, *map(str, failures)))


async def _ends(made: Order, progress: Progress) -> list[tuple[Result, RunnerError | None]]:
    session = _sessions.setdefault(asyncio.get_running_loop(), Session())
    budget_tracker = BudgetTracker(made.runs[0].config.budget.max_usd)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    session.execute(
                        run,
                        observer=progress,
                        create=made.create,
                        owner=made.keys.of,
                        budget_tracker=budget_tracker,
                    )
                )
                for run in made.runs
            ]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _prepare(
    config: GenerationConfig, request: GenerationRequest, output_dir: str | Path | None, followed: bool
) -> tuple[Folder, Order]:
    import runner.providers.sdk  # noqa: F401 - takes half a second, which must not be the event loop's

    parent = config.output_dir if output_dir is None else Path(output_dir)
    folder = Folder(parent)
    try:
        return folder, order(config, request, folder.path, followed=followed)
    except BaseException:
        folder.discard()
        raise


_HEARD_AFTER = 0.2
"""Seconds after which Ctrl-C is heard at the latest while a thread does the work."""


def waited(work: Coroutine[Any, Any, T]) -> T:  # Any: what a coroutine yields and is sent is asyncio's
    """Return what comes of `work`; inside a running event loop it is done in a thread, which Ctrl-C cancels."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = Future()

    async def cancellable() -> T:
        task = asyncio.create_task(work)
        begun.set_result((asyncio.get_running_loop(), task))
        return await task

    with ThreadPoolExecutor(1, thread_name_prefix="runner-api") as thread:
        done = thread.submit(contextvars.copy_context().run, asyncio.run, cancellable())
        try:
            while not done.done():
                # Another thread may take the signal, and does not wake one that waits for good.
                wait([done], timeout=_HEARD_AFTER)
            return done.result()
        except KeyboardInterrupt:
            loop, task = begun.result()
            with suppress(RuntimeError):  # it has ended just now
                loop.call_soon_threadsafe(task.cancel)
            raise


def new_request_id() -> str:
    return f"request_{uuid.uuid4().hex}"
