"""Sum up a ledger without loading its runs: how many are how far, what they cost, what would resume them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import runner.errors
from runner.artifacts.result import Result, RunStatus
from runner.engine.batch_record import BatchRecord
from runner.errors import RunnerError, UnexpectedAnswerError
from runner.shell import command

from .batches import waited_for
from .discover import written_at
from .ledger import NAME, Ledger, LedgerError
from .lock import at_work

# Without the arrow operators, which the SQLite of older systems lacks.
_SPENT = """
SELECT sum(json_extract(attempt.value, '$.usd')), sum(json_extract(attempt.value, '$.usd') IS NULL)
FROM runs, json_each(runs.result, '$.attempts') AS attempt"""
_PAYING = """
SELECT count(*) FROM runs, sections WHERE sections.number = json_extract(runs.config, '$[0][0]')
AND json_extract(sections.json, '$.kind') != 'emulator'"""
_FAILURES = """
SELECT DISTINCT json_extract(result, '$.error.type'), json_extract(result, '$.error.retryable') FROM runs
WHERE status IN ('failed', 'expired', 'cancelled') AND json_extract(result, '$.error.type') IS NOT NULL"""


_MODELS = "SELECT DISTINCT json_extract(json, '$.name') FROM sections WHERE json_extract(json, '$.name') IS NOT NULL"
_ASKED = "SELECT json_extract(config, '$[1]') FROM runs ORDER BY number LIMIT 1"
_PROMPTS = "SELECT count(DISTINCT json_extract(json_extract(config, '$[1]'), '$.request.prompt')) FROM runs"


@dataclass(frozen=True, slots=True)
class Summary:
    """Describe one sweep or run.

    Attributes:
        directory: where it lies.
        states: how many runs have come how far.
        usd: what its runs count as spent, in US dollars at list price; None if that of one is unknown.
        emulated: whether all of it was emulated, and so free.
        changed: Unix seconds of the last change.
        retryable: whether a failed run may succeed if it is tried again.
        running: who is at work on it, None if nobody.
        name, tags: what its user calls it.
        models: the names of its models, fallbacks not included.
        prompt: its first run's prompt; None if no run was planned.
        prompts: how many different ones there are.
        batches: those that may still go on at the provider, as they were last heard of.
    """

    directory: Path
    states: Mapping[RunStatus, int]
    usd: float | None
    emulated: bool
    changed: float
    retryable: bool = False
    running: str | None = None
    name: str | None = None
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    prompt: str | None = None
    prompts: int = 0
    batches: tuple[BatchRecord, ...] = ()

    @property
    def command(self) -> str | None:
        """Return the command that resumes it; None if nothing is left to do, or a process is working on it."""
        return None if self.running else resume_command(self.states, self.directory, retryable=self.retryable)


def summary(ledger: Ledger) -> Summary:
    """Sum a ledger up; raises `LedgerError`."""
    counts = ledger.ask("SELECT status, count(*) FROM runs GROUP BY 1")
    try:
        states = {RunStatus(status): count for status, count in counts}
    except ValueError as error:
        raise LedgerError(f"{ledger.directory / NAME} cannot be read: {error}") from error
    ((usd, unknown),) = ledger.ask(_SPENT)
    ((paying,),) = ledger.ask(_PAYING)
    return Summary(
        directory=ledger.directory,
        states=states,
        usd=None if unknown or not 0 <= (usd or 0) < math.inf else round(usd or 0.0, 6),
        emulated=not paying,
        changed=written_at(ledger.directory),
        retryable=any(may_pass(kind, retryable=bool(retryable)) for kind, retryable in ledger.ask(_FAILURES)),
        running=at_work(ledger.directory),
        batches=tuple(waited_for(ledger)),
        **_asked(ledger),
    )


class NotFinishedError(RunnerError):
    """Tell that the run was not submitted, or was left at the provider; resuming the sweep will collect its file."""

    exit_code: ClassVar[int] = 4


def _asked(ledger: Ledger) -> dict[str, Any]:  # Any: some of `Summary`'s fields
    """Return what its runs ask for; nothing of a ledger without runs."""
    first = ledger.ask(_ASKED)
    if not first:
        return {}
    try:
        config = json.loads(first[0][0])
        return {
            "name": config.get("name"),
            "tags": tuple(config.get("tags") or ()),
            "models": tuple(str(name) for (name,) in ledger.ask(_MODELS)),
            "prompt": config["request"]["prompt"],
            "prompts": ledger.ask(_PROMPTS)[0][0],
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LedgerError(f"{ledger.directory / NAME} cannot be read: {error}") from error


def error_kind(name: str) -> type[RunnerError]:
    """Return the error that a record names; one that is unknown is a plain `RunnerError`."""
    kind = getattr(runner.errors, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, RunnerError) else RunnerError


def failure_of(result: Result | None) -> RunnerError:
    """Return the error that a result tells of."""
    if result is None or result.error is None:
        status = "planned" if result is None else result.status.value
        where = f" as {result.job_id}" if result is not None and result.job_id else ""
        return NotFinishedError(f"the run was not finished: it is {status}{where}")
    record = result.error
    try:
        return error_kind(record.type)(record.message, hint=record.hint, code=record.code, job_id=result.job_id)
    except TypeError:
        # A few kinds ask for more than a result keeps.
        return RunnerError(record.message, hint=record.hint, code=record.code, job_id=result.job_id)


def may_pass(kind: str, *, retryable: bool) -> bool:
    """Return whether a failure of this kind may pass: a key can be corrected, a refused prompt or a gone file not."""
    error = error_kind(kind)
    return retryable or error.shared or issubclass(error, UnexpectedAnswerError)


def resume_command(states: Mapping[RunStatus, int], directory: Path, *, retryable: bool) -> str | None:
    """Return the command that brings runs in these states further, None if none does."""
    left = {status for status, count in states.items() if count}
    resume = command("resume", directory)
    if any(status.unfinished and status is not RunStatus.UNCERTAIN for status in left):
        return resume
    if RunStatus.UNCERTAIN in left:
        return f"{resume} --resubmit-uncertain"
    return f"{resume} --retry-failed" if retryable and any(status.failed for status in left) else None
