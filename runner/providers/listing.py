"""A page of an endpoint's jobs, read leniently: some servers list them bare, without a word on what follows."""

from __future__ import annotations

from typing import NoReturn

from runner.errors import BadRequestError, UnexpectedAnswerError

from .base import Job, JobPage
from .call import Call
from .job import read_job


def read_page(raw: object, limit: int) -> JobPage | None:
    """The page that `raw` is, the answer to a request for `limit` jobs; None if it is no list."""
    told = {"data": raw} if isinstance(raw, list) else raw
    if not isinstance(told, dict) or "data" not in told:
        return None
    items = [] if told["data"] is None else told["data"]
    if not isinstance(items, list):
        return None
    jobs = tuple(job for item in items if (job := _job(item)) is not None)
    last = told.get("last_id") or (jobs[-1].id if jobs else None)
    more = told.get("has_more")
    follows = more if isinstance(more, bool) else len(items) >= limit
    return JobPage(jobs, follows and isinstance(last, str), last if isinstance(last, str) else None)


def unlisted(call: Call) -> BadRequestError:
    """The error for a server that is known to list no jobs; nothing was asked."""
    return BadRequestError(
        f"{call.place.host} does not list its jobs: a gateway lists them only for one backend that the request names",
        hint="look for the job where the gateway's backend keeps its own",
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
    if isinstance(item, dict) and not isinstance(item.get("status"), str):
        # A job in a state that nobody tells is a job all the same.
        item = {**item, "status": ""}
    return read_job(item, {})
