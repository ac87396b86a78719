"""Prepare input images before anything is paid; what is sent lies in the run's directory."""

from __future__ import annotations

from pathlib import Path

from runner.artifacts.atomic import discard, write_bytes
from runner.artifacts.download import download
from runner.artifacts.input_image import MAX_INPUT_BYTES, Way, as_sent
from runner.config import ImageRequest, RunConfig, VideoRequest, dialect_of
from runner.errors import ArtifactError, ConfigError, DiskError, RunnerError
from runner.providers.body import MASKS, check_fit, check_images, frame_size
from runner.providers.reference import Address, named, read

from .endpoint import Endpoint
from .recorder import RunRecorder
from .store import Threads


async def prepared(endpoint: Endpoint, recorder: RunRecorder, threads: Threads) -> RunConfig:
    """Return the run's config with its images as they are sent; the same config where they are sent as they are.

    Raises `ArtifactError` where an image cannot be fetched or does not fit the others, `ConfigError` for one at hand
    that cannot be read. Nothing was paid then.
    """
    config = recorder.run.config
    request = config.request
    given = _images(request)
    if not given or (isinstance(request, VideoRequest) and request.video is not None):
        return config
    await recorder.open()
    sent = {
        name: await _sent(endpoint, recorder, threads, image, f"input-{name.removeprefix('image_list.')}")
        for name, image in given.items()
    }
    if sent == given:
        return config
    changed = config.model_copy(update={"request": _with_images(request, sent)})
    await threads.disk(_check, changed)
    recorder.describe(endpoint.provider, changed)
    return changed


def _images(request: VideoRequest | ImageRequest) -> dict[str, str]:
    """Return the request's images by their keys below `request`."""
    listed = {f"image_list.{index}": image for index, image in enumerate(request.image_list)}
    masks = {key: getattr(request, key, None) for key in MASKS.values()}
    return listed | {key: image for key, image in masks.items() if image is not None}


def _with_images(request: VideoRequest | ImageRequest, images: dict[str, str]) -> VideoRequest | ImageRequest:
    listed = tuple(image for key, image in images.items() if key.startswith("image_list."))
    masks = {key: image for key, image in images.items() if not key.startswith("image_list.")}
    return request.model_copy(update={"image_list": listed, **masks})


async def _sent(endpoint: Endpoint, recorder: RunRecorder, threads: Threads, image: str, name: str) -> str:
    """Return the image as it is sent: as it was given, or the path of a file in the run's directory."""
    config, target = recorder.run.config, recorder.run.directory.absolute() / name
    found = await threads.disk(read, image)
    remote = isinstance(found, Address)
    if isinstance(found, Address):
        if not _fetched_here(config):
            return image
        content = await downloaded(endpoint, found, target)
    else:
        content = found.content
    try:
        original = named(target.name, content, "what was downloaded")
        made = await threads.media(_made, config, content)
        sent = original if made is None else named(target.name, made)
    except ConfigError as error:
        if not remote:
            raise
        # Of its own kind: what lies at an address says nothing about the config.
        raise ArtifactError(f"request.image_list: {error}; nothing was sent", hint=error.hint) from error
    if made is None and not remote:
        return image
    path = target.with_name(sent.name)
    await threads.disk(write_bytes, path, sent.content, durable=False)
    return str(path)


def _fetched_here(config: RunConfig) -> bool:
    """Return whether an image at an address is downloaded by us: an edit uploads it, and not every server fetches."""
    request = config.request
    return isinstance(request, ImageRequest) or request.image_fit != "error" or not dialect_of(config.provider).fetches


def _made(config: RunConfig, content: bytes) -> bytes | None:
    """Return what is sent in place of `content`; None where that is sent itself."""
    request, size = config.request, frame_size(config)
    way: Way | None = None
    if isinstance(request, VideoRequest) and request.image_fit != "error" and size is not None:
        way = request.image_fit
    try:
        return as_sent(content, keep_alpha=isinstance(request, ImageRequest), size=size, way=way)
    except ConfigError:
        if config.model.validation == "off" and way is None:
            return None  # the server may know what we do not
        raise


async def downloaded(endpoint: Endpoint, address: Address, target: Path) -> bytes:
    """Return an input image from its address; raises `ArtifactError`, as nothing was paid yet."""
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


def _check(config: RunConfig) -> None:
    """Judge what was only known once it was here."""
    request = config.request
    for problem in check_images(config, request) if isinstance(request, ImageRequest) else check_fit(config):
        if problem.severity == "error":
            raise ArtifactError(f"{problem.key} {problem.message}; nothing was sent", hint=problem.hint)
