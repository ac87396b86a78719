"""From the engine's record of a run to the response or the error that the caller gets."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from runner.artifacts.result import Artifact, Result, RunStatus
from runner.engine import Run
from runner.errors import RunnerError

from .folder import Folder
from .response import ImageGenerationResponse, VideoGenerationResponse, shared


def video_response(
    results: Sequence[Result], runs: Sequence[Run], folder: Folder, warnings: tuple[str, ...]
) -> VideoGenerationResponse:
    """Return the first video, which knows the others; runs that did not succeed are left out."""
    made = [each for each in zip(results, runs, strict=True) if each[0].status is RunStatus.VERIFIED]
    first, *others = [_video(result, run, folder, warnings) for result, run in made]
    return first.model_copy(update={"others": tuple(others)}) if others else first


def _video(result: Result, run: Run, folder: Folder, warnings: tuple[str, ...]) -> VideoGenerationResponse:
    file = next(artifact for artifact in result.artifacts if artifact.path.startswith("video."))
    return VideoGenerationResponse(
        request_id=result.job_id or "",
        content_type=file.media_type,
        duration=file.duration_seconds,
        resolution=f"{file.width}x{file.height}" if file.width and file.height else None,
        aspect_ratio=run.config.request.aspect_ratio or _ratio(file),
        audio_url=_audio_url(result),
        **shared(result, run.directory, warnings),
    ).held(folder, (file,))


def image_response(
    result: Result, run: Run, folder: Folder, warnings: tuple[str, ...], request_id: str
) -> ImageGenerationResponse:
    """Return the images that one request made."""
    files = tuple(artifact for artifact in result.artifacts if artifact.path.startswith("image-"))
    raw = result.raw_response or {}
    return (
        ImageGenerationResponse(
            request_id=request_id,
            content_type=files[0].media_type,
            revised_prompt=next((file.revised_prompt for file in files if file.revised_prompt), None),
            usage=raw.get("usage"),
            **shared(result, run.directory, warnings),
        )
        .sketched(result.partial_images)
        .held(folder, files)
    )


def failure(result: Result, error: RunnerError | None) -> RunnerError:
    """Return why a run did not succeed, with all that its record knows."""
    if error is None:
        error = RunnerError(f"the run was not finished: it is {result.status.value}")
    for warning in result.warnings:
        error.add_note(warning)
    error.provider = error.provider or result.provider
    error.model = error.model or result.deployment or result.model
    error.job_id = error.job_id or result.job_id
    error.request_id = error.request_id or error.job_id or result.request_id
    error.raw_response = error.raw_response or result.raw_response
    return error


def _audio_url(result: Result) -> str | None:
    address = (result.raw_response or {}).get("audio_url")
    return address if isinstance(address, str) else None


def _ratio(file: Artifact) -> str | None:
    if not file.width or not file.height:
        return None
    common = gcd(file.width, file.height)
    return f"{file.width // common}:{file.height // common}"
