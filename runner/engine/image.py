"""An image request's way: generate, decode, verify, record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner.artifacts.atomic import publish
from runner.artifacts.download import Stored
from runner.artifacts.images import decode
from runner.artifacts.picture import Picture, examine
from runner.artifacts.result import Cost, RunStatus
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
from .threads import Threads

_Piece = Stored | str | ArtifactError
"""One image of the answer: on disk, still at an address, or lost."""


async def make_images(endpoint: Endpoint, journal: Journal, threads: Threads) -> None:
    """Generate the images of one request; the run is verified when this returns.

    Images that arrive whole are kept although a sibling is lost.
    """
    config = await uploadable(endpoint, journal, threads)
    # Settled as a whole: images have no id to come back for, so that an interrupted run keeps what it paid for.
    await settled(_make(endpoint, journal, threads, config))


async def _make(endpoint: Endpoint, journal: Journal, threads: Threads, config: RunConfig) -> None:
    async def keep(batch: ImageBatch) -> list[tuple[_Piece, str | None]]:
        # Decoded while the request counts as in flight: that is what bounds the memory.
        return await _keep(journal, threads, batch)

    sketch = on_partial(journal, threads)
    pieces = await pay(endpoint, journal, lambda _: endpoint.provider.generate(config, sketch), keep)
    first: Picture | None = None
    lost: ArtifactError | None = None
    for index, (piece, revised_prompt) in enumerate(pieces):
        try:
            stored, picture = await _finished(endpoint, journal, threads, piece, _part(journal, index))
            journal.add(image_artifact(stored.path.name, stored, picture, revised_prompt))
            first = first or picture
        except ArtifactError as error:
            lost = lost or error
    if first is not None and first.small is not None:
        await add_thumbnail(journal, threads, first.small)
    if lost is not None:
        raise lost
    journal.mark(RunStatus.VERIFIED)


async def _keep(journal: Journal, threads: Threads, batch: ImageBatch) -> list[tuple[_Piece, str | None]]:
    """What came, each piece with the prompt that the provider made of the run's."""
    _account(journal, batch)
    try:
        pieces = [await _store(threads, image, _part(journal, index)) for index, image in enumerate(batch.images)]
        await journal.reach(RunStatus.COMPLETED)
    except DiskError as error:
        journal.mark(RunStatus.FAILED)
        raise DiskError(f"images that were paid for could not be kept: {error}", hint=error.hint) from error
    if not pieces:
        return [(ArtifactError("the answer holds no image"), None)]
    return [(piece, image.revised_prompt) for piece, image in zip(pieces, batch.images, strict=True)]


def _account(journal: Journal, batch: ImageBatch) -> None:
    config, result = journal.run.config, journal.result
    journal.answered(batch)
    if batch.usage is not None:
        used = batch.usage
        actual = actual_cost(config, text_in=used.text_in, image_in=used.image_in, image_out=used.image_out)
        result.cost = Cost(estimated_usd=result.cost.estimated_usd, actual_usd=actual)
    if isinstance(config.request, ImageRequest) and len(batch.images) != config.request.n:
        journal.warn(f"images asked for: {config.request.n}; images that came: {len(batch.images)}")


async def _store(threads: Threads, image: GeneratedImage, part: Path) -> _Piece:
    if image.b64 is None:
        return image.url or ArtifactError("the answer names neither data nor an address for an image")
    try:
        return await threads.media(decode, image.b64, part)
    except ArtifactError as error:
        return error


async def _finished(
    endpoint: Endpoint, journal: Journal, threads: Threads, piece: _Piece, part: Path
) -> tuple[Stored, Picture]:
    """Check one image and give it its final name."""
    try:
        stored, picture = await _checked(endpoint, journal, threads, piece, part)
    except ArtifactError:
        if not isinstance(piece, str):
            # Only an address can be asked again without paying again.
            journal.mark(RunStatus.FAILED)
        raise
    final = part.with_name(f"{part.stem}.{picture.extension}")
    await threads.disk(publish, stored.path, final)
    return replace(stored, path=final), picture


async def _checked(
    endpoint: Endpoint, journal: Journal, threads: Threads, piece: _Piece, part: Path
) -> tuple[Stored, Picture]:
    match piece:
        case ArtifactError():
            raise piece
        case Stored():
            return piece, await threads.media(examine, piece.path)
        case url:
            return await collect(endpoint, journal, threads, lambda: endpoint.provider.fetch(url), part, examine)


def _part(journal: Journal, index: int) -> Path:
    return journal.run.directory / f"image-{index}.part"
