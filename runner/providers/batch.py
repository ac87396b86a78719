"""Read what a server tells of a batch, its input and the lines of its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from .allowance import moment, number
from .base import JobStatus
from .job import is_id, job_status
from .json_answer import one_line

Endpoint = Literal["/v1/images/generations", "/v1/images/edits"]

MARK = "runner-"
"""How our marks of batches begin."""

MARK_KEY = "runner"
"""The key in a batch's metadata under which our mark of it stands."""

UNFETCHED = "runner_unfetched"
"""The key in a line of ours that says why an image could not be fetched from its address."""


class BatchStatus(StrEnum):
    """Describe how far a batch is, whatever its server's word; `UNKNOWN` is asked for again."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def ended(self) -> bool:
        """Return whether the provider will change nothing any more."""
        return self in (self.COMPLETED, self.FAILED, self.EXPIRED, self.CANCELLED)


@dataclass(frozen=True, slots=True)
class InputProblem:
    """Describe what a provider dislikes about a batch's input; `line` counts from 1, None: all of it."""

    code: str | None
    message: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Describe an answer about a batch; times are Unix seconds.

    Attributes:
        mark: our mark in its metadata, None if it has none.
        problems: why its input was refused.
        total, completed, failed: how many lines it has, and how many have ended how.
    """

    id: str
    status: BatchStatus
    raw_status: str
    mark: str | None = None
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    problems: tuple[InputProblem, ...] = ()
    total: int = 0
    completed: int = 0
    failed: int = 0
    created_at: float | None = None

    @property
    def has_results(self) -> bool:
        """Return whether something of it was executed, as far as the server tells, however it ended."""
        return self.output_file_id is not None or self.error_file_id is not None or self.completed > 0


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Describe a part of the list of an account's batches, in any order.

    `last` is behind what the next part begins, None where there is none.
    """

    batches: tuple[Batch, ...]
    last: str | None


@dataclass(frozen=True, slots=True)
class ResultLine:
    """Describe one line of a batch's results; `body` and `error` are the server's JSON as it came."""

    custom_id: str
    status: int | None = None
    request_id: str | None = None
    body: Any = None  # Any: JSON
    error: Any = None  # Any: JSON
    unfetched: str | None = None
    """Why its images could not be fetched from their addresses; another download of the results may bring them."""
    data: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Where the texts of images lie in the file, start and length in bytes, by what stands for them in `body`."""


_WORDS: dict[str, BatchStatus] = {
    **{status.value: status for status in BatchStatus},
    "canceling": BatchStatus.CANCELLING, "finalising": BatchStatus.FINALIZING,
    JobStatus.QUEUED.value: BatchStatus.IN_PROGRESS,
}  # fmt: skip


def read_batch(raw: object, batch_id: str | None = None) -> Batch | None:
    """Return the batch that a server's JSON tells of; None if it tells of none, or of another than `batch_id`."""
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), str) or not is_id(raw["id"]):
        return None
    if batch_id is not None and raw["id"] != batch_id:
        return None
    word = str(raw.get("status") or "")
    counts, metadata = _mapping(raw.get("request_counts")), _mapping(raw.get("metadata"))
    return Batch(
        id=raw["id"],
        status=_status(word),
        raw_status=one_line(word, 40),
        mark=_text(metadata.get(MARK_KEY)),
        input_file_id=_text(raw.get("input_file_id")),
        output_file_id=_text(raw.get("output_file_id")),
        error_file_id=_text(raw.get("error_file_id")),
        problems=tuple(_problems(raw.get("errors"))),
        total=read_count(counts.get("total")),
        completed=read_count(counts.get("completed")),
        failed=read_count(counts.get("failed")),
        created_at=moment(raw.get("created_at")),
    )


def _status(word: str) -> BatchStatus:
    """Return the state that a word stands for: one of a batch's own, else one that servers have for jobs."""
    return _WORDS.get(word.lower()) or _WORDS[job_status(word).value]


def _problems(errors: object) -> Iterator[InputProblem]:
    listed = errors.get("data") if isinstance(errors, dict) else errors
    for each in listed if isinstance(listed, list) else ():
        told = each if isinstance(each, dict) else {"message": each}
        line, code = number(told.get("line")), _text(told.get("code"))
        said = one_line(str(told.get("message") or code or "no reason is given"))
        yield InputProblem(code, said, None if line is None else int(line))


def _mapping(value: object) -> Mapping[str, Any]:  # Any: JSON
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and is_id(value) else None


def read_count(value: object) -> int:
    """Return how many lines a server's word means; 0 for what is no number."""
    told = number(value)
    return int(told) if told is not None and 0 <= told < 10**9 else 0


def read_line(raw: object) -> ResultLine | None:
    """Return what a line of a batch's results says; None where it names no request."""
    if not isinstance(raw, dict) or not isinstance(raw.get("custom_id"), str):
        return None
    response = raw.get("response")
    answer = _mapping(response)
    status = number(answer.get("status_code"))
    body = answer.get("body", None if answer else response)
    return ResultLine(
        raw["custom_id"],
        status=None if status is None or not 100 <= status <= 599 else int(status),
        request_id=_text(answer.get("request_id")),
        body=body,
        error=raw.get("error"),
        unfetched=str(raw[UNFETCHED]) if raw.get(UNFETCHED) else None,
    )
