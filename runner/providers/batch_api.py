"""Send requests in batches by the SDK, find batches again, and fetch what came of their lines."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import httpx2
from openai import AsyncOpenAI

from runner.artifacts.download import ByteSource
from runner.config.dialect import Dialect
from runner.config.request import ImageRequest
from runner.config.run import RunConfig
from runner.errors import ConfigError, GenerationFailedError, RunnerError, UncertainError

from .answer import Redact
from .base import ImageBatch
from .batch import MARK_KEY, Batch, BatchPage, Endpoint, ResultLine, read_batch
from .body import Body
from .call import Call, Place
from .client import PLAIN, opened
from .download import Download
from .images import MOST_EXTRA, read_images
from .job import is_id
from .json_answer import one_line, read_documents
from .reference import File, Reference
from .translation import kept_content, no_use, refused, translate, uncertain, unreadable

_SLOWEST = 50_000
"""Bytes a second that an upload may have at least."""

_RANGE = re.compile(r"bytes (\d+)-")
_URL = httpx2.URL("https://batch.invalid/")


Fetch = Callable[[str], AbstractAsyncContextManager[ByteSource]]
"""Opens a download from an address that the server named."""


@dataclass(frozen=True, slots=True)
class Services:
    """Hold what the provider's other requests use as well."""

    client: AsyncOpenAI
    place: Place
    redact: Redact
    translated: Callable[[Call], AbstractContextManager[None]]
    build: Callable[[RunConfig], Body]
    ready: Callable[[], Awaitable[None]]
    dialect: Dialect
    fetch: Fetch


class BatchAPI:
    """Reach an endpoint's files and batches; every method raises only `RunnerError`s.

    Only `create` is paid: it sends exactly one request, and raises `UncertainError` where that may have been accepted.
    """

    paced = True
    """Whether results come as one download, of which so many bytes a second can be expected."""

    def __init__(self, services: Services) -> None:
        """Take what the provider's other requests use as well."""
        self._client = services.client
        self._place = services.place
        self._redact = services.redact
        self._translated = services.translated
        self._build = services.build
        self._ready = services.ready

    @property
    def host(self) -> str:
        """Return where the batches are, for people."""
        return self._place.host

    def line(self, custom_id: str, config: RunConfig) -> bytes:
        """Return a run's request as a line of a batch's input; raises `ConfigError` if it cannot be made.

        Reads the run's input images.
        """
        body = self._build(config)
        if "stream" in body.fields:
            raise ConfigError("a batch has no stream", hint="request.partial_images=null")
        # A request that is JSON as it is has its images in its fields.
        fields = body.document if body.path else {**body.fields, **body.extra, **_images(body.files)}
        line = {"custom_id": custom_id, "method": "POST", "url": endpoint_of(config), "body": fields}
        return json.dumps(line, separators=(",", ":")).encode() + b"\n"

    async def upload(self, path: Path) -> str:
        """Upload a batch's input, which is free; return the file's id."""
        await self._ready()
        call = Call(self._place, "take the batch's input")
        with self._translated(call), path.open("rb") as file:
            seconds = max(self._seconds, os.fstat(file.fileno()).st_size / _SLOWEST)
            part = ("batch.jsonl", file, "application/jsonl")
            answer = await self._client.files.with_raw_response.create(file=part, purpose="batch", timeout=seconds)
            raw = self._json(answer.http_response)
            found = raw.get("id") or raw.get("file_id") if isinstance(raw, dict) else None
            if not isinstance(found, str) or not is_id(found):
                raise unreadable(answer.http_response, call, self._redact)
            return found

    async def create(self, input_file_id: str, endpoint: Endpoint, mark: str, model: str) -> Batch:
        """Create a batch (paid), with a mark by which it is found again."""
        await self._ready()
        call = Call(self._place, "create the batch", paid=True, model=model)
        with self._translated(call):
            answer = await self._client.batches.with_raw_response.create(
                input_file_id=input_file_id,
                endpoint=endpoint,
                completion_window="24h",
                metadata={MARK_KEY: mark},
            )
            batch = read_batch(self._json(answer.http_response))
            if batch is None:
                raise uncertain(f"{self._place.host} answered without the batch's id", call)
            return batch

    async def retrieve(self, batch_id: str) -> Batch:
        """Ask how far a batch is."""
        await self._ready()
        call = Call(self._place, "tell the batch's state", job_id=batch_id)
        with self._translated(call):
            answer = await self._client.batches.with_raw_response.retrieve(batch_id)
            return read_batch(self._json(answer.http_response), batch_id) or self._unreadable(answer, call)

    async def page(self, after: str | None = None) -> BatchPage:
        """List up to 100 of the account's batches, beginning behind `after`."""
        await self._ready()
        call = Call(self._place, "list the batches")
        more: dict[str, Any] = {} if after is None else {"after": after}  # Any: keyword arguments
        with self._translated(call):
            request = self._client.batches.with_raw_response.list(limit=100, **more)
            answer = await request
            raw = self._json(answer.http_response)
            listed = raw.get("data") if isinstance(raw, dict) else None
            if not isinstance(listed, list):
                self._unreadable(answer, call)
            batches = tuple(batch for batch in map(read_batch, cast("list[Any]", listed)) if batch is not None)
            if not raw.get("has_more"):
                return BatchPage(batches, None)
            if not batches:
                self._unreadable(answer, call)  # there are more, and nothing says behind what
            return BatchPage(batches, batches[-1].id)

    async def cancel(self, batch_id: str) -> Batch:
        """Ask for no more lines to be begun; those that are done are kept and charged."""
        await self._ready()
        call = Call(self._place, "cancel the batch", job_id=batch_id)
        with self._translated(call):
            answer = await self._client.batches.with_raw_response.cancel(batch_id)
            return read_batch(self._json(answer.http_response), batch_id) or self._unreadable(answer, call)

    @asynccontextmanager
    async def content(
        self, batch_id: str, file_id: str, start: int = 0, wanted: Callable[[str], bool] = lambda _: True
    ) -> AsyncIterator[tuple[int, ByteSource]]:
        """Open a file of a batch's results from byte `start` on; gives where it does begin: not all servers can.

        Lines whose `custom_id` is not `wanted` may be left out.
        """
        del wanted
        await self._ready()
        call = Call(self._place, "give the batch's results", job_id=batch_id)
        headers = {**PLAIN, "Range": f"bytes={start}-"} if start else PLAIN
        with self._translated(call):
            asked = self._client.files.with_streaming_response.content(file_id, extra_headers=headers)
            response = await opened(asked)
        begins = _RANGE.match(response.headers.get("content-range", "")) if response.status_code == 206 else None
        download = Download(response, lambda error: translate(error, call, self._redact))
        try:
            yield int(begins[1]) if begins else 0, download
        finally:
            await download.aclose()

    def images(self, line: ResultLine, config: RunConfig) -> ImageBatch:
        """Return the images that a line holds; raises what the line says in place of them.

        That is an `UncertainError` where nobody can tell what it says. The `answer` of either is empty where the line
        itself is to be kept.
        """
        call = Call(self._place, "make the image of this line", paid=True, model=config.sent_model)
        if line.error and line.body is None:
            raise self._error(line, call)
        response = self._response(line)
        if line.status is not None and line.status >= 400:
            # A line that a batch tells of as failed is no lost answer.
            raise refused(response, replace(call, paid=False), self._redact)
        found = read_images([line.body], {}) if line.body is not None else None
        if found is None:
            error = no_use(response, [line.body], call, self._redact, prompt=config.request.prompt, images=True)
            if isinstance(error, UncertainError):
                error.answer = b""
            raise error
        wanted = config.request.n if isinstance(config.request, ImageRequest) else len(found.images)
        far_more = len(found.images) > wanted + MOST_EXTRA
        return replace(found, request_id=line.request_id, answer=b"" if far_more else None)

    def kept(self, content: bytes) -> bytes:
        """Return a line as it is kept: without secrets of ours."""
        return kept_content(content, self._redact)

    def _error(self, line: ResultLine, call: Call) -> RunnerError:
        """Return why a line was not executed, or did not succeed, without an answer of its own."""
        given = line.error if isinstance(line.error, dict) else {"message": line.error}
        code = given.get("code")
        said = one_line(self._redact(str(given.get("message") or code or "no reason is given")))
        return GenerationFailedError(
            f"{self._place.host} did not execute this line: {said}",
            hint="resume --retry-failed sends it in another batch",
            code=None if code is None else one_line(str(code), 80),
            **call.details,
        )

    def _response(self, line: ResultLine) -> httpx2.Response:
        headers = {"x-request-id": line.request_id} if line.request_id else {}
        return httpx2.Response(
            line.status or 200, headers=headers, json=line.body, request=httpx2.Request("POST", _URL)
        )

    @property
    def _seconds(self) -> float:
        """Return how long a request may take."""
        given = self._client.timeout
        told = given.read if isinstance(given, httpx2.Timeout) else given
        return told if isinstance(told, float | int) else 0.0

    def _json(self, response: Any) -> Any:  # Any: the SDK's raw response is generic; JSON
        return next(reversed(read_documents(response.content, self._redact)), None)

    def _unreadable(self, answer: Any, call: Call) -> Batch:  # Any: as above
        raise unreadable(answer.http_response, call, self._redact)


def endpoint_of(config: RunConfig) -> Endpoint:
    """Return the endpoint that a run's line is for: a batch has one."""
    return "/v1/images/edits" if config.request.image_list else "/v1/images/generations"


_FIELDS = {"image": "images", "mask": "mask"}


def _images(files: Mapping[str, tuple[Reference, ...]]) -> dict[str, Any]:  # Any: JSON
    """Return the input images as fields of a line, which is JSON, where a single request is a form."""
    fields: dict[str, Any] = {}  # Any: JSON
    for name, group in files.items():
        if name not in _FIELDS:
            raise ConfigError(f"a batch has no field for {name}", hint="batch=false sends it alone")
        named = [{"image_url": _data_url(each)} for each in group]
        fields[_FIELDS[name]] = named if name == "image" else named[0]
    return fields


def _data_url(reference: Reference) -> str:
    if not isinstance(reference, File):
        raise ConfigError("the image lies at an address, and was not fetched", hint="download it and give its path")
    return f"data:{reference.media_type};base64,{base64.b64encode(reference.content).decode()}"


def batch_api(services: Services) -> BatchAPI:
    """Return what reaches the batches of a server in the form that it has them."""
    if services.dialect.batches != "xai":
        return BatchAPI(services)
    from .xai_batch import XAIBatchAPI  # most batches are OpenAI's

    return XAIBatchAPI(services)
