"""The odd but legal ways in which servers tell of jobs and images, by aspect; the first of each aspect is OpenAI's own.

Nothing here shares code with what reads it.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import random
import textwrap
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import strange_media
from starlette.responses import RedirectResponse, Response

DAY = 86_400
Json = dict[str, Any]  # Any: JSON values
Fields = tuple[Json, Callable[["Paid"], Response] | None]

REASON = "GPU memory was exhausted on node 7"
FILTERED = "the output was blocked by our safety filter: child safety"


@dataclass
class Paid:
    """One paid request as the server's own account has it.

    Attributes:
        process: which of the client's processes sent it, counted by whoever starts them.
        made_at, due_at: Unix seconds; at `due_at` the job has ended.
        ending: whether it ends with its files, or why not.
        address: where its files lie, without the last part.
        signed: what the client sent to know it again by, `user` and `metadata`, which every answer about it tells.
        lost: whether the server itself has kept the answer back.
    """

    kind: Literal["video", "image"]
    prompt: str
    id: str
    process: int
    made_at: float
    due_at: float
    manners: Mapping[str, str]
    files: Sequence[bytes]
    address: str
    model: str = ""
    size: str = ""
    signed: Json = field(default_factory=dict)
    lost: bool = False
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def ending(self) -> Literal["finished", "failed", "filtered"]:
        name = self.manners["ending" if self.kind == "video" else "image"]
        if "filtered" in name:
            return "filtered"
        return "failed" if name.startswith("failed") else "finished"

    @property
    def odd(self) -> list[str]:
        """The manners of it that are out of the ordinary, by aspect and name."""
        return [f"{aspect}:{self.manners[aspect]}" for aspect in ASPECTS[self.kind]
                if self.manners[aspect] != next(iter(MANNERS[aspect]))]  # fmt: skip

    @property
    def urls(self) -> list[str]:
        return [f"{self.address}/{number}" for number in range(len(self.files))]


class JSONResponse(Response):
    """JSON as Python writes it, with `NaN` and numbers of any length."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return json.dumps(content).encode()


MANNERS: dict[str, dict[str, Any]] = {}  # Any: what each aspect wants, mostly a function
ASPECTS = {
    "video": ("create", "job", "words", "numbers", "file", "type", "video", "absence", "door", "ending"),
    "image": ("image", "picture", "type", "absence", "door", "usage"),
}
"""What is odd about each kind of work."""
SELDOM = 0.35
"""How probable it is that a run meets something odd in one aspect."""


def manner(aspect: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function as a manner of an aspect, under its name without what tells it from another aspect's."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        MANNERS.setdefault(aspect, {})[function.__name__.removeprefix(f"{aspect}_")] = function
        return function

    return enter


def choose(seed: str, pool: Mapping[str, Sequence[str]], seldom: float = SELDOM) -> dict[str, str]:
    """One manner of each aspect: mostly the ordinary one, else one of the pool's."""
    chance = random.Random(seed)
    return {
        aspect: chance.choice(pool[aspect]) if pool.get(aspect) and chance.random() < seldom else next(iter(known))
        for aspect, known in MANNERS.items()
    }


# The answer to the request that creates a job.


@manner("create")
def create_plain(job: Json, at: str) -> Response:
    return JSONResponse(job)


@manner("create")
def task_id(job: Json, at: str) -> Response:
    return JSONResponse({"task_id": job["id"]})


@manner("create")
def request_id(job: Json, at: str) -> Response:
    return JSONResponse({"request_id": job["id"]})


@manner("create")
def no_status(job: Json, at: str) -> Response:
    return JSONResponse({"id": job["id"], "object": "video"})


@manner("create")
def create_wrapped(job: Json, at: str) -> Response:
    return JSONResponse({"code": 0, "message": "success", "data": job})


@manner("create")
def wrapped_task(job: Json, at: str) -> Response:
    return JSONResponse({"code": "success", "data": {"task_id": job["id"], "status": "NOT_START"}})


@manner("create")
def create_output(job: Json, at: str) -> Response:
    return JSONResponse({"request_id": str(uuid.uuid4()), "output": {"task_id": job["id"], "task_status": "PENDING"}})


@manner("create")
def see_other(job: Json, at: str) -> Response:
    return RedirectResponse(at, 303)


@manner("create")
def relative_see_other(job: Json, at: str) -> Response:
    return RedirectResponse(f"/v1/videos/{job['id']}", 303)


@manner("create")
def accepted(job: Json, at: str) -> Response:
    return JSONResponse(job, 202, {"location": at})


@manner("create")
def ndjson(job: Json, at: str) -> Response:
    lines = [json.dumps(job), json.dumps({**job, "progress": 1})]
    return Response("\n".join(lines) + "\n", media_type="application/x-ndjson")


@manner("create")
def event_stream(job: Json, at: str) -> Response:
    return Response(f"data: {json.dumps(job)}\n\ndata: [DONE]\n\n", media_type="text/event-stream")


@manner("create")
def as_list(job: Json, at: str) -> Response:
    return JSONResponse([job])


@manner("create")
def as_text(job: Json, at: str) -> Response:
    return Response("\ufeff" + json.dumps(job), media_type="text/plain")


# How a job is told when it is asked for.


@manner("job")
def job_plain(job: Json) -> object:
    return job


@manner("job")
def job_wrapped(job: Json) -> object:
    return {"code": 0, "data": job}


@manner("job")
def task(job: Json) -> object:
    rest = {key: value for key, value in job.items() if key not in ("id", "status")}
    return {**rest, "task_id": job["id"], "task_status": job["status"]}


@manner("job")
def state(job: Json) -> object:
    return {"state" if key == "status" else key: value for key, value in job.items()}


@manner("job")
def job_output(job: Json) -> object:
    return {"request_id": str(uuid.uuid4()), "output": task(job)}


MANNERS["words"] = {  # queued, running, completed, failed
    "openai": ("queued", "in_progress", "completed", "failed"),
    "succeed": ("submitted", "processing", "succeed", "FAIL"),
    "shouted": ("NOT_START", "IN_PROGRESS", "SUCCESS", "FAILURE"),
    "cloud": ("PENDING", "RUNNING", "SUCCEEDED", "FAILED"),
    "spoken": ("In Queue", "In Progress", "Completed", "Error"),
    "perfect": ("waiting", "generating", "finished", "failure"),
}


@manner("numbers")
def numbers_plain(job: Json) -> Json:
    return job


@manner("numbers")
def expires_zero(job: Json) -> Json:
    return {**job, "expires_at": 0, "completed_at": 0}


@manner("numbers")
def milliseconds(job: Json) -> Json:
    return {**job, **{key: job[key] * 1000 for key in ("created_at", "expires_at") if job[key]}}


@manner("numbers")
def iso_times(job: Json) -> Json:
    times = {key: dt.datetime.fromtimestamp(job[key], dt.UTC) for key in ("created_at", "expires_at") if job[key]}
    return {**job, **{key: f"{time:%Y-%m-%dT%H:%M:%SZ}" for key, time in times.items()}, "progress": "50%"}


@manner("numbers")
def negative(job: Json) -> Json:
    return {**job, "progress": -7, "expires_at": -1, "seconds": "-4", "usage": {"duration_seconds": -1e9}}


@manner("numbers")
def huge(job: Json) -> Json:
    return {**job, "progress": 10**400, "expires_at": 10**400, "seconds": 10**30, "cost": 10**400}


@manner("numbers")
def not_a_number(job: Json) -> Json:
    return {**job, "progress": float("nan"), "expires_at": float("inf"), "created_at": float(job["created_at"])}


@manner("numbers")
def clock_ahead(job: Json) -> Json:
    return {**job, **{key: job[key] + DAY for key in ("created_at", "expires_at") if job[key]}}


@manner("numbers")
def clock_behind(job: Json) -> Json:
    return {**job, **{key: job[key] - 3 * DAY for key in ("created_at", "expires_at") if job[key]}}


@manner("numbers")
def nothing(job: Json) -> Json:
    left_out = ("completed_at", "expires_at", "progress", "model", "seconds", "size")
    return {key: value for key, value in job.items() if key not in left_out}


# Where a finished job's file is.


@manner("file")
def content(paid: Paid) -> Fields:
    return {}, None


@manner("file")
def video_url(paid: Paid) -> Fields:
    return {"video_url": paid.urls[0]}, _absent


@manner("file")
def metadata_url(paid: Paid) -> Fields:
    return {"metadata": {**paid.signed.get("metadata", {}), "url": paid.urls[0]}}, _absent


@manner("file")
def output_url(paid: Paid) -> Fields:
    return {"output": {"url": paid.urls[0]}}, _absent


@manner("file")
def list_of_videos(paid: Paid) -> Fields:
    return {"videos": [{"url": paid.urls[0]}]}, _absent


@manner("file")
def url_instead_of_content(paid: Paid) -> Fields:
    return {"url": paid.urls[0]}, _broken


@manner("file")
def relative_url(paid: Paid) -> Fields:
    return {"url": "/" + paid.urls[0].split("/", 3)[3]}, _absent


@manner("file")
def json_content(paid: Paid) -> Fields:
    return {}, lambda paid: JSONResponse({"url": paid.urls[0]})


@manner("file")
def redirected_content(paid: Paid) -> Fields:
    return {}, lambda paid: RedirectResponse(paid.urls[0], 302)


def _absent(paid: Paid) -> Response:
    return JSONResponse({"error": {"message": "Video content not found", "code": "not_found"}}, 404)


def _broken(paid: Paid) -> Response:
    return JSONResponse({"error": {"message": "Failed to fetch video content", "type": "server_error"}}, 500)


MANNERS["type"] = {"right": None, "octets": "application/octet-stream", "text": "text/plain",
                   "picture": "image/png", "json": "application/json", "none": ""}  # fmt: skip
MANNERS["video"] = strange_media.VIDEOS
MANNERS["picture"] = strange_media.IMAGES
MANNERS["absence"] = {  # so often the job, and its file, are not found at first
    "never": (0, 0),
    "late_job": (2, 0),
    "late_file": (0, 2),
    "very_late_job": (5, 0),
    "very_late_file": (0, 10),
}
MANNERS["door"] = {"open": False, "key": True}  # whether addresses of files want the key, too


# How a job ends: fields of the ended job, and whether it is then said to be completed.


MANNERS["ending"] = {
    "finished": None,
    "failed_error": {"error": {"code": "server_error", "message": REASON}},
    "failed_code_400": {"error": {"code": 400, "message": REASON}},
    "failed_text": {"error": REASON},
    "failed_fail_reason": {"fail_reason": REASON},
    "failed_message": {"message": REASON},
    "failed_detail": {"detail": REASON},
    "filtered_reasons": {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [FILTERED]},
    "filtered_error": {"error": {"code": "moderation_blocked", "message": FILTERED}},
}


# The answer to an image request.


@manner("image")
def base64_json(paid: Paid) -> Response:
    return _images([{"b64_json": _base64(file)} for file in paid.files])


@manner("image")
def data_url(paid: Paid) -> Response:
    return _images([{"url": f"data:image/png;base64,{_base64(file)}"} for file in paid.files])


@manner("image")
def data_url_as_base64(paid: Paid) -> Response:
    return _images([{"b64_json": f"data:image/png;base64,{_base64(file)}"} for file in paid.files])


@manner("image")
def url_safe(paid: Paid) -> Response:
    return _images([{"b64_json": base64.urlsafe_b64encode(file).decode()} for file in paid.files])


@manner("image")
def unpadded(paid: Paid) -> Response:
    return _images([{"b64_json": _base64(file).rstrip("=")} for file in paid.files])


@manner("image")
def wrapped_lines(paid: Paid) -> Response:
    return _images([{"b64_json": "\n".join(textwrap.wrap(_base64(file), 76)) + "\n"} for file in paid.files])


@manner("image")
def addresses(paid: Paid) -> Response:
    return _images([{"url": url} for url in paid.urls])


@manner("image")
def relative_addresses(paid: Paid) -> Response:
    return _images([{"url": "/" + url.split("/", 3)[3]} for url in paid.urls])


@manner("image")
def strings(paid: Paid) -> Response:
    return _images([_base64(file) for file in paid.files])


@manner("image")
def address_strings(paid: Paid) -> Response:
    return _images(paid.urls)


@manner("image")
def data_object(paid: Paid) -> Response:
    one = {"b64_json": _base64(paid.files[0])}
    return _images(one if len(paid.files) == 1 else {"images": [{"b64_json": _base64(file)} for file in paid.files]})


@manner("image")
def images_key(paid: Paid) -> Response:
    return JSONResponse({"images": [{"url": url} for url in paid.urls]})


@manner("image")
def far_too_many(paid: Paid) -> Response:
    return _images([{"b64_json": _base64(file)} for file in [*paid.files] * 50])


@manner("image")
def image_events(paid: Paid) -> Response:
    events = [{"type": "image_generation.completed", "b64_json": _base64(file)} for file in paid.files]
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Response(text, media_type="text/event-stream")


@manner("image")
def image_lines(paid: Paid) -> Response:
    lines = [json.dumps({"created": 1, "data": [{"b64_json": _base64(file)}]}) for file in paid.files]
    return Response("\n".join(lines), media_type="application/x-ndjson")


@manner("image")
def images_as_text(paid: Paid) -> Response:
    return Response(bytes(base64_json(paid).body), media_type="text/plain")


@manner("image")
def filtered_empty(paid: Paid) -> Response:
    return JSONResponse({"created": 1, "data": [], "message": FILTERED})


def _images(data: object) -> Response:
    return JSONResponse({"created": 1, "data": data})


def _base64(file: bytes) -> str:
    return base64.b64encode(file).decode()


MANNERS["usage"] = {
    "none": None,
    "tokens": {"input_tokens": 12, "output_tokens": 196, "total_tokens": 208},
    "negative": {"input_tokens": -5, "output_tokens": -(10**9), "total_tokens": -1},
    "huge": {"input_tokens": 10**400, "output_tokens": 10**400, "total_tokens": 10**400},
    "texts": {"input_tokens": "12", "output_tokens": "NaN", "input_tokens_details": "none"},
    "list": [1, 2, 3],
}
