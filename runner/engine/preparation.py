"""Prepare what is sent before anything is paid: input images, which lie in the run's directory then, and a mark."""

from __future__ import annotations

import hashlib
from pathlib import Path

from runner.artifacts.atomic import discard, write_bytes
from runner.artifacts.download import download
from runner.artifacts.picture import MAX_INPUT_BYTES, Way, as_sent
from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.config.provider import dialect_of
from runner.config.request import ImageRequest, VideoRequest
from runner.config.run import RunConfig
from runner.errors import ArtifactError, ConfigError, DiskError, RunnerError
from runner.providers.body import check_fit, check_images, fetched_here, frame_size, given_images
from runner.providers.reference import Address, named, read

from .endpoint import Endpoint
from .matching import MARK, MARK_KEY
from .recorder import RunRecorder


async def prepared(endpoint: Endpoint, recorder: RunRecorder) -> RunConfig:
    """Return the run's config with its images and its mark as they are sent, which the record tells then.

    It is the same config where nothing was changed. Raises `ArtifactError` where an image cannot be fetched or does not
    fit the others, `ConfigError` for one at hand that cannot be read. Nothing was paid then.
    """
    config = recorder.run.config
    sent = marked(await _with_images_here(endpoint, recorder), recorder.result)
    if sent is not config:
        recorder.describe(endpoint.provider, sent)
    return sent


def marked(config: RunConfig, result: Result) -> RunConfig:
    """Return the config with a mark of its run in what is sent, where the provider's config names a field for it.

    All requests of a run carry the same: which of them made a job does not matter. What the user sends there stays.
    """
    name, request = getattr(config.provider, "mark_field", None), config.request
    told = name is not None and dialect_of(config.provider).tells_mark
    if name is None or not told or name in request.extra_params or not isinstance(request, VideoRequest):
        return config
    begun = f"{result.timestamps[RunStatus.PLANNED.value].isoformat()} {result.index} {request.prompt}"
    mark = f"{MARK}{hashlib.sha256(begun.encode()).hexdigest()[:24]}"
    extra = {**request.extra_params, name: {MARK_KEY: mark} if name == "metadata" else mark}
    return config.model_copy(update={"request": request.model_copy(update={"extra_params": extra})})


async def _with_images_here(endpoint: Endpoint, recorder: RunRecorder) -> RunConfig:
    """Return the config with its images as files that fit, which are the given ones where these do."""
    config = recorder.run.config
    request = config.request
    given = given_images(request)
    if not given or (isinstance(request, VideoRequest) and request.video is not None):
        return config
    await recorder.open()
    sent = {
        name: await _sent(endpoint, recorder, image, f"input-{name.removeprefix('image_list.')}")
        for name, image in given.items()
    }
    if sent == given:
        return config
    changed = config.model_copy(update={"request": _with_images(request, sent)})
    await recorder.threads.disk(_check, changed)
    return changed


def _with_images(request: VideoRequest | ImageRequest, images: dict[str, str]) -> VideoRequest | ImageRequest:
    listed = tuple(image for key, image in images.items() if key.startswith("image_list."))
    masks = {key: image for key, image in images.items() if not key.startswith("image_list.")}
    return request.with_images(listed).model_copy(update=masks)


async def _sent(endpoint: Endpoint, recorder: RunRecorder, image: str, name: str) -> str:
    """Return the image as it is sent: as it was given, or the path of a file in the run's directory."""
    config, target = recorder.run.config, recorder.run.directory.absolute() / name
    found = await recorder.threads.disk(read, image)
    remote = isinstance(found, Address)
    if isinstance(found, Address):
        if not fetched_here(config):
            return image
        content = await downloaded(endpoint, found, target)
    else:
        content = found.content
    try:
        original = named(target.name, content, "what was downloaded")
        made = await recorder.threads.media(_made, config, content)
        sent = original if made is None else named(target.name, made)
    except ConfigError as error:
        if not remote:
            raise
        # Of its own kind: what lies at an address says nothing about the config.
        raise ArtifactError(f"request.image_list: {error}; nothing was sent", hint=error.hint) from error
    if made is None and not remote:
        return image
    path = target.with_name(sent.name)
    await recorder.threads.disk(write_bytes, path, sent.content, durable=False)
    return str(path)


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
    for problem in check_images(config) if isinstance(config.request, ImageRequest) else check_fit(config):
        if problem.severity == "error":
            raise ArtifactError(f"{problem.key} {problem.message}; nothing was sent", hint=problem.hint)
