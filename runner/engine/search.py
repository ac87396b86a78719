"""Search for jobs whose creation was asked for and never answered, once everything else is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from runner.artifacts.run_status import RunStatus
from runner.config.request import VideoRequest
from runner.errors import DiskError, RunnerError, UncertainError
from runner.providers.base import Job
from runner.providers.job import backend_id

from .endpoint import EndpointQueue
from .image import keep_images, left_behind
from .kept_answer import images_of_kept, job_of_kept
from .matching import OtherRuns, contradicts, lost_request, unanswered
from .payment import settled
from .reattachment import Findings, look_for, patiently
from .recorder import RunRecorder
from .run import final_status

_CONSENT = "it counts as spent and is not repeated by itself; resuming with --resubmit-uncertain pays for it again"
_HOW_TO_ADOPT = ", with --adopt RUN=JOB_ID takes over a job that you know to be this run's"

_UNASKED = "its endpoint could not be asked"

Claimed = Callable[[], OtherRuns]
"""Tells what is other runs' at that moment; asked only when a request was lost."""


class Case(NamedTuple):
    """Describe a run with a lost request."""

    position: int
    recorder: RunRecorder
    queue: EndpointQueue


Found = tuple[Case, RunnerError | None]
"""A run, and why it stays uncertain or what was found cannot be recorded; None where it is to be resumed."""


def may_be_found(recorder: RunRecorder, error: RunnerError) -> bool:
    """Return whether a run that met `error` may be found again: images leave no job to find."""
    return isinstance(error, UncertainError) and isinstance(recorder.run.config.request, VideoRequest)


async def search(cases: Sequence[Case], claimed: Claimed) -> list[Found]:
    """Look at each endpoint's list; a run whose job is found, or that may be paid again, is recorded as such."""
    found: list[Found] = []
    groups: dict[int, list[Case]] = defaultdict(list)
    for case in cases:
        kept = await settled(_kept(case))
        if kept is None:
            groups[id(case.queue)].append(case)
        else:
            found.append(kept)
    for group in groups.values():
        if named := [case for case in group if case.recorder.run.job is not None]:
            others = claimed()
            found += [await _named(case, others) for case in named]
        found += await _sought([case for case in group if case.recorder.run.job is None], claimed)
    return found


async def unkept(recorder: RunRecorder, recording: Coroutine[Any, Any, object]) -> DiskError | None:  # Any: asyncio's
    """Await what records a run, and return why the disk did not take it, which the run ends with; None if it did."""
    try:
        await recording
    except DiskError as error:
        recorder.fail(*final_status(error, recorder.result.status))
        return error
    return None


async def _kept(case: Case) -> Found | None:
    """Return what is found of a run on the disk, if anything."""
    try:
        there = await _arrived(case.recorder) or await _understood(case)
    except DiskError as error:
        case.recorder.fail(*final_status(error, case.recorder.result.status))
        return case, error
    return (case, None) if there else None


async def _arrived(recorder: RunRecorder) -> bool:
    """Return whether a killed process already had all of an answer's images on disk; they are kept then."""
    pending = await recorder.threads.media(left_behind, recorder.run)
    if pending:
        recorder.await_check(pending)
        await recorder.reach(RunStatus.COMPLETED)
    return bool(pending)


async def _understood(case: Case) -> bool:
    """Return whether an answer that was kept unread can be read by now; its job or images are the run's then."""
    recorder = case.recorder
    if isinstance(recorder.run.config.request, VideoRequest):
        job = await job_of_kept(recorder)
        if job is not None:
            await recorder.reattach(job)
        return job is not None
    batch = await images_of_kept(recorder)
    if batch is None or case.queue.endpoint is None:
        return False
    await keep_images(case.queue.endpoint, recorder, batch)
    return True


async def _named(case: Case, others: OtherRuns) -> Found:
    """Return what is found of the job that the user says is the run's."""
    recorder, job_id = case.recorder, case.recorder.run.job or ""
    attempt = unanswered(recorder.result)[-1]
    reason, job = f"job {job_id} belongs to another run", None
    if case.queue.endpoint is None:
        reason = _UNASKED
    elif backend_id(job_id) not in others.backend_ids:
        try:
            job = await patiently(case.queue.endpoint, case.queue.endpoint.retrieve, job_id)
        except RunnerError as error:
            reason = f"job {job_id} could not be looked at: {error}"
    if job is not None and contradicts(lost_request(0, recorder.result, attempt), job):
        reason, job = f"job {job_id} is of another prompt, model, size or length than the run's request", None
    if job is None:
        return await settled(_left(case, reason))
    attempt.job_id, attempt.adopted = job.id, True
    return await settled(_conclude(case, [job], None))


async def _sought(cases: Sequence[Case], claimed: Claimed) -> list[Found]:
    """Return what is found of the runs at one endpoint."""
    if not cases:
        return []
    endpoint = cases[0].queue.endpoint
    # A run that was resubmitted and lost its answer again has two requests out, and either may have made a job.
    requests = [(case, attempt) for case in cases for attempt in unanswered(case.recorder.result)]
    findings = Findings()
    if endpoint is not None:
        lost = [lost_request(number, case.recorder.result, attempt) for number, (case, attempt) in enumerate(requests)]
        findings = await look_for(endpoint, lost, claimed)
    found = []
    for case in cases:
        own = {number: attempt for number, (other, attempt) in enumerate(requests) if other is case}
        jobs = {number: findings.reattached[number] for number in own if number in findings.reattached}
        for number, job in jobs.items():
            own[number].job_id, own[number].adopted = job.id, True
        reason = next((findings.reasons[number] for number in own if number in findings.reasons), None)
        found.append(await settled(_conclude(case, [*jobs.values()], reason)))
    return found


async def _conclude(case: Case, jobs: Sequence[Job], reason: str | None) -> Found:
    recorder = case.recorder
    if jobs:
        return case, await unkept(recorder, recorder.reattach(jobs[-1]))
    if recorder.run.resubmit:
        return case, await unkept(recorder, recorder.start_again())
    return await _left(case, reason or _UNASKED)


async def _left(case: Case, reason: str) -> Found:
    """Leave a run uncertain."""
    recorder = case.recorder
    kept = next((attempt.answer for attempt in reversed(recorder.result.attempts) if attempt.answer), None)
    again = f"resume reads {kept} again, also with a later version of the runner; " if kept else ""
    how_to_adopt = _HOW_TO_ADOPT if isinstance(recorder.run.config.request, VideoRequest) else ""
    # What the request met in place of an answer, without what earlier searches have found.
    met = [attempt.error.message for attempt in recorder.result.attempts[-1:] if attempt.error is not None]
    what = met[0] if met else "the process ended before the answer to a paid request came"
    error = UncertainError(f"{what}; {reason}", hint=f"{again}{_CONSENT}{how_to_adopt}")
    recorder.fail(RunStatus.UNCERTAIN, error)
    await recorder.end()
    return case, error
