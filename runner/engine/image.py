"""An image request's way: generate, decode, verify, record."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from runner.artifacts.arrived import intact
from runner.artifacts.atomic import publish
from runner.artifacts.download import Stored
from runner.artifacts.images import decode
from runner.artifacts.picture import Picture, examine
from runner.artifacts.result import Pending, RunStatus
from runner.config import ImageRequest, RunConfig, actual_cost
from runner.errors import ArtifactError, DiskError
from runner.providers.base import GeneratedImage, ImageBatch

from .collect import collect
from .endpoint import Endpoint
from .image_inputs import uploadable
from .journal import Journal
from .partials import image_artifact, on_partial
from .payment import pay, settled
from .preview import add_thumbnail
from .run import Run
from .threads import Threads


async def make_images(endpoint: Endpoint, journal: Journal, threads: Threads) -> None:
    """Generate the images of one request; the run is verified when this returns.

    Images that arrive whole are kept although a sibling is lost.
    """
    config = await uploadable(endpoint, journal, threads)
    # Settled as a whole: images have no id to come back for, so that an interrupted run keeps what it paid for.
    await settled(_make(endpoint, journal, threads, config))


async def _make(endpoint: Endpoint, journal: Journal, threads: Threads, config: RunConfig) -> None:
    async def keep(batch: ImageBatch) -> None:
        # Decoded while the request counts as in flight: that is what bounds the memory.
        await _keep(journal, threads, batch)

    sketch = on_partial(journal, threads)
    await pay(endpoint, journal, lambda _: endpoint.provider.generate(config, sketch), keep)
    await finish_images(endpoint, journal, threads)


async def finish_images(endpoint: Endpoint, journal: Journal, threads: Threads) -> None:
    """Check and name what an answer has brought, also one that an earlier process got; the run is verified then."""
    first: Picture | None = None
    lost: ArtifactError | None = None
    for pending in journal.result.pending:
        try:
            stored, picture = await _finished(endpoint, journal, threads, pending)
            journal.add(image_artifact(stored.path.name, stored, picture, pending.revised_prompt))
            first = first or picture
        except ArtifactError as error:
            lost = lost or error
    if first is not None and first.small is not None:
        await add_thumbnail(journal, threads, first.small)
    if lost is not None:
        raise lost
    journal.await_check([])
    journal.mark(RunStatus.VERIFIED)


def left_behind(run: Run) -> list[Pending]:
    """The images that a killed process had brought to disk but not recorded, if all are there and whole; else none."""
    request = run.config.request
    found = []
    for number in range(request.n if isinstance(request, ImageRequest) else 0):
        part = run.directory / f"image-{number}.part"
        try:
            examine(part)
            content = part.read_bytes()
        except (ArtifactError, OSError):
            return []
        found.append(Pending(path=part.name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest()))
    return found


async def _keep(journal: Journal, threads: Threads, batch: ImageBatch) -> None:
    """Bring what came to disk, each piece with the prompt that the provider made of the run's."""
    _account(journal, batch)
    try:
        pieces = [await _store(journal, threads, image, f"image-{n}.part") for n, image in enumerate(batch.images)]
        journal.await_check(pieces or [Pending(path="image-0.part", lost="the answer holds no image")])
        await journal.reach(RunStatus.COMPLETED)
    except DiskError as error:
        journal.mark(RunStatus.FAILED)
        raise DiskError(f"images that were paid for could not be kept: {error}", hint=error.hint) from error


def _account(journal: Journal, batch: ImageBatch) -> None:
    config = journal.run.config
    journal.answered(batch)
    if batch.usage is not None:
        used = batch.usage
        journal.paid(actual_cost(config, text_in=used.text_in, image_in=used.image_in, image_out=used.image_out))
    if isinstance(config.request, ImageRequest) and len(batch.images) != config.request.n:
        journal.warn(f"images asked for: {config.request.n}; images that came: {len(batch.images)}")


async def _store(journal: Journal, threads: Threads, image: GeneratedImage, name: str) -> Pending:
    come = Pending(path=name, url=image.url, revised_prompt=image.revised_prompt)
    if image.b64 is None:
        lost = None if image.url else "the answer names neither data nor an address for an image"
        return come.model_copy(update={"lost": lost})
    try:
        stored = await threads.media(decode, image.b64, journal.run.directory / name)
    except ArtifactError as error:
        return come.model_copy(update={"url": None, "lost": error.message})
    return come.model_copy(update={"url": None, "bytes": stored.bytes, "sha256": stored.sha256})


async def _finished(endpoint: Endpoint, journal: Journal, threads: Threads, pending: Pending) -> tuple[Stored, Picture]:
    """Check one image and give it its final name."""
    part = journal.run.directory / pending.path
    try:
        stored, picture = await _checked(endpoint, journal, threads, pending, part)
    except ArtifactError:
        if pending.url is None:
            # Only an address can be asked again without paying again.
            journal.mark(RunStatus.FAILED)
        raise
    final = part.with_name(f"{part.stem}.{picture.extension}")
    await threads.disk(publish, stored.path, final)
    return replace(stored, path=final), picture


async def _checked(
    endpoint: Endpoint, journal: Journal, threads: Threads, pending: Pending, part: Path
) -> tuple[Stored, Picture]:
    if pending.lost is not None:
        raise ArtifactError(pending.lost)
    if (url := pending.url) is not None:
        return await collect(
            endpoint,
            journal,
            lambda: endpoint.provider.fetch(url),
            part,
            lambda path: threads.media(examine, path),
        )
    stored = Stored(part, pending.bytes, pending.sha256 or "")
    if journal.run.earlier is not None:
        stored = await threads.media(_found, pending, part)
    return stored, await threads.media(examine, stored.path)


def _found(pending: Pending, part: Path) -> Stored:
    """What an earlier process has left, which may have got its final name already."""
    for path in (part, *part.parent.glob(f"{part.stem}.*")):
        if (stored := intact(path, pending)) is not None:
            return stored
    raise ArtifactError(f"{part.name}, which had arrived, is gone or was changed")
