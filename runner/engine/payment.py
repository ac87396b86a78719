"""Send the one request of a run that costs money; repeat it only if it provably created nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from runner.artifacts.atomic import require_space
from runner.artifacts.result import Attempt
from runner.artifacts.run_status import RunStatus
from runner.errors import (
    AuthenticationError,
    BudgetError,
    DiskError,
    HTTPConnectionError,
    ProviderError,
    RateLimitError,
    RunnerError,
    ServerError,
    UncertainError,
    UnexpectedAnswerError,
)
from runner.providers.base import ImageBatch, Job

from .clock import Backoff
from .endpoint import Endpoint
from .kept_answer import keep_answer
from .limiter import StoppedError
from .store import Threads

if TYPE_CHECKING:
    from runner.providers.chat import ChatAnswer

T = TypeVar("T", bound="Job | ImageBatch | ChatAnswer")
U = TypeVar("U")

TRIES = 6
"""Times that an unreachable endpoint is tried, over half a minute: a router restarts in less."""

FIRST_TRIES = 3
"""The same for one that never answered: more likely than a moment's trouble is an address that is wrong."""

_MOST_REFUSALS = 20
"""Times that one run may be told to wait beyond its deadline while others pass it."""

_MOMENT_SECONDS = 2.0

_UNREACHABLE = Backoff(base=1, cap=15, floor=0.8)


class PaidRecord(Hashable, Protocol):
    """Keep the record of one paid request, as `RunRecorder` does for a run.

    Attributes:
        threads: write to the disk.
    """

    threads: Threads

    @property
    def sent_model(self) -> str:
        """Return what is sent as the model."""

    @property
    def directory(self) -> Path:
        """Return where what comes in place of an answer is kept."""

    @property
    def next_exists(self) -> bool:
        """Return whether something else can be tried, so that a refusal or an unreachable host is not waited out."""

    @property
    def where_to_look(self) -> str:
        """Return what becomes of a request whose answer is lost, and where its user can look."""

    @property
    def reread_by(self) -> str:
        """Return what reads a kept answer again."""

    async def open(self) -> None:
        """See to it that the directory is there; raises `DiskError`."""

    def begin_attempt(self) -> Attempt:
        """Take the money for a request and record that it is leaving; raises `BudgetError` or `StoppedError`."""

    def withdraw(self, attempt: Attempt) -> None:
        """Forget a request that did not leave after all."""

    def end_attempt(self, attempt: Attempt, error: RunnerError | None = None) -> None:
        """Record what came of a request."""

    async def reach(self, status: RunStatus) -> None:
        """Go on to `status`, which is safe from a power cut when this returns."""

    def mark(self, status: RunStatus) -> None:
        """Go on to `status`, which the next write records."""

    async def step_back(self, note: str | None) -> None:
        """Return to planned, after a request that provably created nothing."""

    def warn(self, text: str) -> None:
        """Record and tell something that the user should know, once."""

    def tell(self, *, note: str | None = None) -> None:
        """Tell how far it is."""


async def pay(
    endpoint: Endpoint,
    recorder: PaidRecord,
    send: Callable[[], Awaitable[T]],
    keep: Callable[[T], Awaitable[U]],
    first: Callable[[], Awaitable[None]] | None = None,
) -> U:
    """Send the paid request and `keep` its answer while the request still counts as in flight.

    `first` is awaited each time that the turn has come and nothing is recorded as sent: a free question that goes
    before. Whatever it raises is a request that provably was not sent.

    Raises `StoppedError` if submitting ended first, `UncertainError` if nobody knows what became of the request. A run
    that has another choice left does not wait: what was provably not created here can be asked for there.
    """
    refusals, unreached = _Refusals(endpoint, recorder), 0
    while True:
        try:
            async with endpoint.submission(recorder, recorder.sent_model):
                if first is not None:
                    await _ask_first(endpoint, first)
                return await _once(endpoint, recorder, send, keep)
        except RateLimitError as error:
            if recorder.next_exists:
                raise
            await refusals.bear(error)
        except AuthenticationError as error:
            await refusals.bear_key(error)
        except HTTPConnectionError as error:
            unreached += 1
            await _bear_distance(endpoint, recorder, error, unreached)
            refusals = _Refusals(endpoint, recorder)


async def _ask_first(endpoint: Endpoint, first: Callable[[], Awaitable[None]]) -> None:
    asked_at = endpoint.clock.elapsed()
    try:
        await first()
    except RateLimitError as error:
        endpoint.refused(error, asked_at, paid=True)
        raise


class _Refusals:
    """Count how often a run's paid request was refused unprocessed, and say when that has to end."""

    def __init__(self, endpoint: Endpoint, recorder: PaidRecord) -> None:
        self._endpoint = endpoint
        self._recorder = recorder
        self._began = endpoint.clock.elapsed()
        self._count = 0
        self._keys = 0

    async def bear(self, error: RateLimitError) -> None:
        """Return to planned, to try again; raises the refusal where that would pass the deadline."""
        endpoint = self._endpoint
        self._count += 1
        wait, submissions = endpoint.limits.paused, endpoint.limits.submissions
        said = f": {error}" if submissions.new_words() else ""
        beyond = endpoint.beyond_deadline(error)
        note = f"rate limited: submissions to {endpoint.provider.endpoint} wait {wait:,.0f} s{said}"
        await self._recorder.step_back(note if beyond is None else None)
        if beyond is not None:
            raise beyond
        waited = endpoint.clock.elapsed() - self._began
        if self._count >= _MOST_REFUSALS and waited > endpoint.config.job_timeout:
            # Other runs pass: a firewall may refuse this run's content.
            raise error

    async def bear_key(self, error: AuthenticationError) -> None:
        """Return to planned, to try once more where siblings passed with the same key; raises the refusal otherwise.

        Who is refused with 401 has created nothing.
        """
        if error.status_code != 401 or not self._endpoint.served:
            raise error
        self._keys += 1
        await self._recorder.step_back(f"{error}; others passed with the same key" if self._keys == 1 else None)
        if self._keys > 1:
            raise error
        await self._endpoint.stop_event.sleep(_MOMENT_SECONDS, self._endpoint.clock)


async def _bear_distance(endpoint: Endpoint, recorder: PaidRecord, error: HTTPConnectionError, unreached: int) -> None:
    """Return to planned and wait, as nothing was sent; raises `error` after the last try or with a choice left."""
    tries = 1 if recorder.next_exists else TRIES if endpoint.answered else FIRST_TRIES
    if unreached >= tries:
        raise error
    wait = _UNREACHABLE.seconds(unreached, endpoint.clock)
    await recorder.step_back(f"{error} (try {unreached} of {tries}; nothing was sent)")
    await endpoint.stop_event.sleep(wait, endpoint.clock)


async def _once(
    endpoint: Endpoint,
    recorder: PaidRecord,
    send: Callable[[], Awaitable[T]],
    keep: Callable[[T], Awaitable[U]],
) -> U:
    attempt = await _announce(endpoint, recorder)
    sent_at = endpoint.clock.elapsed()
    try:
        answer = await _sent(send, recorder)
    except RunnerError as error:
        await keep_answer(recorder, attempt, endpoint.clock, error)
        recorder.end_attempt(attempt, error)
        if isinstance(error, RateLimitError):
            endpoint.refused(error, sent_at, paid=True)
        if isinstance(error, ProviderError) and not isinstance(error, HTTPConnectionError | UnexpectedAnswerError):
            endpoint.answered = True
        raise
    recorder.end_attempt(attempt)
    endpoint.accepted(answer, recorder, sent_at)
    if isinstance(answer, Job) and endpoint.named_before(answer.id, recorder):
        recorder.warn(f"the server gave job {answer.id} as the answer to another request, too: both may have one file")
    return await keep(answer)


async def _announce(endpoint: Endpoint, recorder: PaidRecord) -> Attempt:
    """Record `submitting` durably: whoever finds it later knows that money may have been spent."""
    await recorder.open()
    require_space(recorder.directory)
    attempt = recorder.begin_attempt()
    try:
        await recorder.reach(RunStatus.SUBMITTING)
    except (DiskError, BudgetError, StoppedError, asyncio.CancelledError):
        recorder.withdraw(attempt)
        recorder.mark(RunStatus.PLANNED)
        raise
    if endpoint.stop_event.immediate:
        recorder.withdraw(attempt)
        await recorder.step_back(None)
        raise StoppedError
    return attempt


async def _sent(send: Callable[[], Awaitable[T]], recorder: PaidRecord) -> T:
    try:
        return await send()
    except asyncio.CancelledError:
        message = "left before the answer to a paid request came"
        raise UncertainError(message, hint=recorder.where_to_look) from None
    except ServerError as error:
        message = f"the paid request may have been accepted: {error}"
        raise UncertainError(message, hint=recorder.where_to_look, code=error.code) from error


async def settled(work: Coroutine[Any, Any, U]) -> U:  # Any: what a coroutine yields and is sent is asyncio's
    """Await `work` to its end although the caller is cancelled once; a second cancellation reaches it."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
