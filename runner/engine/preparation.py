"""Input images made fit before anything is paid; what is sent lies in the run's directory."""

from __future__ import annotations

from pathlib import Path

from runner.artifacts.atomic import discard
from runner.artifacts.download import download
from runner.artifacts.fit import Way, fit
from runner.config import RunConfig, VideoRequest
from runner.errors import ArtifactError, DiskError, RunnerError
from runner.providers.fit import frame_size
from runner.providers.reference import Address, File, read

from .endpoint import Endpoint
from .journal import Journal
from .threads import Threads

MAX_INPUT_BYTES = 50 * 1024 * 1024
"""No server takes a larger image."""


async def prepared(endpoint: Endpoint, journal: Journal, threads: Threads) -> RunConfig:
    """The run's config with its images as they are sent; the same config where they are sent as they are."""
    config = journal.run.config
    request, size = config.request, frame_size(config)
    if not isinstance(request, VideoRequest) or request.image_fit == "error" or size is None or not request.image_list:
        return config
    await journal.open()
    images = []
    for index, image in enumerate(request.image_list):
        images.append(await _fitted(endpoint, threads, image, size, request.image_fit, _target(journal, index)))
    changed = config.model_copy(update={"request": request.model_copy(update={"image_list": tuple(images)})})
    journal.describe(endpoint.provider, changed)
    return changed


async def _fitted(
    endpoint: Endpoint, threads: Threads, image: str, size: tuple[int, int], way: Way, target: Path
) -> str:
    found = await threads.disk(read, image)
    content = found.content if isinstance(found, File) else await downloaded(endpoint, found, target)
    written = await threads.media(fit, content, size, way, target)
    if not written and isinstance(found, Address):
        # It has the size, and what was downloaded is what is sent.
        await threads.disk(target.write_bytes, content)
        written = True
    return str(target) if written else image


def _target(journal: Journal, index: int) -> Path:
    return journal.run.directory.absolute() / f"input-{index}.png"


async def downloaded(endpoint: Endpoint, address: Address, target: Path) -> bytes:
    """An input image from its address; raises `ArtifactError`, as nothing was paid yet."""
    part = target.with_suffix(".part")
    try:
        async with endpoint.transfer(), endpoint.provider.fetch(address.url, by_user=True) as content:
            slowest = endpoint.config.min_bytes_per_second
            await download(content, part, limit=MAX_INPUT_BYTES, min_bytes_per_second=slowest)
        return part.read_bytes()
    except DiskError:
        raise
    except RunnerError as error:
        # Of its own kind: that an image's host is down says nothing about the endpoint, nor about other runs.
        raise ArtifactError(f"request.image_list: the image could not be fetched: {error}",
                            hint="nothing was sent or paid; give a local copy's path") from error  # fmt: skip
    finally:
        discard(part)
