"""A video's way: submit, poll, download, verify, record."""

from __future__ import annotations

from runner.artifacts.atomic import publish
from runner.artifacts.download import Stored
from runner.artifacts.probe import Video, probe
from runner.artifacts.result import Artifact, Cost, RunStatus
from runner.config import VideoRequest
from runner.config.price import job_cost
from runner.providers.base import Job, JobStatus

from .collect import collect
from .endpoint import Endpoint
from .journal import Journal
from .payment import pay, settled
from .poll import poll
from .preparation import prepared
from .preview import add_thumbnail
from .removal import remove_remote
from .threads import Threads
from .variant import add_variants
from .verdict import verdict


async def make_video(endpoint: Endpoint, journal: Journal, threads: Threads) -> None:
    """Generate one video; the run is verified when this returns."""
    config = await prepared(endpoint, journal, threads)
    # Settled: an interrupted paid request is worth its answer, which is the job's id.
    job = await settled(pay(endpoint, journal, lambda _: endpoint.provider.submit(config), journal.submitted))
    await finish_video(endpoint, journal, threads, job)


async def finish_video(endpoint: Endpoint, journal: Journal, threads: Threads, job: Job) -> None:
    """Bring a job that exists to its end; where resuming comes in."""
    job = await poll(endpoint, journal, job)
    if job.status is not JobStatus.COMPLETED:
        status, error = verdict(job, endpoint.provider.name, journal.result.model)
        await journal.reach(status)
        raise error
    # Videos are billed by the second asked for, so that what was paid is the list price.
    paid = job_cost(journal.run.config, job.raw.get("seconds"), job.raw.get("size"))
    journal.result.cost = Cost(estimated_usd=journal.result.cost.estimated_usd, actual_usd=paid)
    await journal.reach(RunStatus.COMPLETED)
    await _bring_home(endpoint, journal, threads, job)
    journal.mark(RunStatus.VERIFIED)
    await remove_remote(endpoint, journal, job.id)


async def _bring_home(endpoint: Endpoint, journal: Journal, threads: Threads, job: Job) -> None:
    directory = journal.run.directory

    async def arrived() -> None:
        await journal.reach(RunStatus.DOWNLOADED)

    stored, video = await collect(
        endpoint, journal, threads, lambda: endpoint.provider.content(job), directory / "video.mp4.part", probe, arrived
    )
    final = directory / f"video.{video.extension}"
    await threads.disk(publish, stored.path, final)
    journal.add(_artifact(final.name, stored, video))
    request = journal.run.config.request
    if isinstance(request, VideoRequest) and request.thumbnail:
        await add_thumbnail(journal, threads, video.first_frame)
    await add_variants(endpoint, journal, threads, job)


def _artifact(name: str, stored: Stored, video: Video) -> Artifact:
    return Artifact(
        path=name,
        bytes=stored.bytes,
        sha256=stored.sha256,
        media_type=video.media_type,
        width=video.width,
        height=video.height,
        duration_seconds=video.duration_seconds,
        fps=video.fps,
        video_codec=video.video_codec,
        audio_codec=video.audio_codec,
    )
