"""Record one run as it changes, with the money that is reserved for it: first to disk, then to the observer."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from runner.artifacts.redaction import redacted
from runner.artifacts.result import Artifact, Attempt, Cost, ErrorRecord, Pending, Result, environment
from runner.artifacts.run_status import RunStatus
from runner.config.estimate import Estimate
from runner.config.price import expected_price, reserved
from runner.config.provider import dialect_of
from runner.config.request import ImageRequest
from runner.config.run import Budget, RunConfig, passes
from runner.errors import BudgetError, ConfigError, ContentModerationError, DiskError, ProviderError, RunnerError
from runner.providers.base import ImageBatch, Job, Provider

from .clock import Clock
from .limiter import StoppedError
from .run import Event, Observer, Run
from .store import HeldAnswer, Record, RecordWriter

SWEEP = "budget.max_usd"
RUN = "budget.max_usd_per_run"


class BudgetTracker:
    """Count what is or may be spent, in US dollars, against a limit (None: none); used on one event loop.

    A request counts from the moment it is sent. What is taken for it goes back if it provably created nothing.
    """

    def __init__(self, limit: float | None = None, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self._refused = False

    def take(self, usd: float | None, budget: Budget, by_run: float = 0.0) -> None:
        """Take a request's price, before it is sent; `by_run` is what its run has spent already.

        Raises `BudgetError` where that would pass a limit. Once the sweep's is reached, everyone after the first to
        hear of it gets `StoppedError`.
        """
        if self._refused:
            raise StoppedError
        if usd is None and (self.limit is not None or budget.max_usd_per_run is not None):
            raise BudgetError("the price of a request is unknown, so that no budget can be kept",
                              hint="budget.assume_usd_per_run=N counts it as N", code=RUN)  # fmt: skip
        price = usd or 0.0
        if passes(by_run + price, budget.max_usd_per_run):
            raise BudgetError(_text(RUN, budget.max_usd_per_run, by_run, price), hint=_KEPT, code=RUN)
        if passes(self.spent + price, self.limit):
            self._refused = True
            raise BudgetError(_text(SWEEP, self.limit, self.spent, price), hint=_KEPT, code=SWEEP)
        self.spent += price

    def correct(self, before: float | None, after: float | None) -> None:
        """Replace what a request was taken to cost by what is known of it now."""
        self.spent += (after or 0.0) - (before or 0.0)


_KEPT = "nothing was sent for it; requests under way continue to their end"


def _text(key: str, limit: float | None, spent: float, price: float) -> str:
    return f"{key}={limit:g} is reached: {Estimate(spent)} spent or at risk, {Estimate(price)} for the next request"


def created_nothing(error: RunnerError) -> bool:
    """Return whether a paid request that met `error` provably cost nothing.

    A filter that strikes without an HTTP status struck in the middle of the work, which may be charged.
    """
    begun = isinstance(error, ContentModerationError) and error.status_code is None
    return isinstance(error, ProviderError | ConfigError) and not begun


T = TypeVar("T")

_LOOK = "it counts as spent and is not repeated; the provider's list of jobs shows whether it was accepted"
_LOOK_AT_BILL = "it counts as spent and is not repeated; this host lists no jobs, only its bill tells"
_LOOK_FOR_IMAGES = "it counts as spent and is not repeated; images are in no list, only the provider's bill tells"

_log = logging.getLogger("runner")

FELL_BACK = "fell back to "
"""Begins the warning of a run that a fallback has made."""

_LASTING = ("config", "choice", "attempts", "warnings", "partial_images", "resumed", "revision")
"""What a run's record keeps when it begins anew."""


class RunRecorder:
    """Keep a run's `Result`, its `result.json` and its observer in step."""

    def __init__(
        self, run: Run, observer: Observer, clock: Clock, record_writer: RecordWriter, budget_tracker: BudgetTracker
    ) -> None:
        """Begin the record, or go on with the run's earlier one."""
        self.run = run
        self.result = run.earlier or planned(run, clock.time())
        self._observer = observer
        self._clock = clock
        self._record_writer = record_writer
        self.threads = record_writer.threads
        self._budget_tracker = budget_tracker
        self._remote_status: str | None = None
        self._progress = 0.0
        self._unwritten = True
        self._opening: asyncio.Future[None] | None = None
        self._provider: Provider | None = None

    @property
    def sent_model(self) -> str:
        """Return what is sent as the model, as it was described."""
        return self.result.deployment or self.result.model

    @property
    def directory(self) -> Path:
        """Return the run's directory."""
        return self.run.directory

    @property
    def next_exists(self) -> bool:
        """Return whether something else can be tried, as of the run."""
        return self.run.next_exists

    @property
    def where_to_look(self) -> str:
        """Return what becomes of a request whose answer is lost, and where its user can look."""
        config = self.run.config
        if isinstance(config.request, ImageRequest):
            return _LOOK_FOR_IMAGES
        return _LOOK if dialect_of(config.provider).lists else _LOOK_AT_BILL

    @property
    def reread_by(self) -> str:
        """Return what reads a kept answer again."""
        return "resume"

    def open_soon(self) -> asyncio.Future[None]:
        """Begin to make the run's directory, while the run waits for its turn."""
        if self._opening is None:
            self._opening = self._record_writer.open(self.run)
            # Whoever opens the run is told of its error; of a run that never starts, nobody needs it.
            self._opening.add_done_callback(lambda opening: opening.cancelled() or opening.exception())
        return self._opening

    async def open(self) -> None:
        """See to it that the run's directory is there; raises `DiskError`."""
        await self.open_soon()

    def go_to(self, config: RunConfig, *, followed: bool) -> None:
        """Send the run as `config`, which is for one server of its pool; its record keeps what was configured."""
        self.run = replace(self.run, config=config, followed=followed)

    def describe(self, provider: Provider, prepared: RunConfig | None = None) -> None:
        """Record where the run goes and what is sent: as `prepared`, if its inputs were changed for sending."""
        sent_as = self.run.config.sent_model
        self.result.endpoint = provider.endpoint
        self._provider = provider
        self.result.deployment = None if sent_as == self.result.model else sent_as
        self.result.request_sent = redacted(provider.body(prepared or self.run.config))

    async def reach(self, status: RunStatus, *, note: str | None = None) -> None:
        """Go on to `status`, which is safe from a power cut when this returns."""
        self.mark(status)
        # Images have no id to come back for: where they are must be in the file, too.
        await self.write(durable=True, passing=status.passing and self.result.job_id is not None)
        self.tell(note=note)

    def mark(self, status: RunStatus) -> None:
        """Go on to `status`, which the next write records."""
        if status is not self.result.status:
            self.result.status = status
            self.result.timestamps[status.value] = self._now()
            self._unwritten = True
        if status is RunStatus.VERIFIED:
            self.result.error = None  # of an earlier process, or an earlier try

    async def step_back(self, note: str | None) -> None:
        """Return to planned, after a request that provably created nothing."""
        self.result.timestamps.pop(RunStatus.SUBMITTING.value, None)
        self.result.status = RunStatus.PLANNED
        await self.write(durable=True)
        self.tell(note=note)

    def begin_attempt(self) -> Attempt:
        """Take the money for a paid request and record that it is leaving; raises `BudgetError` or `StoppedError`."""
        config, result = self.run.config, self.result
        usd = config.budget.counted(config.provider, reserved(config))
        self._budget_tracker.take(usd, config.budget, sum(config.budget.known(each.usd) for each in result.attempts))
        result.error = None
        attempt = Attempt.made(
            number=len(result.attempts) + 1,
            provider=result.provider,
            model=self.sent_model,
            choice=result.choice,
            started_at=self._now(),
            usd=usd,
            credential=self._provider.credential if self._provider else "",
            server_ahead=self._provider.server_ahead if self._provider else None,
        )
        result.attempts.append(attempt)
        return attempt

    def withdraw(self, attempt: Attempt) -> None:
        """Forget a paid request that did not leave after all."""
        self._charge(attempt, 0.0)
        self.result.attempts.remove(attempt)

    def end_attempt(self, attempt: Attempt, error: RunnerError | None = None) -> None:
        """Record what came of a paid request."""
        attempt.ended_at = self._now()
        if self._provider is not None:
            attempt.server_ahead = self._provider.server_ahead
        attempt.error = None if error is None else error_record(error)
        if error is not None and attempt.job_id is None and created_nothing(error):
            self._charge(attempt, 0.0)

    def paid(self, usd: float | None) -> None:
        """Record what the last paid request has cost; where that is unknown, its estimate stays."""
        config, result = self.run.config, self.result
        if usd is not None and not (math.isfinite(usd) and usd >= 0):
            usd = None  # computed from a server's numbers
        result.cost = result.cost.model_copy(update={"actual_usd": usd})
        made = [attempt for attempt in result.attempts if attempt.job_id == result.job_id]
        if usd is not None and result.attempts:
            self._charge((made or result.attempts)[-1], config.budget.counted(config.provider, usd))

    async def hand_on(self, following: RunConfig, error: RunnerError) -> Run:
        """Record why this choice ended and that the next one follows; return the run with that one."""
        made = [attempt for attempt in self.result.attempts if attempt.choice == self.result.choice]
        if made:  # else it ended before anything was sent
            self.end_attempt(made[-1], error)
        self.warn(f"{FELL_BACK}{following.provider.kind} ({following.model.name}): {error}")
        self.run = replace(self.run, config=following)
        self.result = at_choice(self.result.choice + 1, self.result, self.run, self._clock.time())
        with suppress(DiskError):
            await self._write_in_any_case(durable=True)
        return self.resumed()

    def resumed(self) -> Run:
        """Return the run as it resumes from what is recorded."""
        return self.run.resumed(self.result)

    async def start_again(self, note: str | None = None) -> None:
        """Return to planned, as what was tried may be paid anew; the attempts stay and say how they ended."""
        for attempt in self.result.attempts[-1:]:
            attempt.error = attempt.error or self.result.error
        self.result = _renewed(self.result, planned(self.run, self._clock.time()))
        await self.reach(RunStatus.PLANNED, note=note)

    async def reattach(self, job: Job) -> None:
        """Take over a job that one of this run's lost requests has made."""
        self.result.error = None
        await self._own(job)
        self.tell(note=f"job {job.id} is this run's: its answer had been lost")

    async def submitted(self, job: Job) -> Job:
        """Record a job's id durably, before anything else is done with it."""
        self.result.attempts[-1].job_id = job.id
        await self._own(job)
        return job

    async def _own(self, job: Job) -> None:
        self.result.job_id = job.id
        self.result.request_id = job.request_id
        self._take(job)
        if job.usd is not None:
            self.paid(job.usd)  # some servers tell it now only
        held = HeldAnswer(f"the id of job {job.id}", self._clock, lambda note: self.tell(note=note))
        try:
            await held.write(lambda: self.reach(RunStatus.SUBMITTED))
        except DiskError as error:
            message = f"job {job.id} was created, but its id cannot be kept: {error}"
            raise DiskError(message, hint=f"note the id {job.id}: the provider continues it", job_id=job.id) from error

    def answered(self, batch: ImageBatch) -> None:
        """Take over what an image request's answer says beside the images."""
        self.result.request_id = batch.request_id
        self.result.raw_response = redacted(dict(batch.raw))
        self.result.usage = batch.usage or self.result.usage
        self._progress = 100

    def polled(self, job: Job) -> None:
        """Tell of an answer about the job; polls are not written to disk one by one."""
        self.result.polls += 1
        self.result.absence = None
        self._take(job)
        self.tell()

    def add(self, artifact: Artifact) -> None:
        """Record a file that is complete at its name."""
        self.result.artifacts = [*(a for a in self.result.artifacts if a.path != artifact.path), artifact]

    def sketched(self, partial: Artifact, progress: float) -> None:
        """Record and tell of a partial image; `progress` is in percent."""
        others = [known for known in self.result.partial_images if known.path != partial.path]
        self.result.partial_images = [*others, partial]
        self._progress, self._unwritten = progress, True
        self.tell(note=f"{partial.path} shows how far the image is", partial=self.run.directory / partial.path)

    def warn(self, text: str) -> None:
        """Record and tell something that the user should know, once."""
        if text not in self.result.warnings:
            self.result.warnings.append(text)
            self.tell(note=text)

    def await_check(self, pending: Sequence[Pending]) -> None:
        """Take note of what has arrived; the next write records it."""
        self.result.pending = [*pending]
        self._unwritten = True

    def fail(self, status: RunStatus, error: RunnerError) -> None:
        """Record why the run ends here; `end` writes it."""
        self.mark(status)
        self.result.error = error_record(error)

    async def end(self, *, durable: bool = True, note: str | None = None) -> None:
        """Write the last state and tell the observer that this run is over; a full disk is only logged."""
        try:
            await self._write_in_any_case(durable=durable)
        except DiskError as error:
            _log.warning("[%s] %s", self.run.index, error)
        self.tell(note=note, result=self.result)

    def suspend(self, note: str) -> None:
        """Leave the run as it stands, without another wait."""
        if self.result.status is RunStatus.SUBMITTING:
            self.mark(RunStatus.UNCERTAIN)
        if self._unwritten:
            with suppress(DiskError):
                self._record_writer.keep_now(self._record())
        self.tell(note=note, result=self.result)

    async def write(self, *, durable: bool, passing: bool = False) -> None:
        """Keep the record; one of a `passing` status where only commands find it: its file tells of the job already."""
        self._unwritten = True
        await self._record_writer.keep(self._record(durable=durable, passing=passing))
        self._unwritten = passing

    async def _write_in_any_case(self, *, durable: bool) -> None:
        """Write the record even if this is cancelled, for callers that suspend no run."""
        try:
            await self.write(durable=durable)
        except asyncio.CancelledError:
            with suppress(DiskError):
                self._record_writer.keep_now(self._record())
            raise

    def _record(self, *, durable: bool = True, passing: bool = False) -> Record:
        self.result.revision += 1
        return Record(self.run, self.result.model_copy(), durable, passing)

    def tell(self, *, note: str | None = None, result: Result | None = None, partial: Path | None = None) -> None:
        """Pass the present state to the observer."""
        event = Event(
            self.run, self.result.status, self._progress, self.result.job_id, self._remote_status, note, result, partial
        )
        try:
            self._observer(event)
        except Exception:  # noqa: BLE001 - a display's bug must not lose a paid job
            _log.exception("the observer of run %s failed", self.run.index)

    def _charge(self, attempt: Attempt, usd: float | None) -> None:
        self._budget_tracker.correct(attempt.usd, usd)
        attempt.usd = usd

    def _take(self, job: Job) -> None:
        self._remote_status, self._progress = job.raw_status, job.progress
        self.result.raw_response = redacted(dict(job.raw))

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock.time(), dt.UTC)


def error_record(error: RunnerError) -> ErrorRecord:
    """Return an error as it is written to disk."""
    return ErrorRecord(
        type=type(error).__name__,
        code=error.code,
        message=error.message,
        hint=error.hint,
        retryable=error.retryable,
    )


def _expected(config: RunConfig) -> Cost:
    found = expected_price(config)
    return Cost() if found is None else Cost(estimated_usd=found.usd, estimated_from=found.basis)


def planned(run: Run, now: float) -> Result:
    """Return the record of a run that has not begun; `now` in Unix seconds."""
    config = run.config
    return Result.made(
        index=run.index,
        status=RunStatus.PLANNED,
        provider=config.provider.kind,
        endpoint=getattr(config.provider, "base_url", None) or config.provider.kind,
        model=config.model.name,
        deployment=None,
        config=config,
        overrides=list(run.overrides),
        request_sent={},
        cost=_expected(config),
        timestamps={RunStatus.PLANNED.value: dt.datetime.fromtimestamp(now, dt.UTC)},
        environment=environment(),
    )


def at_choice(choice: int, result: Result, run: Run, now: float) -> Result:
    """Return the record of a run that goes on as `run`, which is how its config's `choice` makes it."""
    return _renewed(result, planned(run, now)).model_copy(update={"choice": choice})


def _renewed(result: Result, fresh: Result) -> Result:
    """Return a fresh record that keeps what must not be forgotten of the earlier one."""
    kept = {name: getattr(result, name) for name in _LASTING}
    began = {name: result.timestamps[name] for name in [RunStatus.PLANNED.value] if name in result.timestamps}
    return fresh.model_copy(update={**kept, "timestamps": {**fresh.timestamps, **began}})
