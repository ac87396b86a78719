"""Describe one vote of a judge as it is kept: the question, each paid request for it, and what was answered."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from runner.artifacts.result import Attempt, ErrorRecord, StoredModel, Usd
from runner.artifacts.run_status import RunStatus
from runner.config.judge import ScoreConfig

from .question import Question, names_of
from .verdict import Verdict, read_choice, read_scores

UNREADABLE = "unreadable_answer"
"""The code of a vote that was answered and paid, and whose answer holds no judgement."""


class VotedFile(StoredModel):
    """Name a file that was judged."""

    run: str
    file: str
    sha256: str


class TokenCount(StoredModel):
    """Count the tokens of a request, as its server told."""

    tokens_in: int
    tokens_out: int
    cached_in: int = 0


class Vote(StoredModel):
    """Hold one vote.

    Attributes:
        key: names the question.
        status: planned, submitting, verified (answered), failed or uncertain, as of a run.
        files: one that is scored, or two in the order in which they were shown.
        criteria: what is scored.
        number: which of several votes on the same it is, from 0.
        answered_by: the model, by the server's word.
        text: the answer as it came.
        verdict: what it says; None where nothing could be read.
        estimated_usd: what its latest request costs at most.
        usd: what it has cost in US dollars, by list price or the server's word; emulated, what it would have.
    """

    version: int = 1
    key: str
    status: RunStatus = RunStatus.PLANNED
    files: list[VotedFile]
    provider: str
    endpoint: str
    model: str
    criteria: list[str]
    temperature: float | None = None
    seed: int | None = None
    number: int = 0
    attempts: list[Attempt] = Field(default_factory=list)
    answered_at: dt.datetime | None = None
    answered_by: str | None = None
    request_id: str | None = None
    text: str | None = None
    verdict: Verdict | None = None
    usage: TokenCount | None = None
    estimated_usd: Usd = None
    usd: Usd = None
    error: ErrorRecord | None = None

    @property
    def compares(self) -> bool:
        """Return whether two files were compared."""
        return len(self.files) > 1

    @property
    def counted_usd(self) -> list[float | None]:
        """Return what each of its requests counts in US dollars."""
        return [attempt.usd for attempt in self.attempts]

    @property
    def free(self) -> bool:
        """Return whether nothing of it was or may be paid, so that it may be asked as if for the first time.

        What a filter refuses is not asked for again by itself, either.
        """
        filtered = self.error is not None and self.error.type == "ContentModerationError"
        return self.status is RunStatus.PLANNED or (
            self.status is RunStatus.FAILED and self.text is None and not filtered and not any(self.counted_usd)
        )

    def read(self, text: str) -> Verdict | None:
        """Return what an answer's text says; None where it is no judgement."""
        return read_choice(text) if self.compares else read_scores(text, self.criteria)


def planned_vote(question: Question, config: ScoreConfig, endpoint: str) -> Vote:
    """Return the vote that a question begins."""
    judge = config.judge
    return Vote(
        key=question.key(config, endpoint),
        files=[VotedFile(run=file.run, file=file.name, sha256=file.sha256) for file in question.files],
        provider=config.provider.kind,
        endpoint=endpoint,
        model=judge.sent_model,
        criteria=[] if question.compares else names_of(judge),
        temperature=judge.temperature,
        seed=None if judge.seed is None else judge.seed + question.number,
        number=question.number,
    )
