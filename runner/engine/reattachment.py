"""Search for jobs whose creation was never answered, and give each to the one request that it can be of."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.config.request import VideoRequest
from runner.errors import DiskError, JobNotFoundError, RunnerError, UncertainError, UnexpectedAnswerError
from runner.providers.base import Job, JobPage
from runner.providers.job import backend_id
from runner.providers.json_answer import one_line

from .clock import Backoff
from .endpoint import Endpoint, EndpointQueue
from .image import keep_images, left_behind
from .kept_answer import images_of_kept, job_of_kept
from .matching import (
    AROUND,
    MARGIN,
    Lost,
    OtherRequest,
    OtherRuns,
    contradicts,
    listed_prompt,
    lost_request,
    matches,
    unanswered,
)
from .payment import settled
from .recorder import RunRecorder
from .run import final_status

_IMAGE = "images are not jobs, so there is no list to find them in"

_NAMED = 3
"""Matching jobs that a reason names."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Hold what became of lost requests, by the run's index: each has a job of its own or a reason for people."""

    reattached: dict[int, Job] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)


async def look_for(endpoint: Endpoint, lost: Sequence[Lost], claimed: Callable[[], OtherRuns]) -> Findings:
    """Look for lost requests in the endpoint's list of jobs, of which some are other runs', as `claimed` tells.

    That is asked when the list has been read. Every process records a request before it sends it. So no job of a
    process that is at work can be taken for one that nobody claims.
    Nothing is paid, and no error is raised: a list that cannot be read is a reason among others. Where the list ends
    too early to say that a match is the only one, no run is reattached to it.
    """
    sought = [one.earliest for one in lost if one.listed]
    if not sought:
        return assign_jobs(lost, (), claimed())
    listing = await read_list(endpoint, min(sought) - AROUND)
    return assign_jobs(
        lost, listing.jobs, claimed(), complete_since=listing.complete_since, shortfall=listing.shortfall
    )


def assign_jobs(
    lost: Sequence[Lost],
    jobs: Iterable[Job],
    others: OtherRuns,
    *,
    complete_since: float = -math.inf,
    shortfall: str = "the list of jobs is not complete",
) -> Findings:
    """Give lost requests the jobs that can only be theirs.

    Runs that sent the very same request may have each other's jobs. With more jobs than such runs, one of them is a
    stranger's, and nobody knows which: none is assigned. Nor is a job that might belong to runs whose requests differ
    in what no list shows, as a seed. A job that another process's open request may have made is not assigned either,
    however well it fits: that process may be about to claim it. Jobs of the same model and time that no known request
    explains show that the account has other users: any job may be theirs. A job with a request's mark is its.

    Args:
        lost: the runs, each with its own index.
        jobs: what the endpoint lists.
        others: what is known of other runs.
        complete_since: Unix seconds; all jobs that were created later are among `jobs`.
        shortfall: why older ones are not.
    """
    listed = {job.id: job for job in jobs}
    taken = others.backend_ids
    free = {job_id: job for job_id, job in listed.items() if backend_id(job_id) not in taken}
    other_requests = _requests(others.open)
    findings = Findings(reattached=_carrying_marks(lost, free.values()))
    free = {job_id: job for job_id, job in free.items() if job not in findings.reattached.values()}
    sought = [one for one in lost if one.listed and one.index not in findings.reattached]
    candidates = _candidates(sought, free.values())
    own = _requests((Path(), result) for result in others.own)
    strangers = _unexplained(free.values(), candidates, [*other_requests, *own], lost)
    findings.reasons.update({one.index: _IMAGE for one in lost if not one.listed})
    for runs in _groups(sought, candidates):
        fitting = {job_id: job for one in runs for job_id, job in candidates[one.index].fitting.items()}
        doubt: str | None = None
        if any(one.earliest - MARGIN <= complete_since for one in runs):
            doubt = shortfall
        elif fitting:
            doubt = _doubt(runs, fitting, other_requests, others.unknown, strangers)
        given = {} if doubt else _assigned(runs, candidates, fitting)
        findings.reattached.update(given)
        for one in runs:
            if one.index not in given:
                reason = _reason(candidates[one.index], len(listed), len(listed) - len(free), shared=bool(given))
                findings.reasons[one.index] = doubt or reason
    return findings


def _carrying_marks(lost: Sequence[Lost], free: Iterable[Job]) -> dict[int, Job]:
    """Return the jobs that carry a lost request's mark; a run's requests get them in their order."""
    left = sorted(free, key=lambda job: (job.created_at or 0, job.id))
    given: dict[int, Job] = {}
    for one in sorted(lost, key=lambda one: (one.latest, one.index)):
        job = next((job for job in left if one.carried_by(job)), None)
        if job is not None:
            left.remove(job)
            given[one.index] = job
    return given


def _requests(results: Iterable[tuple[Path, Result]]) -> list[OtherRequest]:
    return [
        OtherRequest(place, lost_request(number, result, attempt))
        for place, result in results
        for number, attempt in enumerate(unanswered(result))
    ]


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Describe what a run may have created: `fitting` jobs by their ids, and those that tell too little to say."""

    fitting: dict[str, Job]
    untold: frozenset[str]


def _candidates(lost: Sequence[Lost], free: Iterable[Job]) -> dict[int, _Candidates]:
    by_prompt = defaultdict(list)
    for job in free:
        by_prompt[listed_prompt(job)].append(job)
    found = {}
    for one in lost:
        told = [(job, matches(one, job)) for job in (*by_prompt[one.prompt], *by_prompt[None])]
        fitting = {job.id: job for job, fits in told if fits}
        found[one.index] = _Candidates(fitting, frozenset(job.id for job, fits in told if fits is None))
    return found


def _unexplained(
    free: Iterable[Job], candidates: Mapping[int, _Candidates], known: Sequence[OtherRequest], lost: Iterable[Lost]
) -> list[Job]:
    """Return the jobs that nothing known explains: others use the account, too. A run's source is its user's own."""
    possible = {job_id for one in candidates.values() for job_id in (*one.fitting, *one.untold)}
    sources = {backend_id(str(one.sent.get("video"))) for one in lost}
    rest = [job for job in free if job.id not in possible and backend_id(job.id) not in sources]
    return [job for job in rest if not any(request.may_have_made(job) for request in known)]


def _groups(lost: Sequence[Lost], candidates: Mapping[int, _Candidates]) -> Iterator[list[Lost]]:
    """Yield groups of runs that have candidates in common, directly or through others."""
    matching = defaultdict(list)
    for one in lost:
        for job_id in candidates[one.index].fitting:
            matching[job_id].append(one)
    left = {one.index: one for one in lost}
    while left:
        _, first = left.popitem()
        runs = [first]
        for one in runs:
            # Runs that join are looked at in turn; the requests that match a job join once.
            for job_id in candidates[one.index].fitting:
                runs += [other for other in matching.pop(job_id, ()) if left.pop(other.index, None) is not None]
        yield runs


def _assigned(runs: Sequence[Lost], candidates: Mapping[int, _Candidates], jobs: Mapping[str, Job]) -> dict[int, Job]:
    """Return the `jobs` of `runs`, if all sent the same request, in the order of time; none if one is left over."""
    if any(one.sent != runs[0].sent for one in runs):
        return {}
    given, free = {}, sorted(runs, key=lambda one: (one.latest, one.index))
    for job_id, job in sorted(jobs.items(), key=lambda item: (item[1].created_at or 0, item[0])):
        receiver = next((one for one in free if job_id in candidates[one.index].fitting), None)
        if receiver is None:
            return {}
        free.remove(receiver)
        given[receiver.index] = job
    return given


def _doubt(
    runs: Sequence[Lost],
    jobs: Mapping[str, Job],
    other_requests: Sequence[OtherRequest],
    unknown: str,
    strangers: Sequence[Job],
) -> str | None:
    """Return why none of the `jobs` that fit `runs` may be taken, as it is or may be another's; None if one may."""
    if unknown:
        return f"{_matching(jobs)}, and may be of a run elsewhere: {unknown}"
    # If one job may be another run's, all are in doubt: without it, a stranger's job would seem the only match.
    pairs = itertools.product(other_requests, jobs.values())
    place = next((request.place for request, job in pairs if request.may_have_made(job)), None)
    if place is not None:
        return f"{_matching(jobs)}, but may be of a request in {place} whose answer was lost too"
    if any(one.denied for one in runs):
        return f"{_matching(jobs)}, but the server said that it had made nothing"
    near = {job.id: job for job in strangers if any(one.about(job) for one in runs)}
    if not near:
        return None
    return (
        f"{_matching(jobs)}, but others use this account, too, and it may be theirs: around that time, "
        f"{_named(near, 'jobs are' if len(near) > 1 else 'job is')} of no run known here"
    )


def _reason(candidates: _Candidates, listed: int, taken: int, *, shared: bool) -> str:
    fitting = candidates.fitting
    if not fitting:
        others = f", {taken} of other runs" if taken else ""
        untold = f"; {len(candidates.untold)} may, but the list does not tell enough" if candidates.untold else ""
        return f"no job matches among {listed} listed{others}{untold}"
    if shared:
        return f"{_matching(fitting)}, which went to other runs that sent the same request"
    return f"{_matching(fitting)}, and it cannot be told which one is this run's"


def _matching(jobs: Mapping[str, Job]) -> str:
    return _named(jobs, "jobs match" if len(jobs) > 1 else "job matches")


def _named(jobs: Mapping[str, Job], what: str) -> str:
    named = ", ".join(one_line(job_id, 80) for job_id in itertools.islice(jobs, _NAMED))
    return f"{len(jobs)} {what} ({named}{', …' * (len(jobs) > _NAMED)})"


A = TypeVar("A")
Q = TypeVar("Q")

MAX_PAGES = 50
"""Pages of 100 jobs that are read at most."""

TRIES = 4
"""Times that a page is asked for."""

_AGAIN = Backoff(base=1, cap=20, floor=0.5)


@dataclass(slots=True)
class Listing:
    """Describe what was read of a list of jobs.

    Attributes:
        jobs: the jobs, newest first where the server keeps to that.
        whole: whether these are all.
        shortfall: why they are not, for people.
    """

    jobs: list[Job] = field(default_factory=list)
    whole: bool = False
    shortfall: str = ""

    @property
    def complete_since(self) -> float:
        """Return Unix seconds after which no job is missing; infinite where the order does not tell."""
        if self.whole:
            return -math.inf
        times = [job.created_at for job in self.jobs if job.created_at is not None]
        newest_first = len(times) > 1 and times[0] > times[-1] and all(a >= b for a, b in itertools.pairwise(times))
        return times[-1] if newest_first else math.inf

    def take(self, page: JobPage) -> bool:
        """Add a page; whether it told anything new."""
        known = {job.id for job in self.jobs}
        fresh = [job for job in page.jobs if job.id not in known]
        self.jobs += fresh
        self.whole = not page.more
        return bool(fresh)


async def read_list(endpoint: Endpoint, since: float) -> Listing:
    """Read the list back to `since` (Unix seconds), or as far as that is possible; raises no `RunnerError`."""
    listing, after = Listing(), None
    for _ in range(MAX_PAGES):
        try:
            page = await patiently(endpoint, endpoint.jobs, after)
        except RunnerError as error:
            listing.shortfall = f"the list of jobs could not be read: {error}"
            return listing
        fresh = listing.take(page)
        if listing.complete_since < since:
            return listing
        if not fresh:
            break
        after = page.last
    listing.shortfall = f"only the newest {len(listing.jobs)} jobs could be listed, and the run's may be an older one"
    return listing


async def patiently(endpoint: Endpoint, ask: Callable[[Q], Awaitable[A]], subject: Q) -> A:
    """Return what `ask` answers about `subject`, asked again where that may help; raises its last error."""
    return await _AGAIN.tries(endpoint.clock, TRIES, _may_pass)(ask, subject)


def _may_pass(error: BaseException) -> bool:
    passes = isinstance(error, RunnerError) and (error.retryable or isinstance(error, UnexpectedAnswerError))
    return passes and not isinstance(error, JobNotFoundError)


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
            found += [await _named_by_user(case, others) for case in named]
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


async def _named_by_user(case: Case, others: OtherRuns) -> Found:
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
