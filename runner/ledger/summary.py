"""Sum up a ledger without loading its runs: how many are how far, what they cost, what would resume them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import runner.errors
from runner.artifacts.run_status import RunStatus
from runner.errors import RunnerError, UnexpectedAnswerError
from runner.shell import command

from .discover import written_at
from .lock import at_work
from .outputs_index import Entry, Kind

if TYPE_CHECKING:
    from runner.artifacts.result import Result
    from runner.engine.batch_record import BatchRecord

    from .ledger import Ledger


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
        call: whether it is a single call of the Python API, which nobody sees at work.
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
    call: bool = False

    @property
    def command(self) -> str | None:
        """Return the command that resumes it; None if nothing is left to do, or a process is working on it."""
        return None if self.running else resume_command(self.states, self.directory, retryable=self.retryable)


def summary(ledger: Ledger) -> Summary:
    """Sum a ledger up; raises `LedgerError`."""
    _, fields = ledger.read(SUMMARY.taken)
    return summary_of(Entry(ledger.directory, written_at(ledger.directory), fields))


def summary_of(entry: Entry[dict[str, Any]]) -> Summary:  # Any: some of `Summary`'s fields
    """Return the summary of an index's entry."""
    return Summary(directory=entry.directory, changed=entry.written, running=at_work(entry.directory), **entry.value)


def _read(ledger: Ledger) -> dict[str, Any]:  # Any: JSON
    from .digest import summed_up  # it needs the models, which a summary that is kept does not

    return summed_up(ledger)


def _fields(told: dict[str, Any]) -> dict[str, Any]:  # Any: JSON; some of `Summary`'s fields
    """Return what `digest.summed_up` has found; raises what another form makes Python raise."""
    return {
        "states": {RunStatus(status): int(count) for status, count in told["states"].items()},
        "usd": None if told["usd"] is None else float(told["usd"]),
        "emulated": bool(told["emulated"]),
        "retryable": any(may_pass(kind, retryable=retryable) for kind, retryable in told["failures"]),
        "name": _text(told["name"]),
        "tags": tuple(map(str, told["tags"])),
        "models": tuple(map(str, told["models"])),
        "prompt": _text(told["prompt"]),
        "prompts": int(told["prompts"]),
        "batches": _batches(told["batches"]),
    }


def _text(told: object) -> str | None:
    return None if told is None else str(told)


def _batches(told: list[Any]) -> tuple[BatchRecord, ...]:  # Any: JSON
    if not told:
        return ()
    from runner.engine.batch_record import BatchRecord  # most sweeps have none

    return tuple(map(BatchRecord.model_validate, told))


SUMMARY = Kind("summary 2", _read, _fields)
"""What a summary says that depends on nothing but its ledger's content."""


class NotFinishedError(RunnerError):
    """Tell that the run was not submitted, or was left at the provider; resuming the sweep will collect its file."""

    exit_code: ClassVar[int] = 4


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
