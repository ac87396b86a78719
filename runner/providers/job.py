"""Read a server's JSON about jobs leniently: states, ids and lists of them, in all their spellings."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from runner.errors import BadRequestError, UnexpectedAnswerError

from .allowance import milliseconds, moment, number, renewal
from .base import BEFORE_ALL_JOBS, Job, JobPage, JobStatus
from .call import Call, categories, filtered_reasons, says_taken
from .json_answer import one_line, plain, read_json

if TYPE_CHECKING:
    import httpx2

_WORDS = {
    JobStatus.QUEUED: "queued queueing queuing inqueue enqueued pending notstart notstarted created submitted "
    "submitting waiting wait starting scheduled validating accepted initialized initializing init new preparing "
    "prepared received dispatched assigned requested todo throttled delayed pendingmoderation standby",
    JobStatus.IN_PROGRESS: "inprogress progress processing process running run executing preprocessing postprocessing "
    "generating generate started working rendering encoding uploading downloading finalizing active ongoing doing busy "
    "synthesizing upscaling analyzing loading retrying streaming building creating",
    JobStatus.COMPLETED: "completed complete completedsuccessfully succeeded succeed succeeds success successful done "
    "finished finish ready generated rendered processed partialsuccess partiallycompleted",
    JobStatus.FAILED: "failed fail failure error errored rejected refused denied moderated filtered blocked nsfw "
    "sensitive timeout timedout crashed faulted unsuccessful invalid contentmoderated contentfiltered moderationfailed "
    "failedmoderation policyviolation contentviolation",
    JobStatus.CANCELLED: "cancelled canceled cancel aborted deleted terminated killed revoked stopped",
    JobStatus.EXPIRED: "expired",
}

_STATUS = {word: status for status, words in _WORDS.items() for word in words.split()}

_STATE_PREFIX = re.compile(r"(?:video|image|task|job|run|generation|operation|request|prediction|state|status)")
"""What the names of enums begin with, as in `TASK_STATUS_SUCCEED` and `JobState.RUNNING`."""


@lru_cache(256)
def job_status(word: str) -> JobStatus:
    """Return the state that a server's word stands for, whatever its case and separators; `UNKNOWN` if nobody knows."""
    letters = "".join(letter for letter in word[:200].lower() if letter.isalnum())
    while letters not in _STATUS and (prefix := _STATE_PREFIX.match(letters)):
        letters = letters[prefix.end() :]
    return _STATUS.get(letters, JobStatus.UNKNOWN)


_PREFIX = "video_"
_MANAGED = re.compile(r"litellm:custom_llm_provider:[^;]*;model_id:[^;]*;video_id:([^;]+)(?:;.*)?", re.DOTALL)


def backend_id(job_id: str) -> str:
    """Return the id under which a gateway's backend knows a job; any other server's id as it is.

    LiteLLM wraps it together with names of the backend and its model, which differ between the answer to a creation and
    the list: the two texts are no same id. What is asked for is always a whole id as it came, never this one.
    """
    if not job_id.startswith(_PREFIX):
        return job_id
    wrapped = job_id.removeprefix(_PREFIX)
    try:
        text = base64.b64decode(wrapped + "=" * (-len(wrapped) % 4), validate=True).decode()
    except ValueError:
        return job_id
    found = _MANAGED.fullmatch(text)
    return found[1] if found else job_id


_LONGEST_ID = 1000
"""Gateways pack an upstream's id, its name and the model into theirs."""

_LONGEST_REASON = 2000

_LONGEST_PAUSE = 300.0
"""Seconds between two polls that a server may wish for."""

_DEEPEST = 4
_MOST_LISTED = 1000

# All keys in lower case and without separators: task_id, taskId and TaskID are one.
IDS = ("id", "taskid", "jobid", "videoid", "generationid", "predictionid", "operationid", "taskuuid", "uuid")
"""Keys of a job's id."""

_REQUEST_IDS = ("requestid",)
_STATES = ("status", "taskstatus", "state", "jobstatus", "videostatus")
_WRAPPERS = ("data", "result", "results", "output", "video", "job", "task", "response", "resp", "detail", "body")
_FILES = ("videourl", "outputurl", "downloadurl")
_CREATED = ("createdat", "createtime", "created", "submittime", "submittedat")
_EXPIRES = ("expiresat", "expireat", "expiretime", "expiration")
_PROGRESS = ("progress", "percent", "percentage")
_ERRORS = ("error", "errors", "lasterror", "failreason", "failurereason", "failedreason", "failure", "failmsg",
           "failmessage", "errormessage", "errormsg", "errmsg", "errordetail", "rejectionreason")  # fmt: skip
"""Where an error stands, and nothing else."""

_MESSAGES = ("reason", "message", "detail", "details", "msg", "statusmessage", "statusmsg", "taskstatusmsg",
             "statusreason", "statusdetails", "incompletedetails", "baseresp", "description")  # fmt: skip
"""Where a failed job's reason may stand beside other words."""

_ERROR_CODES = ("code", "errorcode", "errcode", "type", "kind")
_CODES = ("errorcode", "errcode", "failcode", "failurecode", "code", "statuscode")
_NOTHING = frozenset({"", "0", "200", "201", "202", "ok", "success", "succeed", "succeeded", "none", "null", "nil",
                      "n/a", "-", "no error", "false", "true", "undefined", "[]", "{}", "<nil>"})  # fmt: skip
"""What servers write where there is no error."""

_GOOD_CODES = _NOTHING - {"false"} | {"100", "1000", "10000", "20000", "00000", "000000"}


class _Level:
    """Hold an object of an answer: the outermost one, or one inside it."""

    def __init__(self, raw: dict[str, Any]) -> None:  # Any: JSON
        self.raw = raw
        self.values = {plain(key): value for key, value in raw.items() if value not in (None, "", [], {})}

    def get(self, names: Iterable[str]) -> Any:  # Any: JSON
        """Return the first of these values that is there and not empty."""
        for name in names:
            if name in self.values:
                return self.values[name]
        return None

    @cached_property
    def name(self) -> str | None:
        """Return the id by which it calls the job; that of a request is none."""
        for key in IDS:
            name = _id(self.values.get(key))
            if name is not None and is_id(name):
                return name
        path = self.values.get("name")
        # A long-running operation of Google's.
        return path if isinstance(path, str) and "operations/" in path and is_id(path) else None

    @cached_property
    def word(self) -> str | None:
        """Return its word for the job's state."""
        for name in _STATES:
            value = self.values.get(name)
            if isinstance(value, dict):
                value = _Level(value).get(("state", "status", "value", "name", "phase", "code"))
            if isinstance(value, str) and value.strip():
                return value
            if isinstance(value, int) and not isinstance(value, bool) and self.name is not None:
                return str(value)
        done = self.values.get("done")
        if isinstance(done, bool):
            return "in_progress" if not done else "failed" if _says(self.values.get("error")) else "completed"
        address = self.get(_FILES)
        return "completed" if isinstance(address, str) and address.startswith("http") else None

    @property
    def rank(self) -> int:
        """Return how much it tells of a job, from 0 on: an envelope's success may be the request's own."""
        word = self.word
        status = job_status(word or "")
        if status is JobStatus.UNKNOWN:
            return 2 if word else 3
        return 1 if status is JobStatus.COMPLETED else 0


def read_job(raw: object, headers: Mapping[str, str], job_id: str | None = None) -> Job | None:
    """Return the job that `raw` describes, or None if it describes none.

    `job_id` is the job that was asked for: what a server answers about one job is not taken for another's. Without it
    the answer must name the job; a job without a word on its state is queued then.
    """
    levels = [*_levels(raw, job_id)]
    level = _telling(levels, job_id)
    if level is None:
        return None
    name = job_id or level.name or _id(level.get(_REQUEST_IDS))
    if name is None or not is_id(name):
        return None
    word = level.word or ""
    status = job_status(word) if word or job_id is not None else JobStatus.QUEUED
    code, message = _reason(levels, level, status)
    created = moment(level.get(_CREATED))
    poll_after = milliseconds(headers, "openai-poll-after-ms")
    return Job(
        id=name,
        status=status,
        raw_status=one_line(word, 200),
        progress=100 if status is JobStatus.COMPLETED else _percent(level.get(_PROGRESS)),
        error_code=code,
        error_message=message,
        created_at=created,
        expires_at=_expiry(level.get(_EXPIRES), created),
        poll_after=None if poll_after is None else min(_LONGEST_PAUSE, poll_after),
        submit_after=renewal(headers),
        request_id=request_id(headers) or _request_named(levels, name),
        # What the answer says as a whole, the object of the job uppermost.
        raw={**levels[0].raw, **level.raw},
    )


def read_created(documents: Iterable[object], headers: Mapping[str, str]) -> Job | None:
    """Return the job that a paid request has made, by the documents of its answer: the first, as last told."""
    jobs = [job for raw in documents if (job := read_job(raw, headers)) is not None]
    return next((job for job in reversed(jobs) if job.id == jobs[0].id), None)


def read_failed(raw: object, headers: Mapping[str, str], job_id: str) -> Job | None:
    """Return the job that `raw`, the body of an HTTP error, says to have ended; None if it speaks of anything else."""
    told = read_job(raw, headers)
    if told is None or not told.status.terminal:
        return None
    about_it = told.id == job_id or str(told.raw.get("object", "")).startswith("video")
    return replace(told, id=job_id) if about_it else None


def reason_of(raw: object) -> tuple[str | None, str | None]:
    """Return code and words of the error that an answer speaks of, whatever its HTTP status, or None for each."""
    levels = [*_levels(raw)]
    if not levels:
        return None, None
    return _reason(levels, levels[0], JobStatus.FAILED)


def says_error(raw: object) -> bool:
    """Return whether an answer is an error's envelope, whatever its HTTP status."""
    return any(_says(level.get(_ERRORS)) or _bad_code(level) for level in _levels(raw))


def is_id(text: str) -> bool:
    """Return whether a server's word can be an id: it is shown, logged and stored, and becomes a part of addresses."""
    return 0 < len(text) <= _LONGEST_ID and text.isprintable() and text.strip(".") != ""


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the id under which the provider's support finds the request."""
    names = ("x-request-id", "apim-request-id", "request-id", "x-ms-request-id", "x-amzn-requestid")
    given = next((headers[name] for name in names if headers.get(name)), None)
    return one_line(given, 200) if given else None


def _levels(value: object, job_id: str | None = None, depth: int = 0) -> Iterator[_Level]:
    """Yield the objects in which an answer may tell of its job, from the outermost on."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        # Its strings were redacted as one text, and can spell what no file can hold.
        value = read_json(value, str)
    if isinstance(value, list):
        objects = [item for item in value[:_MOST_LISTED] if isinstance(item, dict)]
        # Of several jobs, the first was made; what is asked for is one of them or none.
        ours = [item for item in objects if _Level(item).name == job_id] if job_id and len(objects) > 1 else objects
        value = next(iter(ours), None)
    if not isinstance(value, dict):
        return
    level = _Level(value)
    yield level
    if depth < _DEEPEST:
        for wrapper in _WRAPPERS:
            if wrapper in level.values:
                yield from _levels(level.values[wrapper], job_id, depth + 1)


def _telling(levels: Sequence[_Level], job_id: str | None) -> _Level | None:
    """Return the object that tells of the job: by its name, else by its state, else by the request's name alone."""
    named = [level for level in levels if level.name is not None]
    if job_id is not None:
        exact = [level for level in named if level.name == job_id and level.word is not None]
        if exact:
            return exact[0]
        named += [level for level in levels if level.name is None and level.word is not None]
    elif not named and not any(map(_bad_code, levels)) and not any(_says(level.get(_ERRORS)) for level in levels):
        named = [level for level in levels if _id(level.get(_REQUEST_IDS)) is not None]
    return min(named, key=lambda level: level.rank, default=None)


def _id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value > 0 else None
    return value.strip() or None if isinstance(value, str) else None


def _request_named(levels: Sequence[_Level], name: str) -> str | None:
    told = next((text for level in levels if (text := _id(level.get(_REQUEST_IDS)))), None)
    return one_line(told, 200) if told and told != name else None


def _bad_code(level: _Level) -> bool:
    """Return whether an envelope's code says that the request has failed."""
    code = level.get(("code", "errcode", "statuscode", "success"))
    return isinstance(code, str | int) and str(code).strip().lower() not in _GOOD_CODES


def _reason(levels: Sequence[_Level], level: _Level, status: JobStatus) -> tuple[str | None, str | None]:
    """Return code and message of what went wrong with a job, if anything did; a completed one may say so too."""
    ended_badly = status.terminal and status is not JobStatus.COMPLETED
    known = [each.values[name] for each in (level, *levels) for name in _ERRORS if name in each.values]
    if not (known or status.terminal):
        return None, None
    errors = [error for each in (level, *levels) if (error := each.get(_ERRORS)) is not None]
    texts = [text for error in known for text in _texts(error)]
    if status is JobStatus.COMPLETED:
        texts += [text for text in _messages(level) if says_taken(text)]
    if ended_badly:
        status_object = level.values.get("status")
        errors += [status_object] if isinstance(status_object, dict) else []
        texts += _texts(status_object) if isinstance(status_object, dict) else []
        texts += _messages(level)
        texts = texts or [text for each in levels for text in _messages(each)]
    found = categories(*_objects(errors))
    taken = filtered_reasons(levels[0].raw) if status.terminal else []
    code = _code(errors, (level, *levels) if ended_badly else ())
    said = "; ".join(dict.fromkeys([*texts, *taken]))
    if found:
        said = f"{said or 'filtered'} ({', '.join(found)})"
    return code or ("content_filter" if taken else None), one_line(said, _LONGEST_REASON) if said else None


def _objects(errors: Iterable[object]) -> Iterator[dict[str, Any]]:  # Any: JSON
    """Yield the errors that are objects, and what those hold themselves."""
    for error in errors:
        if isinstance(error, dict):
            yield error
            yield from (inner for inner in error.values() if isinstance(inner, dict))


def _messages(level: _Level) -> list[str]:
    return [text for name in _MESSAGES for text in _texts(level.values.get(name))]


def _texts(node: object, depth: int = 0) -> Iterator[str]:
    """Yield what an error says, in words."""
    if isinstance(node, str):
        if node.strip().lower() not in _NOTHING:
            yield one_line(node, _LONGEST_REASON)
    elif isinstance(node, list) and depth < _DEEPEST:
        for item in node[:20]:
            yield from _texts(item, depth + 1)
    elif isinstance(node, dict) and depth < _DEEPEST:
        inside = _Level(node)
        for name in (*_ERRORS, *_MESSAGES):
            yield from _texts(inside.values.get(name), depth + 1)


def _code(errors: Iterable[object], levels: Iterable[_Level]) -> str | None:
    """Return the code of an error: its own, else one beside it."""
    own = (_Level(error).values.get(name) for error in _objects(errors) for name in _ERROR_CODES)
    beside = (level.values.get(name) for level in levels for name in _CODES)
    codes = (str(code) for each in (own, beside) for code in each if isinstance(code, str | int))
    return next((one_line(code, 200) for code in codes if code.strip().lower() not in _NOTHING), None)


def _says(error: object) -> bool:
    """Return whether an error is more than the word that there is none."""
    return any(_texts(error)) or _code([error], ()) is not None


def _percent(value: object) -> float:
    told = number(value.strip().rstrip("%") if isinstance(value, str) else value) or 0.0
    if isinstance(value, float) and 0 < told < 1:
        told *= 100  # a server that counts to 100 sends whole numbers
    return min(100.0, max(0.0, told))


def _expiry(value: object, created: float | None) -> float | None:
    """Return when the file is no longer kept; a moment before the job is a server's way of saying nothing."""
    told = moment(value)
    return told if told is not None and told > (BEFORE_ALL_JOBS if created is None else created) else None


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
    import httpx2  # reading a record must not cost what sending does

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


def made_all_the_same(
    response: httpx2.Response,
    documents: Sequence[Any],  # Any: JSON
    source: str | None,
) -> Job | None:
    """Return the job that was made although the answer is a redirect to it, or an error with it as its body.

    `documents` are the body's JSON, `source` the job that the request started from. A redirect is never followed: some
    would repeat the request.
    """
    if 300 <= response.status_code < 400:
        return read_created(documents, response.headers) or job_at(response, source)
    if response.status_code < 500:
        return None  # refused
    jobs = (read_job(raw, response.headers) for raw in documents)
    return next((job for job in jobs if job and str(job.raw.get("object", "")).startswith("video")), None)


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


def unlisted(call: Call, *, by_backend: bool = True) -> BadRequestError:
    """Return the error for a server that lists no jobs, or only those of a backend that is named; nothing was asked."""
    if not by_backend:
        host = call.place.host
        return BadRequestError(f"{host} has no list of jobs", hint="only its bill tells what was made", **call.details)
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
    # A job without a known state is still a job.
    return job if job is None or job.raw_status else replace(job, status=JobStatus.UNKNOWN)
