"""One run's way at one endpoint, whatever happens on it."""

from __future__ import annotations

import asyncio

from runner.artifacts.result import RunStatus
from runner.config import VideoRequest
from runner.errors import RunnerError

from .ending import ending
from .endpoint import Endpoint
from .halt import Halted
from .image import finish_images, make_images
from .journal import Journal
from .threads import Threads
from .video import make_video, resume_video


async def work(endpoint: Endpoint, journal: Journal, threads: Threads) -> RunnerError | None:
    """Do what the run asks for, or what is left of it; why it did not succeed, which the journal knows too, or None.

    Raises `Halted` if it was not submitted. A cancelled run is put down before the cancellation goes on.
    """
    try:
        if not journal.result.status.paid:
            endpoint.check_model(journal.run.config.sent_model)
        await _bring_on(endpoint, journal, threads)
    except Halted:
        raise
    except asyncio.CancelledError:
        journal.put_down("interrupted")
        raise
    except Exception as error:  # noqa: BLE001 - a bug met by one run must not stop its siblings
        status, reason = ending(error, journal.result.status)
        journal.fail(status, reason)
        return reason
    finally:
        endpoint.places.leave(journal)
    return None


async def _bring_on(endpoint: Endpoint, journal: Journal, threads: Threads) -> None:
    journal.open_soon()
    result, video = journal.result, isinstance(journal.run.config.request, VideoRequest)
    if result.status.paid and (result.job_id is not None or not video):
        result.error = None
        await journal.open()
        if result.job_id is not None:
            await resume_video(endpoint, journal, threads, result.job_id)
        else:
            await finish_images(endpoint, journal, threads)
        return
    if result.status is not RunStatus.PLANNED:
        await journal.start_again()
    journal.describe(endpoint.provider)
    await (make_video if video else make_images)(endpoint, journal, threads)
