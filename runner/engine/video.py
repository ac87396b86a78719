"""Make a video: submit, poll, download, verify, record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from runner.artifacts.atomic import discard, publish
from runner.artifacts.download import Stored, found, intact, unwrapped
from runner.artifacts.picture import examine
from runner.artifacts.probe import Video
from runner.artifacts.result import Artifact, Pending
from runner.artifacts.run_status import RunStatus
from runner.config.price import job_cost
from runner.config.provider import dialect_of
from runner.config.request import VideoRequest
from runner.errors import (
    ArtifactError,
    ContentModerationError,
    ExpiredError,
    GenerationFailedError,
    JobNotFoundError,
    RunnerError,
)
from runner.providers.base import Job, JobStatus, Variant, outlived
from runner.providers.call import code_of_filter, words_of_filter
from runner.providers.job import read_job
from runner.providers.json_answer import plain

from .collect import TRIES, collect, image_artifact, record_thumbnail, warn_of_mismatch
from .endpoint import Endpoint
from .payment import pay, settled
from .poll import outlived_error, poll
from .preparation import prepared
from .recorder import RunRecorder

PART = "video.mp4.part"
"""The name of a download until it is checked."""

UNVERIFIED = "video.unverified"
"""The name of what came and could not be checked."""

DOUBTFUL_TRIES = 3
"""Downloads of the file of a job that is completed and speaks of an error."""


async def make_video(endpoint: Endpoint, recorder: RunRecorder) -> None:
    """Generate one video; the run is verified when this returns."""
    config = await prepared(endpoint, recorder)
    address: str | None = None

    async def look() -> None:
        nonlocal address
        address = await endpoint.source_address(config)

    async def send() -> Job:
        return await endpoint.provider.submit(config, address)

    derived = isinstance(config.request, VideoRequest) and config.request.video is not None
    first = look if derived and dialect_of(config.provider).source_by_address else None
    # Settled: an interrupted paid request is worth its answer, which is the job's id.
    job = await settled(pay(endpoint, recorder, send, recorder.submitted, first))
    await finish_video(endpoint, recorder, job)


async def finish_video(endpoint: Endpoint, recorder: RunRecorder, job: Job) -> None:
    """Bring a job that exists to its end; where resuming comes in.

    Where its file has come and could not be checked, the run is worth resuming although the provider has nothing left.
    """
    try:
        await _finish(endpoint, recorder, job)
    except ExpiredError as error:
        if await _kept(recorder) is None:
            raise
        recorder.mark(RunStatus.COMPLETED)
        hint = f"resuming looks at {UNVERIFIED} again, also with a later version of the runner"
        message = f"{error}; the part that arrived could not be checked and is kept as {UNVERIFIED}"
        raise ArtifactError(message, hint=hint, code=error.code, job_id=job.id) from error


async def _finish(endpoint: Endpoint, recorder: RunRecorder, job: Job) -> None:
    recorder.threads.decoder.start()  # while the job takes its time
    endpoint.doubles.job(job.id, recorder)
    job = await poll(endpoint, recorder, job)
    if job.status is not JobStatus.COMPLETED:
        raise await _failed(endpoint, recorder, job)
    recorder.paid(_paid(recorder, job))
    await recorder.reach(RunStatus.COMPLETED)
    await _collect(endpoint, recorder, job)
    await _complete(endpoint, recorder, job)


def _paid(recorder: RunRecorder, job: Job) -> float | None:
    """Return what a finished job has cost, as its host tells, who may leave it open, or told where it was created.

    Else the list price: videos are billed by the second asked for.
    """
    config, told = recorder.run.config, recorder.result.cost.actual_usd
    if dialect_of(config.provider).cost or job.usd is not None:
        return job.usd
    if dialect_of(config.provider).cost_header is not None and told is not None:
        return told
    return job_cost(config, job.raw.get("seconds"), job.raw.get("size"))


async def _failed(endpoint: Endpoint, recorder: RunRecorder, job: Job) -> RunnerError:
    """Record that the job ended without its file; the error that says why."""
    if job.usd is not None:
        recorder.paid(job.usd)
    status, error = error_of_job(job, endpoint.provider.name, recorder.result.model, recorder.run.config.request.prompt)
    recorder.fail(status, error)  # with its reason: a process that is killed now has told it
    await recorder.reach(status)
    return error


async def resume_video(endpoint: Endpoint, recorder: RunRecorder, job_id: str) -> None:
    """Resume a job that an earlier process has left, from the file that it collected if that is whole."""
    raw = recorder.result.raw_response or {}
    # Its state is unknown: it is polled at once.
    job = Job(job_id, JobStatus.UNKNOWN, "unknown", raw=raw, poll_after=0)
    if (known := read_job(raw, {}, job_id)) is not None:
        job = replace(job, created_at=known.created_at, expires_at=known.expires_at)
    if recorder.result.pending and await _keep_arrived(endpoint, recorder):
        await _complete(endpoint, recorder, job)
    else:
        await finish_video(endpoint, recorder, job)


async def _complete(endpoint: Endpoint, recorder: RunRecorder, job: Job) -> None:
    await add_variants(endpoint, recorder, job)
    # Not before: an interrupt among the variants must leave known what the video was.
    recorder.await_check([])
    recorder.mark(RunStatus.VERIFIED)
    await remove_remote(endpoint, recorder, job.id)


async def _collect(endpoint: Endpoint, recorder: RunRecorder, job: Job) -> None:
    part = recorder.run.directory / PART

    async def arrived(stored: Stored) -> None:
        recorder.await_check([Pending(path=PART, bytes=stored.bytes, sha256=stored.sha256)])
        await recorder.reach(RunStatus.DOWNLOADED)

    # A completed job that reports an error, as of a filter, may have no file.
    doubt = job.error_message or job.error_code
    try:
        _, (stored, video) = await collect(
            endpoint,
            recorder,
            lambda: endpoint.provider.content(job),
            part,
            lambda stored: _checked(recorder, stored),
            arrived,
            tries=DOUBTFUL_TRIES if doubt else TRIES,
            unverified=recorder.run.directory / UNVERIFIED,
        )
    except (ArtifactError, ExpiredError) as error:
        if await _kept(recorder) is None and doubt is not None:
            raise await _failed(endpoint, recorder, job) from None
        # Not at the first look: a gateway whose clock is a day ahead says so of each file that it misses.
        missing = error.__cause__
        if isinstance(missing, JobNotFoundError) and outlived(job, missing.server_time):
            raise outlived_error(f"the file of {job.id}", job, missing) from error
        raise
    if doubt is not None:
        recorder.warn(f"the provider says of the completed job {job.id}: {doubt}")
    await _keep(endpoint, recorder, stored, video)


async def _kept(recorder: RunRecorder) -> Pending | None:
    """Take note of the file that came and could not be checked, if there is one."""
    try:
        stored = await recorder.threads.media(found, recorder.run.directory / UNVERIFIED)
    except OSError:
        return None
    pending = Pending(path=UNVERIFIED, bytes=stored.bytes, sha256=stored.sha256)
    recorder.await_check([pending])
    return pending


async def _keep_arrived(endpoint: Endpoint, recorder: RunRecorder) -> bool:
    """Return whether the file that an earlier process had downloaded is whole, under either name; it is kept then."""
    for pending in recorder.result.pending:
        for path in (recorder.run.directory / PART, *recorder.run.directory.glob("video.*")):
            stored = await recorder.threads.media(intact, path, pending)
            if stored is None:
                continue
            try:
                await _keep(endpoint, recorder, *await _checked(recorder, stored))
            except ArtifactError:
                return False
            return True
    return False


async def _checked(recorder: RunRecorder, stored: Stored) -> tuple[Stored, Video]:
    """Return what the video is; where a text lies there that spells one, the video takes its place."""
    request = recorder.run.config.request
    thumbnail = isinstance(request, VideoRequest) and request.thumbnail
    check = partial(recorder.threads.decoder.check, thumbnail=thumbnail, thorough=recorder.run.config.verify == "full")
    decoded = await recorder.threads.media(unwrapped, stored.path)
    if decoded is None:
        return stored, await check(stored.path)
    try:
        video = await check(decoded.path)
    except BaseException:
        discard(decoded.path)
        raise
    await recorder.threads.disk(decoded.path.replace, stored.path)
    return replace(decoded, path=stored.path), video


async def _keep(endpoint: Endpoint, recorder: RunRecorder, stored: Stored, video: Video) -> None:
    """Give a checked video its final name and record it."""
    final = recorder.run.directory / f"video.{video.extension}"
    await recorder.threads.disk(publish, stored.path, final)
    artifact = Artifact.made(
        path=final.name,
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
    recorder.add(artifact)
    warn_of_mismatch(recorder, artifact)
    endpoint.doubles.file(artifact, recorder)
    if video.thumbnail is not None or video.no_thumbnail is not None:
        record_thumbnail(recorder, video.thumbnail, video.no_thumbnail)


_ENDS = {
    JobStatus.COMPLETED: RunStatus.FAILED,  # without its file
    JobStatus.FAILED: RunStatus.FAILED,
    JobStatus.CANCELLED: RunStatus.CANCELLED,
    JobStatus.EXPIRED: RunStatus.EXPIRED,
}

_REFUSED = (
    "invalidrequest", "invalidparam", "invalidargument", "invalidinput", "invalidprompt", "invalidimage",
    "invalidvalue", "invalidsize", "badrequest", "validation", "unprocessable", "unsupported", "notsupported",
    "malformed", "400", "404", "413", "415", "422",
)  # fmt: skip
"""What codes of a request begin with that would fail again, in lower case and without separators."""


def error_of_job(job: Job, provider: str, model: str, prompt: str = "") -> tuple[RunStatus, RunnerError]:
    """Return the run's status and error for a job that ended without its file; `prompt` is what was asked for."""
    said = job.error_message or "the provider gives no reason"
    hint = None
    if job.status is JobStatus.EXPIRED:
        kind: type[RunnerError] = ExpiredError
        message = f"job {job.id} has expired at the provider: {said}"
    elif filtered(job, prompt):
        kind, message = ContentModerationError, f"the provider's filter refused job {job.id}: {said}"
        hint = "change request.prompt or the input image; what was begun may be charged"
    elif job.status is JobStatus.CANCELLED:
        kind, message = GenerationFailedError, f"job {job.id} was cancelled at the provider: {said}"
    else:
        kind, message = GenerationFailedError, f"job {job.id} failed: {said}"
    error = kind(
        message, hint=hint, code=job.error_code, provider=provider, model=model, job_id=job.id,
        request_id=job.request_id,
    )  # fmt: skip
    code = plain(job.error_code or "")
    for_good = code.startswith(_REFUSED) or "badrequest" in code or "invalidrequest" in code
    error.retryable = error.retryable and not for_good
    return _ENDS[job.status], error


def filtered(job: Job, prompt: str = "") -> bool:
    """Return whether a filter ended the job: by its code, its state or the words of its reason."""
    return code_of_filter(job.error_code, job.raw_status) or words_of_filter(job.error_message, prompt)


_VARIANT_TRIES = 2
"""A finished video does not wait a minute for its pictures."""


async def add_variants(endpoint: Endpoint, recorder: RunRecorder, job: Job) -> None:
    """Download `request.variants` as `remote-NAME`; the run is no less complete without one."""
    request = recorder.run.config.request
    for variant in request.variants if isinstance(request, VideoRequest) else ():
        try:
            await _add(endpoint, recorder, job, variant)
        except RunnerError as error:
            recorder.warn(f"no {variant} from the server: {error}")


async def _add(endpoint: Endpoint, recorder: RunRecorder, job: Job, variant: Variant) -> None:
    part = recorder.run.directory / f"remote-{variant}.part"

    stored, picture = await collect(
        endpoint,
        recorder,
        lambda: endpoint.provider.content(job, variant),
        part,
        lambda stored: recorder.threads.media(examine, stored.path),
        tries=_VARIANT_TRIES,
    )
    final = part.with_suffix(f".{picture.extension}")
    try:
        await recorder.threads.disk(publish, part, final)
    except RunnerError:
        discard(part)
        raise
    recorder.add(image_artifact(final.name, stored, picture))


_DELETE_SECONDS = 30.0


async def remove_remote(endpoint: Endpoint, recorder: RunRecorder, job_id: str) -> None:
    """Delete the job of a verified run if the run asks for it; that it stays is only worth a warning."""
    if not recorder.run.config.delete_remote:
        return
    if endpoint.doubles.shared(job_id):
        recorder.warn(f"job {job_id} was not deleted at the provider: another run has it, too")
        return
    if recorder.result.adopted:
        recorder.warn(
            f"job {job_id} was not deleted at the provider: this run took it over after its answer had been lost; "
            "delete it yourself if you know that it is yours"
        )
        return
    # On disk before the remote copy is gone: a run that is found unverified would be downloaded again.
    recorder.mark(RunStatus.VERIFIED)
    await recorder.write(durable=True)
    try:
        async with endpoint.transfer(), asyncio.timeout(_DELETE_SECONDS):
            await endpoint.provider.delete(job_id)
        recorder.result.remote_deleted = True
    except (RunnerError, TimeoutError) as error:
        reason = str(error) or f"no answer within {_DELETE_SECONDS:.0f} s"
        recorder.warn(f"job {job_id} was not deleted at the provider: {reason}")
