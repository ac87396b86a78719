"""Judge whether a listed job is what an unanswered request made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.artifacts.result import Attempt, Result
from runner.errors import UncertainError
from runner.providers.base import Job
from runner.providers.job import backend_id

MARGIN = 300.0
"""Seconds by which the provider's clock may differ from ours, either way, where nothing is known of it."""

_KNOWN_MARGIN = 20.0
"""The same where its answers told its time: for the parts of a gateway, whose clocks may differ."""

AROUND = 900.0
"""Seconds before and after a lost request in which jobs of no known run show that others use the account."""

GRACE = 900.0
"""Seconds after a process vanished in which its request may still have been carried out."""

_VIDEO_OPERATIONS = frozenset({"create", "remix", "edit_video", "extend"})
_DENIED = re.compile(
    r"overloaded|at capacity|queue is full|nothing was (created|made|charged)|not (been )?(created|accepted|queued)\b",
    re.IGNORECASE,
)
"""Words of an error answer by which a server says that it took nothing on."""
MARK, MARK_KEY = "runner-", "runner"
"""How a mark begins, and its key where the field holds an object."""
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class Lost:
    """Describe a run whose paid request was sent and whose answer never came.

    Attributes:
        index: the run's.
        sent: the request as it was sent, as `result.json` records it.
        models: the names under which the provider may list its model: the one sent, and the model's own.
        earliest: Unix seconds before which the request was not sent.
        latest: Unix seconds after which the provider no longer acted on it.
        margin: seconds by which these may be wrong.
        denied: whether the server said that it made nothing.
        mark_field: the field in which the request carried a mark, if it did.
    """

    index: int
    sent: Mapping[str, Any]  # Any: the request's JSON
    models: frozenset[str]
    earliest: float
    latest: float
    margin: float = MARGIN
    denied: bool = False
    mark_field: str | None = None

    @property
    def mark(self) -> str | None:
        """Return what the request carried to be known by."""
        return _mark(self.sent, self.mark_field)

    def carried_by(self, job: Job) -> bool | None:
        """Return whether `job` carries the request's mark; None where the request had none or the list tells none."""
        told = _mark(job.raw, self.mark_field)
        return None if self.mark is None or told is None else told == self.mark

    @property
    def prompt(self) -> str | None:
        """Return the prompt, as `listed_prompt` writes it."""
        return written(self.sent.get("prompt"))

    @property
    def listed(self) -> bool:
        """Return whether its request makes a job; images come with the answer or not at all."""
        return self.sent.get("operation") in _VIDEO_OPERATIONS

    def around(self, moment: float) -> bool:
        """Return whether the request may have been carried out at `moment` (Unix seconds of the provider's clock)."""
        return self.earliest - self.margin <= moment <= self.latest + self.margin

    def about(self, job: Job) -> bool:
        """Return whether a job of the same model was created not long before or after, whoever asked for it."""
        near = job.created_at is not None and self.earliest - AROUND <= job.created_at <= self.latest + AROUND
        return near and _model(self, job)


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """Describe a lost request of a run elsewhere; `place` is the directory of its ledger."""

    place: Path
    request: Lost

    def may_have_made(self, job: Job) -> bool:
        """Return whether nothing speaks against it."""
        return self.request.listed and matches(self.request, job) is not False


def _mark(fields: Mapping[str, Any], name: str | None) -> str | None:  # Any: JSON
    value = fields.get(name) if name is not None else None
    if isinstance(value, str) and value[:1] == "{":
        with suppress(ValueError):
            value = json.loads(value)
    value = value.get(MARK_KEY) if isinstance(value, dict) else value
    return value if isinstance(value, str) and value.startswith(MARK) else None


def unanswered(result: Result) -> list[Attempt]:
    """Return the requests of the run's present choice that nobody knows an answer to."""
    return [
        attempt
        for attempt in result.attempts
        if attempt.choice == result.choice
        and attempt.job_id is None
        and (attempt.error is None or attempt.error.type == UncertainError.__name__)
    ]


def lost_request(number: int, result: Result, attempt: Attempt) -> Lost:
    """Return one of a run's unanswered requests as a `Lost`, under a number that tells it from others."""
    ahead = attempt.server_ahead
    started = attempt.started_at.timestamp() + (ahead or 0.0)
    ended = attempt.ended_at.timestamp() + (ahead or 0.0) if attempt.ended_at else started + GRACE
    return Lost(
        number,
        result.request_sent,
        frozenset({attempt.model, result.model}),
        started,
        ended,
        margin=MARGIN if ahead is None else _KNOWN_MARGIN,
        mark_field=getattr(result.config.provider, "mark_field", None),
        denied=attempt.error is not None and _DENIED.search(attempt.error.message) is not None,
    )


def listed_prompt(job: Job) -> str | None:
    """Return the prompt that a job is listed with, None if with none."""
    return written(job.raw.get("prompt"))


def written(prompt: object) -> str | None:
    """Return a prompt without what forms and servers change about it on the way: line ends and outer spaces."""
    return prompt.replace("\r\n", "\n").strip() if isinstance(prompt, str) else None


def contradicts(lost: Lost, job: Job) -> bool:
    """Return whether `job`, which the user says is `lost`'s, cannot be it, whenever it was created."""
    told = (_prompt(lost, job), _source(lost, job), _model(lost, job), _size(lost, job), _seconds(lost, job))
    return False in told


def matches(lost: Lost, job: Job) -> bool | None:
    """Return whether `job` is what `lost` asked for; None if nothing contradicts it and the list does not tell enough.

    Prompt, time and, for a remix, its source must be told and fit: without them a stranger's job would do as well. A
    prompt that is listed cut is another prompt. Model, size and seconds need only not contradict.
    """
    if lost.carried_by(job) is not None:
        return lost.carried_by(job)
    in_time = None if job.created_at is None else lost.around(job.created_at)
    told = (_prompt(lost, job), in_time, _source(lost, job))
    if False in told or not (_model(lost, job) and _size(lost, job) and _seconds(lost, job)):
        return False
    return None if None in told else True


def _prompt(lost: Lost, job: Job) -> bool | None:
    listed = listed_prompt(job)
    return None if listed is None else listed == lost.prompt


def _source(lost: Lost, job: Job) -> bool | None:
    source, operation, target = job.raw.get("remixed_from_video_id"), lost.sent.get("operation"), lost.sent.get("video")
    if operation == "create":
        return not source
    if job.id == target:
        return False
    if source:
        return bool(source == target)
    # Only a remix is documented to name what it was made of.
    return None if operation == "remix" else True


def _model(lost: Lost, job: Job) -> bool:
    """Return whether the models fit. Azure may list a deployment, its model or a dated version."""
    listed = job.raw.get("model")
    if "model" not in lost.sent or not isinstance(listed, str) or not listed:
        return True
    return _undated(listed) in map(_undated, lost.models | {str(lost.sent["model"])})


def _undated(model: str) -> str:
    return _DATED.sub("", model.casefold())


def _size(lost: Lost, job: Job) -> bool:
    sent, listed = lost.sent.get("size"), job.raw.get("size")
    return not sent or not listed or str(sent).casefold() == str(listed).casefold()


def _seconds(lost: Lost, job: Job) -> bool:
    sent, listed = _number(lost.sent.get("seconds")), _number(job.raw.get("seconds"))
    if sent is None or listed is None:
        return True
    # An extension is listed with the length of the whole.
    return listed > sent if lost.sent.get("operation") == "extend" else listed == sent


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class OtherRuns:
    """Describe the jobs and the open requests of other runs.

    Attributes:
        jobs: ids of jobs that belong to them.
        open: those with a paid request that nobody knows an answer to, each with the directory of its ledger.
        unknown: why there may be more, for people; empty if there are not.
        own: runs of this execution that are done and have such a request: it explains a job of no known run.
    """

    jobs: frozenset[str] = frozenset()
    open: tuple[tuple[Path, Result], ...] = ()
    unknown: str = ""
    own: tuple[Result, ...] = ()

    @property
    def backend_ids(self) -> frozenset[str]:
        """Return the jobs' ids as the backends know them: a gateway lists a job under another id than it gave."""
        return frozenset(map(backend_id, self.jobs))

    def also(self, jobs: Iterable[str], own: Iterable[Result] = ()) -> OtherRuns:
        """Return these with more jobs, and with runs of this execution."""
        return replace(self, jobs=self.jobs.union(jobs), own=(*self.own, *own))
