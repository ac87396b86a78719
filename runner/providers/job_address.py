"""The job that an answer names by nothing but its address."""

from __future__ import annotations

import httpx2

from .base import Job, JobStatus
from .job import IDS, is_id, request_id
from .json_answer import plain

_ADDRESS_HEADERS = ("location", "operation-location", "azure-asyncoperation", "content-location")
_COLLECTIONS = frozenset({
    "video", "videos", "job", "jobs", "task", "tasks", "generation", "generations", "prediction", "predictions",
    "operation", "operations", "request", "requests", "query", "result", "results",
})  # fmt: skip
_VIEWS = frozenset({"status", "result", "state"})
"""What an address may end with behind the job's id."""


def job_at(response: httpx2.Response, source: str | None = None) -> Job | None:
    """Return the job that an answer to a paid request names by its address alone, as in `Location: /v1/videos/ID`.

    None for every other address: of a page to sign in, of the same request elsewhere, of the job `source` that the
    request started from.
    """
    asked = {source, *response.request.url.path.split("/")}
    for name in _ADDRESS_HEADERS:
        try:
            url = response.request.url.join(response.headers.get(name, ""))
        except httpx2.InvalidURL:
            continue
        job_id = _named_by(url)
        if job_id is not None and job_id not in asked and is_id(job_id):
            return Job(job_id, JobStatus.QUEUED, "", request_id=request_id(response.headers), raw={"id": job_id})
    return None


def _named_by(url: httpx2.URL) -> str | None:
    """Return the job's id in an address: behind the word for a collection of jobs, or in the query."""
    told = {plain(name): value for name, value in url.params.items()}
    if (asked := next((told[name] for name in IDS[1:] if told.get(name)), None)) is not None:
        return asked
    parts = [part for part in url.path.split("/") if part]
    if parts and plain(parts[-1]) in _VIEWS:
        parts.pop()
    if len(parts) > 1 and plain(parts[-2]) in _COLLECTIONS:
        return parts[-1]
    return None
