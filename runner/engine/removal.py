"""Deleting a job at its provider, once its file is safe here."""

from __future__ import annotations

import asyncio

from runner.artifacts.result import RunStatus
from runner.errors import RunnerError

from .endpoint import Endpoint
from .journal import Journal

_SECONDS = 30.0


async def remove_remote(endpoint: Endpoint, journal: Journal, job_id: str) -> None:
    """Delete the job of a verified run if the run asks for it; that it stays is only worth a warning."""
    if not journal.run.config.delete_remote:
        return
    if endpoint.doubles.shared(job_id):
        journal.warn(f"job {job_id} was not deleted at the provider: another run has it, too")
        return
    if journal.result.adopted:
        journal.warn(
            f"job {job_id} was not deleted at the provider: this run took it over after its answer had been lost, and "
            "what nobody saw created is left to you to delete"
        )
        return
    # On disk before the remote copy is gone: a run that is found unverified would be downloaded again.
    journal.mark(RunStatus.VERIFIED)
    await journal.write(durable=True)
    try:
        async with endpoint.transfer(), asyncio.timeout(_SECONDS):
            await endpoint.provider.delete(job_id)
        journal.result.remote_deleted = True
    except (RunnerError, TimeoutError) as error:
        reason = str(error) or f"no answer within {_SECONDS:.0f} s"
        journal.warn(f"job {job_id} was not deleted at the provider: {reason}")
