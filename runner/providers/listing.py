"""A page of an endpoint's jobs, read leniently: some servers list them bare, without a word on what follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

from runner.errors import BadRequestError, UnexpectedAnswerError

from .base import Job, JobPage, JobStatus
from .call import Call
from .job import read_job

_LISTS = ("data", "items", "videos", "jobs", "tasks", "results", "list", "records")
_PAGE_WRAPPERS = ("data", "result", "response", "output")


def read_page(raw: object, limit: int) -> JobPage | None:
    """Return the page that `raw` is, the answer to a request for `limit` jobs; None if it is no list."""
    told = _told({"data": raw} if isinstance(raw, list) else raw)
    if told is None:
        return None
    items = next(told[name] for name in _LISTS if name in told) or []
    jobs = tuple(job for item in items if (job := _job(item)) is not None)
    last = told.get("last_id") or (jobs[-1].id if jobs else None)
    more = told.get("has_more")
    follows = more if isinstance(more, bool) else len(items) >= limit
    return JobPage(jobs, follows and isinstance(last, str), last if isinstance(last, str) else None)


def _told(raw: object) -> dict[str, Any] | None:  # Any: JSON
    """Return the object that holds the list: the answer itself, or what it wraps up."""
    if not isinstance(raw, dict):
        return None
    name = next((name for name in _LISTS if name in raw), None)
    if name is not None and (raw[name] is None or isinstance(raw[name], list)):
        return raw
    inner = [_told(raw[name]) for name in _PAGE_WRAPPERS if isinstance(raw.get(name), dict)]
    return next((told for told in inner if told is not None), None)


def unlisted(call: Call) -> BadRequestError:
    """Return the error for a server that lists no jobs unless it is told of which backend; nothing was asked."""
    return BadRequestError(
        f"{call.place.host} lists jobs only for a backend that is named: provider.custom_llm_provider=NAME, as openai, "
        "azure or hosted_vllm, also when resuming",
        hint="or look for the job where the gateway's backend keeps its own",
        **call.details,
    )


def no_list(status: int, call: Call) -> NoReturn:
    """Raise the error for JSON that is no list of jobs."""
    raise UnexpectedAnswerError(
        f"{call.place.host} answered {status}, but with no list of jobs",
        hint=f"is provider.base_url right? now {call.place.endpoint}",
        status_code=status,
        **call.details,
    )


def _job(item: object) -> Job | None:
    job = read_job(item, {})
    # A job in a state that nobody tells is a job all the same.
    return job if job is None or job.raw_status else replace(job, status=JobStatus.UNKNOWN)
