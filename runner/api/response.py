"""Make of the engine's record of a run the response or the error that the caller gets, and what was tried for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import gcd
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    PrivateAttr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from runner.artifacts.atomic import output_errors
from runner.artifacts.result import Artifact, Attempt, Cost, Result
from runner.artifacts.run_status import RunStatus
from runner.config.frozen import Frozen
from runner.engine.run import Run
from runner.errors import RunnerError

from .media import Folder, Media, MediaType, as_json, copy, write
from .request import refuse_unknown


class AttemptMetadata(Frozen):
    """Describe one provider and model that was tried; several requests to it, as after a 429, are one attempt."""

    attempt_number: int
    provider: str
    model: str
    """What was sent as the model."""
    started_at: dt.datetime
    ended_at: dt.datetime | None = None
    status: Literal["success", "failed", "skipped", "processing"]
    """success or failed; the others are for attempts that are built by hand."""
    error_type: str | None = None
    error_message: str | None = None
    is_retryable: bool | None = None
    request_id: str | None = None
    """The job's id, where there was one."""

    @property
    def elapsed_seconds(self) -> float | None:
        """Return seconds from the paid request to the end, None while there is none."""
        return None if self.ended_at is None else (self.ended_at - self.started_at).total_seconds()


class ExecutionMetadata(Frozen):
    """Describe all attempts of one request, in their order.

    Attributes:
        total_attempts: how many places were tried.
        successful_attempt: the number of the attempt that succeeded, counted from 1.
        fallback_triggered: whether more than the first choice was tried.
    """

    attempts: tuple[AttemptMetadata, ...]
    configs_in_chain: int = 1
    total_attempts: int = 0
    successful_attempt: int | None = None
    fallback_triggered: bool = False

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, given: Any) -> Any:  # Any: not yet validated
        """Count the attempts, unless it is said how many there were."""
        attempts = given.get("attempts") if isinstance(given, dict) else None
        if not isinstance(attempts, list | tuple) or not all(isinstance(each, AttemptMetadata) for each in attempts):
            return given
        succeeded = next((each.attempt_number for each in attempts if each.status == "success"), None)
        counted = {"total_attempts": len(attempts), "successful_attempt": succeeded}
        return {**counted, "fallback_triggered": len(attempts) > 1, **given}

    @property
    def total_elapsed_seconds(self) -> float:
        """Return seconds from the first attempt's start to the last one's end."""
        ends = [each.ended_at for each in self.attempts if each.ended_at is not None]
        return (max(ends) - self.attempts[0].started_at).total_seconds() if ends else 0.0


def execution(result: Result) -> ExecutionMetadata:
    """Return what a run's record says about its attempts."""
    groups = [list(group) for _, group in groupby(result.attempts, key=lambda attempt: attempt.choice)]
    attempts = tuple(_attempt(number, group, result) for number, group in enumerate(groups, 1))
    return ExecutionMetadata(attempts=attempts, configs_in_chain=1 + len(result.config.fallbacks))


def _attempt(number: int, requests: Sequence[Attempt], result: Result) -> AttemptMetadata:
    first, last = requests[0], requests[-1]
    present = last.choice == result.choice
    error = result.error if present and result.error is not None else last.error
    done = present and result.status is RunStatus.VERIFIED
    return AttemptMetadata(
        attempt_number=number,
        provider=last.provider,
        model=last.model,
        started_at=first.started_at,
        ended_at=max(result.timestamps.values(), default=None) if present else last.ended_at,
        status="success" if done else "failed",
        error_type=None if done or error is None else error.type,
        error_message=None if done or error is None else error.message,
        is_retryable=None if done or error is None else error.retryable,
        request_id=last.job_id,
    )


class GenerationResponse(BaseModel):
    """Hold what responses with videos and with images have in common.

    The files lie in `directory`. Without an `output_dir` that is a temporary one, which is deleted when the response
    and all media read from it are gone, or at `close()`: `save` copies a file to where it stays. Pickled, it keeps its
    files until what was loaded is closed. Nothing is held in memory until it is asked for.

    A response can also be built by hand, as a test's stand-in or by a provider of your own: with a `request_id` and
    its media (`video=`, `images=`), which are given back as they are. It has no directory and no files.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    given_as: ClassVar[str]
    """The keyword for media that are given by hand."""

    request_id: str
    status: Literal["completed", "failed"] = "completed"
    content_type: str | None = None
    is_mock: bool = False
    provider: str = ""
    model: str = ""
    """What was sent as the model."""
    directory: Path | None = None
    warnings: tuple[str, ...] = ()
    cost: Cost = Cost()
    raw_response: dict[str, Any] = {}  # Any: the server's JSON
    provider_metadata: dict[str, Any] = {}  # Any: endpoint, request id, the request as sent
    execution_metadata: ExecutionMetadata | None = None

    _folder: Folder | None = PrivateAttr(None)
    _files: tuple[Artifact, ...] = PrivateAttr(())
    _given: tuple[MediaType, ...] = PrivateAttr(())

    def held(self, folder: Folder, files: tuple[Artifact, ...]) -> Self:
        """Return the same, keeping the folder as long as it lives."""
        self._folder, self._files = folder, files
        return self

    def save(self, path: str | Path) -> Path:
        """Copy the (first) file to `path`, or into it if that is a directory; returns where it is now."""
        return self._saved(0, path)

    def close(self) -> None:
        """Delete the temporary directory now; files in an `output_dir` stay."""
        if self._folder is not None:
            self._folder.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @model_serializer(mode="wrap")
    def _with_media(
        self, fields: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:  # Any: one value per field
        """Add the media that were given by hand; files stay where they are."""
        data: dict[str, Any] = fields(self)
        if self._given:
            media = [as_json(each) if info.mode == "json" else each for each in self._given]
            data[self.given_as] = media if self.given_as == "images" else media[0]
        return data

    def _media(self) -> list[Media]:
        if self._given or self._folder is None:
            return cast("list[Media]", list(self._given))
        folder, types = self._folder, (file.media_type for file in self._files)
        return [Media.read(path, kind, folder) for path, kind in zip(self._paths(), types, strict=True)]

    def _paths(self) -> tuple[Path, ...]:
        if self.directory is None or not self._files:
            raise RunnerError("this response was built by hand and has no files", hint="save(path) writes one")
        return tuple(self.directory / file.path for file in self._files)

    def _saved(self, number: int, path: str | Path) -> Path:
        if self._folder is not None:
            return copy(self._paths()[number], path)
        if not self._given:
            raise RunnerError("this response was built by hand, without media", hint=f"give it {self.given_as}=…")
        kind = (self.content_type or "").rpartition("/")[2] or "bin"
        return write(self._given[number], f"{self.given_as.removesuffix('s')}-{number}.{kind}", path)


class VideoGenerationResponse(GenerationResponse):
    """Describe a finished video; `request_id` is the job's id, as a remix takes it.

    Attributes:
        duration: seconds, as measured in the file.
        resolution: WIDTHxHEIGHT in pixels, as measured in the file.
        aspect_ratio: as asked for, else the file's own.
        audio_url: where the sound is, if the server keeps it apart.
        others: the further videos where `number_of_videos` asked for several.
    """

    given_as = "video"

    duration: float | None = None
    resolution: str | None = None
    aspect_ratio: str | None = None
    audio_url: str | None = None
    others: tuple[VideoGenerationResponse, ...] = ()

    def __init__(self, *, video: MediaType | None = None, **fields: Any) -> None:  # Any: one value per field
        """Take the fields, and of a response built by hand its video."""
        refuse_unknown(fields, type(self).model_fields)
        super().__init__(**fields)
        self._given = () if video is None else (video,)

    @property
    def path(self) -> Path:
        """Return the video's file."""
        return self._paths()[0]

    @property
    def video(self) -> Media:
        """Return the video's bytes, with `content_type` and `path`, read anew each time; by hand: what was given."""
        return self._media()[0]

    @property
    def videos(self) -> tuple[VideoGenerationResponse, ...]:
        """Return this response and the others."""
        return (self, *self.others)


class ImageGenerationResponse(GenerationResponse):
    """Hold finished images."""

    given_as = "images"

    content_type: str | None = "image/png"
    revised_prompt: str | None = None
    usage: dict[str, Any] | None = None  # Any: the server's own JSON

    _partials: tuple[Artifact, ...] = PrivateAttr(())

    def __init__(self, *, images: Sequence[MediaType] = (), **fields: Any) -> None:  # Any: one value per field
        """Take the fields, and of a response built by hand its images."""
        refuse_unknown(fields, type(self).model_fields)
        super().__init__(**fields)
        self._given = tuple(images)

    def sketched(self, partials: Iterable[Artifact]) -> Self:
        """Return the same, knowing the partial images."""
        self._partials = tuple(partials)
        return self

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return the images' files."""
        return self._paths()

    @property
    def partial_paths(self) -> tuple[Path, ...]:
        """Return the files of what came before the finished image, where `partial_images` asked for it."""
        return tuple((self.directory or Path()) / file.path for file in self._partials)

    @property
    def images(self) -> list[Media]:
        """Return the images' bytes, with `content_type` and `path`, read anew each time; by hand: what was given."""
        return self._media()

    @property
    def image(self) -> Media:
        """Return the first image."""
        return self._media()[0]

    def save_all(self, directory: str | Path) -> list[Path]:
        """Copy every image into a directory; returns where they are now, and raises `DiskError`."""
        target = Path(directory).expanduser()
        with output_errors(target):
            target.mkdir(parents=True, exist_ok=True)
        return [self._saved(number, target) for number in range(len(self._files or self._given))]


def shared(result: Result, directory: Path, warnings: tuple[str, ...]) -> dict[str, Any]:  # Any: fields of a response
    """Return what every response takes over from a run's record."""
    return {
        "is_mock": result.provider == "emulator",
        "provider": result.provider,
        "model": result.deployment or result.model,
        "directory": directory,
        "warnings": tuple(dict.fromkeys([*warnings, *result.warnings])),
        "cost": result.cost,
        "raw_response": result.raw_response or {},
        "provider_metadata": {
            "endpoint": result.endpoint,
            "request_id": result.request_id,
            "request_sent": result.request_sent,
        },
        "execution_metadata": execution(result),
    }


def video_response(
    results: Sequence[Result], runs: Sequence[Run], folder: Folder, warnings: tuple[str, ...]
) -> VideoGenerationResponse:
    """Return the first video, which knows the others; runs that did not succeed are left out."""
    made = [each for each in zip(results, runs, strict=True) if each[0].status is RunStatus.VERIFIED]
    first, *others = [_video(result, run, folder, warnings) for result, run in made]
    return first.model_copy(update={"others": tuple(others)}) if others else first


def _video(result: Result, run: Run, folder: Folder, warnings: tuple[str, ...]) -> VideoGenerationResponse:
    address = (result.raw_response or {}).get("audio_url")
    file = next(artifact for artifact in result.artifacts if artifact.path.startswith("video."))
    return VideoGenerationResponse(
        request_id=result.job_id or "",
        content_type=file.media_type,
        duration=file.duration_seconds,
        resolution=f"{file.width}x{file.height}" if file.width and file.height else None,
        aspect_ratio=run.config.request.aspect_ratio or _ratio(file),
        audio_url=address if isinstance(address, str) else None,
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


def _ratio(file: Artifact) -> str | None:
    if not file.width or not file.height:
        return None
    common = gcd(file.width, file.height)
    return f"{file.width // common}:{file.height // common}"
