"""One run's way at one endpoint, whatever happens on it."""

from __future__ import annotations

import asyncio

from runner.config import VideoRequest
from runner.errors import RunnerError

from .ending import ending
from .endpoint import Endpoint
from .halt import Halted
from .image import make_images
from .journal import Journal
from .threads import Threads
from .video import make_video


async def work(endpoint: Endpoint, journal: Journal, threads: Threads) -> RunnerError | None:
    """Do what the run asks for; why it did not succeed, which the journal knows too, or None.

    Raises `Halted` if it was not submitted. A cancelled run is put down before the cancellation goes on.
    """
    try:
        journal.describe(endpoint.provider)
        make = make_video if isinstance(journal.run.config.request, VideoRequest) else make_images
        await make(endpoint, journal, threads)
    except Halted:
        raise
    except asyncio.CancelledError:
        journal.put_down("interrupted")
        raise
    except Exception as error:  # noqa: BLE001 - a bug met by one run must not stop its siblings
        status, reason = ending(error, journal.result.status)
        journal.fail(status, reason)
        return reason
    return None
