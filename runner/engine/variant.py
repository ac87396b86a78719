"""Files that the server makes beside a video: brought home where they can be had, else a warning."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from runner.artifacts.atomic import discard, publish
from runner.artifacts.picture import examine
from runner.config import VideoRequest
from runner.errors import RunnerError
from runner.providers.base import Content, Job, Variant

from .collect import collect
from .endpoint import Endpoint
from .journal import Journal
from .partials import image_artifact
from .threads import Threads

_TRIES = 2
"""A finished video does not wait a minute for its pictures."""


async def add_variants(endpoint: Endpoint, journal: Journal, threads: Threads, job: Job) -> None:
    """Download `request.variants` as `remote-NAME`; the run is no less complete without one."""
    request = journal.run.config.request
    for variant in request.variants if isinstance(request, VideoRequest) else ():
        try:
            await _add(endpoint, journal, threads, job, variant)
        except RunnerError as error:
            journal.warn(f"no {variant} from the server: {error}")


async def _add(endpoint: Endpoint, journal: Journal, threads: Threads, job: Job, variant: Variant) -> None:
    part = journal.run.directory / f"remote-{variant}.part"

    def opened() -> AbstractAsyncContextManager[Content]:
        return endpoint.provider.content(job, variant)

    stored, picture = await collect(
        endpoint, journal, opened, part, lambda stored: threads.media(examine, stored.path), tries=_TRIES
    )
    final = part.with_suffix(f".{picture.extension}")
    try:
        await threads.disk(publish, part, final)
    except RunnerError:
        discard(part)
        raise
    journal.add(image_artifact(final.name, stored, picture))
