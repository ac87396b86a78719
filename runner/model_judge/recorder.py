"""Record one vote as it changes: each change of status goes to disk first, its money to the budget."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path

from runner.artifacts.result import Attempt
from runner.artifacts.run_status import RunStatus
from runner.config.judge import ScoreConfig, price_of
from runner.config.provider import ProviderConfig
from runner.engine.budget_tracker import BudgetTracker, created_nothing
from runner.engine.clock import Clock
from runner.engine.recorder import error_record
from runner.engine.store import HeldAnswer, Threads
from runner.errors import ContentModerationError, GenerationFailedError, RunnerError
from runner.providers.base import Provider
from runner.providers.chat import ChatAnswer

from .vote import UNREADABLE, TokenCount, Vote
from .vote_store import VoteStore

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
