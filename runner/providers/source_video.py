"""Look up where a finished video lies that a request starts from, for servers that take its address and no job's id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qsl

from runner.config.request import VideoRequest
from runner.config.run import RunConfig
from runner.errors import BadRequestError, ExpiredError, HTTPConnectionError, JobNotFoundError, ServerError

from .base import Job, JobStatus
from .call import Call

_UNPAID = "nothing was sent or paid"
_ANOTHER = "request.video=ID, or =DIR of its run, of a finished video of the same endpoint and account"


@contextmanager
def hidden(address: str, secrets: list[str]) -> Iterator[None]:
    """Hold an address, and its parts without and with what signs it, among `secrets` while it is being sent.

    It opens for everybody, so no answer may repeat it.
    """
    place, _, signature = address.partition("?")
    parts = [address, place, signature, *(value for _, value in parse_qsl(signature))]
    secrets += parts
    try:
        yield
    finally:
        for part in parts:
            secrets.remove(part)


async def find_address(
    ask: Callable[[str], Awaitable[Job]],
    config: RunConfig,
    call: Call,
    lengths: Mapping[str, tuple[float, float]],
) -> str:
    """Return where the video of the job `call.source` lies now.

    `lengths` are the least and most seconds of a source by what is made of it. Raises `BadRequestError` where there is
    no such video, or it is of another length, `HTTPConnectionError` where that cannot be told at present, and what
    else `ask` does: whatever it is, nothing was paid.
    """
    host, name = call.place.host, call.source or ""
    try:
        job = await ask(name)
    except (JobNotFoundError, ExpiredError) as error:
        message = f"{host} has no video {name} to start from: {error.message}; {_UNPAID}"
        raise BadRequestError(message, hint=_ANOTHER, code=error.code, **call.details) from error
    except ServerError as error:
        message = f"{host} does not tell where the video {name} lies to start from: {error.message}; {_UNPAID}"
        raise HTTPConnectionError(message, hint="try again later", code=error.code, **call.details) from error
    if job.status is not JobStatus.COMPLETED:
        said = job.raw_status or job.status.value
        words = f" ({job.error_message})" if job.error_message else ""
        message = f"the job {name} is {said}{words}, and has no video to start from; {_UNPAID}"
        raise BadRequestError(message, hint=_ANOTHER, **call.details)
    if not job.signed:
        message = f"{host} names no file of {name} at present; {_UNPAID}"
        raise HTTPConnectionError(message, hint="try again later", **call.details)
    if config.model.validation == "strict":
        _check_length(job, config, call, lengths)
    return job.signed[0]


def _check_length(job: Job, config: RunConfig, call: Call, lengths: Mapping[str, tuple[float, float]]) -> None:
    video = job.raw.get("video")
    seconds = video.get("duration") if isinstance(video, dict) else None
    made_by = config.request.made_by if isinstance(config.request, VideoRequest) else ""
    if made_by not in lengths or not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return
    least, most = lengths[made_by]
    if not least <= seconds <= most:
        bounds = f"{least:g} to {most:g} s" if least else f"at most {most:g} s"
        raise BadRequestError(
            f"the video {job.id} is {seconds:g} s long; {call.place.host} can {made_by} videos of {bounds}; {_UNPAID}",
            hint="another request.video, or model.validation=warn to let the host decide",
            **call.details,
        )
