"""Ask a judge all questions that are left: some at once, each paid request recorded before it leaves."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner.artifacts.result import Attempt
from runner.artifacts.run_status import RunStatus
from runner.config.judge import ScoreConfig, price_of
from runner.config.provider import ProviderConfig
from runner.engine.clock import Clock
from runner.engine.endpoint import Endpoint, close_client
from runner.engine.execution import interrupts
from runner.engine.limiter import StoppedError
from runner.engine.payment import pay, settled
from runner.engine.recorder import SWEEP, BudgetTracker, created_nothing, error_record
from runner.engine.run import final_status
from runner.engine.store import HeldAnswer, Threads
from runner.errors import (
    ArtifactError,
    BudgetError,
    ContentModerationError,
    DiskError,
    GenerationFailedError,
    RunnerError,
)
from runner.providers.base import Provider
from runner.providers.chat import ChatAnswer, ChatRequest

from .pictures import PictureMaker, Wanted
from .question import JudgedFile, Question
from .vote import UNREADABLE, TokenCount, Vote, VoteStore

LOOK = "it counts as spent and is not repeated; answers are in no list, only the provider's bill tells"


class VoteRecorder:
    """Keep a vote, its record and the budget in step; it is what `pay` records to."""

    def __init__(
        self,
        vote: Vote,
        store: VoteStore,
        config: ScoreConfig,
        provider: Provider,
        *,
        threads: Threads,
        clock: Clock,
        tracker: BudgetTracker,
        tell: Callable[[str], object],
    ) -> None:
        """Begin the record, or go on with an earlier one; `tell` hears what the user should know."""
        self.vote = vote
        self.threads = threads
        self._store = store
        self._config = config
        self._provider = provider
        self._clock = clock
        self._tracker = tracker
        self._tell = tell

    @property
    def sent_model(self) -> str:
        """Return what is sent as the model."""
        return self.vote.model

    @property
    def directory(self) -> Path:
        """Return where what comes in place of an answer is kept."""
        return self._store.directory

    @property
    def next_exists(self) -> bool:
        """Return that nothing else can be tried."""
        return False

    @property
    def where_to_look(self) -> str:
        """Return what becomes of a request whose answer is lost, and where its user can look."""
        return LOOK

    @property
    def reread_by(self) -> str:
        """Return what reads a kept answer again."""
        return "the same command"

    @property
    def charged_to(self) -> ProviderConfig:
        """Return where the money goes."""
        return self._config.provider

    async def open(self) -> None:
        """Do nothing: the directory is there as long as its votes are open."""

    def begin_attempt(self) -> Attempt:
        """Take the money for a request and record that it is leaving; raises `BudgetError` or `StoppedError`."""
        vote, budget = self.vote, self._config.budget
        usd = budget.counted(self.charged_to, vote.estimated_usd)
        self._tracker.take(usd, budget, sum(budget.known(each) for each in vote.counted_usd))
        vote.error = None
        attempt = Attempt.made(
            number=len(vote.attempts) + 1,
            provider=vote.provider,
            model=vote.model,
            started_at=self._now(),
            usd=usd,
            credential=self._provider.credential,
            server_ahead=self._provider.server_ahead,
        )
        vote.attempts = [*vote.attempts, attempt]
        return attempt

    def withdraw(self, attempt: Attempt) -> None:
        """Forget a request that did not leave after all."""
        self._charge(attempt, 0.0)
        self.vote.attempts = [each for each in self.vote.attempts if each is not attempt]

    def end_attempt(self, attempt: Attempt, error: RunnerError | None = None) -> None:
        """Record what came of a request."""
        attempt.ended_at = self._now()
        attempt.error = None if error is None else error_record(error)
        if error is not None and created_nothing(error):
            self._charge(attempt, 0.0)

    async def reach(self, status: RunStatus) -> None:
        """Go on to `status`, which is safe from a power cut when this returns; raises `DiskError`."""
        self.mark(status)
        await self.threads.records(self._store.save, self.vote)

    def mark(self, status: RunStatus) -> None:
        """Go on to `status`, which the next write records."""
        self.vote.status = status

    async def step_back(self, note: str | None) -> None:
        """Return to planned, after a request that provably created nothing."""
        await self.reach(RunStatus.PLANNED)
        self.tell(note=note)

    def warn(self, text: str) -> None:
        """Tell something that the user should know."""
        self._tell(text)

    def tell(self, *, note: str | None = None) -> None:
        """Tell how far it is."""
        if note:
            self._tell(note)

    async def answered(self, answer: ChatAnswer) -> None:
        """Take an answer over, durably: it is paid, whatever can be read of it."""
        before = self.vote.attempts[-1].usd
        take_answer(self.vote, answer, self._config, self._now())
        self._tracker.correct(before, self.vote.attempts[-1].usd)
        held = HeldAnswer("the judge's answer", self._clock, self._tell)
        await held.write(lambda: self.reach(self.vote.status))

    def fail(self, status: RunStatus, error: RunnerError) -> None:
        """Record why the vote ends here; `end` writes it."""
        self.mark(status)
        self.vote.error = error_record(error)

    async def end(self) -> None:
        """Write the last state, unless nothing of it was ever written; raises `DiskError`."""
        if self.vote.attempts:
            # Shielded: whoever is cancelled now must not leave it half known.
            await asyncio.shield(self.threads.records(self._store.save, self.vote))

    def _charge(self, attempt: Attempt, usd: float | None) -> None:
        self._tracker.correct(attempt.usd, usd)
        attempt.usd = usd

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock.time(), dt.UTC)


def take_answer(vote: Vote, answer: ChatAnswer, config: ScoreConfig, now: dt.datetime) -> None:
    """Let a vote have what an answer says, or why it says nothing, and what it has cost."""
    vote.answered_at, vote.answered_by = now, answer.model
    vote.text, vote.request_id = answer.text, answer.request_id
    if answer.usage is not None:
        used = answer.usage
        vote.usage = TokenCount(tokens_in=used.tokens_in, tokens_out=used.tokens_out, cached_in=used.cached_in)
    vote.usd = _cost(answer, config)
    if vote.usd is not None:
        vote.attempts[-1].usd = config.budget.counted(config.provider, vote.usd)
    vote.verdict = None if answer.refusal is not None else vote.read(answer.text)
    if vote.verdict is not None:
        vote.status, vote.error = RunStatus.VERIFIED, None
        return
    vote.status = RunStatus.FAILED
    error: RunnerError = GenerationFailedError(
        f"{vote.model} gave no judgement that can be read: {answer.text[:200] or 'its answer is empty'}",
        hint="it is paid and kept; score --retry-failed pays for another",
        code=UNREADABLE,
    )
    if answer.refusal is not None:
        error = ContentModerationError(
            f"{vote.model} refused to judge: {answer.refusal[:500]}", hint="score --retry-failed asks it again"
        )
    elif answer.cut:
        error = GenerationFailedError(
            f"the answer of {vote.model} was cut at judge.max_tokens",
            hint="judge.max_tokens=8000 with score --retry-failed, which pays for another",
            code=UNREADABLE,
        )
    vote.error = error_record(error)


def _cost(answer: ChatAnswer, config: ScoreConfig) -> float | None:
    """Return the US dollars of an answer, by the server's word or its tokens; None where neither tells."""
    price = price_of(config)
    if answer.usd is not None or price is None or answer.usage is None:
        return answer.usd
    return price.cost(answer.usage.tokens_in, answer.usage.tokens_out, answer.usage.cached_in)


LOG = "score.log"
"""The name of the file for tracebacks, beside the votes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold a question with its vote, as far as that has come."""

    question: Question
    vote: Vote


@dataclass(slots=True)
class Outcome:
    """Describe what came of asking.

    Attributes:
        unseen: files that could not be looked at, with the reason; nothing was sent for them.
        interrupted: the signal that ended it.
        stopped_by: the error for which nothing more was asked.
    """

    unseen: dict[Path, RunnerError] = field(default_factory=dict)
    interrupted: int | None = None
    stopped_by: RunnerError | None = None


class Asking:
    """Ask what is left, for one event loop."""

    def __init__(
        self,
        config: ScoreConfig,
        provider: Provider,
        left: Sequence[Asked],
        stores: Mapping[Path, VoteStore],
        *,
        spent: float,
        tell: Callable[[str], object],
        advance: Callable[[int, int], object],
        clock: Clock | None = None,
    ) -> None:
        """Take what is left, and the votes of each place.

        Args:
            config: who is asked what.
            provider: where; closed at the end.
            left: the questions.
            stores: by the questions' places.
            spent: what counts against the budget already, in US dollars.
            tell: hears what the user should know.
            advance: hears how many are done, of how many.
            clock: of the engine.
        """
        self._config = config
        self._provider = provider
        self._waiting = deque(left)
        self._count = len(left)
        self._done = 0
        self._stores = stores
        self._tracker = BudgetTracker(config.budget.max_usd, spent)
        self._tell = tell
        self._advance = advance
        self._clock = clock or Clock()
        self._endpoint = Endpoint(provider, config.provider, self._clock)
        self._threads = Threads()
        self._log = log_of(stores)
        self._pictures: asyncio.Queue[PictureMaker] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._outcome = Outcome()
        self._signals = 0

    async def run(self) -> Outcome:
        """Ask everything; after an interrupt, answers that are under way are awaited."""
        with interrupts(self._interrupt):
            try:
                self._pictures.put_nowait(PictureMaker())
                most = min(self._config.provider.max_concurrent_requests, self._count)
                self._workers = [asyncio.create_task(self._work()) for _ in range(most)]
                if self._workers:
                    await asyncio.wait(self._workers)
                for worker in self._workers:
                    if not worker.cancelled() and (error := worker.exception()) is not None:
                        raise error
            finally:
                await self._close()
        # An endpoint that asks everyone to wait beyond the deadline ends it, too, although no vote has met an error.
        self._outcome.stopped_by = self._outcome.stopped_by or self._endpoint.stopped_by
        return self._outcome

    def _interrupt(self, number: int) -> None:
        """Ask nothing more, but await paid answers; on a second signal, leave those, too."""
        self._signals += 1
        if self._signals == 1:
            self._tell(
                "interrupted: answers that are under way are awaited; once more leaves them, and they stay uncertain"
            )
        self._outcome.interrupted = self._outcome.interrupted or number
        self._endpoint.stop_event.set()
        for worker in self._workers:
            worker.cancel()

    async def _close(self) -> None:
        maker = self._pictures.get_nowait()
        # After Ctrl-C, a thread may still wait for what the child makes of a file.
        maker.stop()
        await self._threads.media(maker.close)
        await close_client(self._provider)
        self._threads.close()

    async def _work(self) -> None:
        while self._waiting and not self._endpoint.stop_event.is_set:
            await self._ask(self._waiting.popleft())
            self._done += 1
            self._advance(self._done, self._count)

    async def _ask(self, asked: Asked) -> None:
        vote, question = asked.vote, asked.question
        recorder = VoteRecorder(
            vote,
            self._stores[question.place],
            self._config,
            self._provider,
            threads=self._threads,
            clock=self._clock,
            tracker=self._tracker,
            tell=self._tell,
        )
        try:
            request = await self._request(question)
            if request is not None:
                chat = self._provider.chat()
                await settled(pay(self._endpoint, recorder, lambda: chat.ask(request), recorder.answered))
        except StoppedError:
            return
        except Exception as error:  # noqa: BLE001 - a bug met by one vote must not stop the others
            status, reason = final_status(error, vote.status, str(self._log))
            recorder.fail(status, reason)
            self._consider(reason)
            await self._end(recorder)

    async def _end(self, recorder: VoteRecorder) -> None:
        """Write how a vote ended; one whose record cannot be written is as uncertain as the disk says."""
        try:
            await recorder.end()
        except DiskError as refused:
            self._consider(refused)
        except Exception as error:  # noqa: BLE001 - as above
            recorder.fail(*final_status(error, RunStatus.SUBMITTING, str(self._log)))

    async def _request(self, question: Question) -> ChatRequest | None:
        """Return what is sent; None where a file cannot be looked at, which is told and tried again the next time."""
        pictures = []
        for file in question.files:
            try:
                pictures.append(await self._shown(file))
            except ArtifactError as error:
                self._outcome.unseen[file.path] = error
                return None
        return await self._threads.media(question.request, self._config.judge, pictures)

    async def _shown(self, file: JudgedFile) -> list[bytes]:
        """Return the pictures of a file, which a child makes; raises `ArtifactError`."""
        judge = self._config.judge
        maker = await self._pictures.get()
        try:
            wanted = Wanted(file.path, file.media_type, judge.frames, judge.max_side)
            return await self._threads.media(maker.make, wanted)
        finally:
            self._pictures.put_nowait(maker)

    def _consider(self, error: RunnerError) -> None:
        """Stop what an error stops: everything for a full disk or a budget, or what all others would meet, too."""
        ends_all = isinstance(error, DiskError) or (isinstance(error, BudgetError) and error.code == SWEEP)
        if ends_all:
            self._outcome.stopped_by = self._outcome.stopped_by or error
            # What has taken its money may still be spent.
            self._endpoint.stop_event.set(drain=isinstance(error, BudgetError))
        elif self._endpoint.concerns_all(error):
            self._endpoint.stop(error)
        self._outcome.stopped_by = self._outcome.stopped_by or self._endpoint.stopped_by


def ask_all(
    config: ScoreConfig,
    left: Sequence[Asked],
    stores: Mapping[Path, VoteStore],
    *,
    spent: float,
    tell: Callable[[str], object],
    advance: Callable[[int, int], object],
) -> Outcome:
    """Ask what is left and return what came of it; raises `ConfigError` where the provider cannot be reached at all."""

    async def asking() -> Outcome:
        from runner.providers.registry import create

        provider = create(config.provider)
        return await Asking(config, provider, left, stores, spent=spent, tell=tell, advance=advance).run()

    with _logged(log_of(stores)):
        return asyncio.run(asking())


def log_of(stores: Mapping[Path, VoteStore]) -> Path:
    """Return the file for the tracebacks of errors that no one foresaw: of several places, the first has it."""
    return next(iter(stores.values())).directory / LOG


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Append what the engine logs to a file, which is made with the first line, instead of the terminal."""
    logger, handler = logging.getLogger("runner"), logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.setLevel(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def is_open(vote: Vote, *, retry_failed: bool, resubmit_uncertain: bool) -> bool:
    """Return whether a vote is asked now: what was answered, refused or may have been paid only by its user's word."""
    if vote.free:
        return True
    if vote.status is RunStatus.FAILED:
        return retry_failed
    return vote.status.lost and resubmit_uncertain
