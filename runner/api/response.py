"""What a call gives back: the files, where they lie, and what is known about them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

from runner.artifacts.result import Artifact, Cost, Result

from .execution import ExecutionMetadata, execution
from .folder import Folder
from .media import Media, copy


class GenerationResponse(BaseModel):
    """What videos and images have in common.

    The files lie in `directory`. Without an `output_dir` that is a temporary one, which is deleted when the response
    and all media read from it are gone, or at `close()`: `save` copies a file to where it stays. Nothing is held in
    memory until it is asked for.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str
    status: Literal["completed"] = "completed"
    content_type: str
    is_mock: bool
    provider: str
    model: str
    """What was sent as the model."""
    directory: Path
    warnings: tuple[str, ...] = ()
    cost: Cost
    raw_response: dict[str, Any]  # Any: the server's JSON
    provider_metadata: dict[str, Any]  # Any: endpoint, request id, the request as sent
    execution_metadata: ExecutionMetadata

    _folder: Folder = PrivateAttr()
    _files: tuple[Artifact, ...] = PrivateAttr()

    def held(self, folder: Folder, files: tuple[Artifact, ...]) -> Self:
        """The same, keeping the folder as long as it lives."""
        self._folder, self._files = folder, files
        return self

    def save(self, path: str | Path) -> Path:
        """Copy the (first) file to `path`, or into it if that is a directory; returns where it is now."""
        return copy(self.directory / self._files[0].path, path)

    def close(self) -> None:
        """Delete the temporary directory now; files in an `output_dir` stay."""
        self._folder.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _media(self, file: Artifact) -> Media:
        return Media.read(self.directory / file.path, file.media_type, self._folder)


class VideoGenerationResponse(GenerationResponse):
    """A finished video; `request_id` is the job's id, as a remix takes it.

    Attributes:
        duration: seconds, as measured in the file.
        resolution: WIDTHxHEIGHT in pixels, as measured in the file.
        aspect_ratio: as asked for, else the file's own.
        others: the further videos where `number_of_videos` asked for several.
    """

    duration: float | None
    resolution: str | None
    aspect_ratio: str | None
    others: tuple[VideoGenerationResponse, ...] = ()

    @property
    def path(self) -> Path:
        """The video's file."""
        return self.directory / self._files[0].path

    @property
    def video(self) -> Media:
        """The video's bytes, with `content_type` and `path`; read from the file each time."""
        return self._media(self._files[0])

    @property
    def videos(self) -> tuple[VideoGenerationResponse, ...]:
        """This one and the others."""
        return (self, *self.others)


class ImageGenerationResponse(GenerationResponse):
    """Finished images."""

    revised_prompt: str | None
    usage: dict[str, Any] | None  # Any: the server's own JSON

    _partials: tuple[Artifact, ...] = PrivateAttr(())

    def sketched(self, partials: Iterable[Artifact]) -> Self:
        """The same, knowing the partial images."""
        self._partials = tuple(partials)
        return self

    @property
    def paths(self) -> tuple[Path, ...]:
        """The images' files."""
        return tuple(self.directory / file.path for file in self._files)

    @property
    def partial_paths(self) -> tuple[Path, ...]:
        """The files of what came before the finished image, where `partial_images` asked for it."""
        return tuple(self.directory / file.path for file in self._partials)

    @property
    def images(self) -> list[Media]:
        """The images' bytes, each with `content_type` and `path`; read from the files each time."""
        return [self._media(file) for file in self._files]

    @property
    def image(self) -> Media:
        """The first image."""
        return self._media(self._files[0])

    def save_all(self, directory: str | Path) -> list[Path]:
        """Copy every image into a directory; returns where they are now."""
        target = Path(directory).expanduser()
        target.mkdir(parents=True, exist_ok=True)
        return [copy(path, target) for path in self.paths]


def shared(result: Result, directory: Path, warnings: tuple[str, ...]) -> dict[str, Any]:  # Any: fields of a response
    """What every response takes over from a run's record."""
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
