"""Input images of an edit that lie at an address: downloaded into the run's directory before anything is paid."""

from __future__ import annotations

from pathlib import Path

from runner.artifacts.atomic import write_bytes
from runner.config import ImageRequest, RunConfig
from runner.errors import ArtifactError, ConfigError
from runner.providers.image_input import OVERLAYS, check
from runner.providers.reference import Address, named

from .endpoint import Endpoint
from .journal import Journal
from .preparation import downloaded
from .threads import Threads


async def uploadable(endpoint: Endpoint, journal: Journal, threads: Threads) -> RunConfig:
    """The run's config with each address replaced by the file that it gave; the same config where there is none.

    Raises `ArtifactError` where an image cannot be had, or does not fit the others.
    """
    config = journal.run.config
    request = config.request
    if not isinstance(request, ImageRequest) or not any(map(_remote, _images(request))):
        return config
    await journal.open()

    async def local(image: str, name: str) -> str:
        return await _brought(endpoint, threads, image, journal.run.directory / name) if _remote(image) else image

    images = [await local(image, f"input-{index}") for index, image in enumerate(request.image_list)]
    overlays = {key: image for key in OVERLAYS.values() if (image := getattr(request, key)) is not None}
    changes = {key: await local(image, f"input-{key}") for key, image in overlays.items()}
    found = request.model_copy(update={"image_list": tuple(images), **changes})
    changed = config.model_copy(update={"request": found})
    await _check(changed, found, threads)
    journal.describe(endpoint.provider, changed)
    return changed


def _images(request: ImageRequest) -> list[str]:
    overlays = (getattr(request, key) for key in OVERLAYS.values())
    return [*request.image_list, *(image for image in overlays if image is not None)]


def _remote(image: str) -> bool:
    return image.startswith(("http://", "https://"))


async def _brought(endpoint: Endpoint, threads: Threads, image: str, target: Path) -> str:
    content = await downloaded(endpoint, Address(image), target)
    try:
        kind = named(target.name, content, "what was downloaded").media_type
    except ConfigError as error:
        raise ArtifactError(f"request.image_list: {error}; nothing was sent", hint=error.hint) from error
    path = target.with_suffix(f".{kind.removeprefix('image/')}")
    await threads.disk(write_bytes, path, content, durable=False)
    return str(path.absolute())


async def _check(config: RunConfig, request: ImageRequest, threads: Threads) -> None:
    for problem in await threads.disk(check, config, request):
        if problem.severity == "error":
            raise ArtifactError(f"{problem.key} {problem.message}; nothing was sent", hint=problem.hint)
