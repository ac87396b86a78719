"""Send requests in batches as xAI takes them: named, without a word for their state, their results in pages."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
from openai import RequestOptions

from runner.artifacts.download import ByteSource
from runner.config.run import RunConfig
from runner.errors import RunnerError, ServerError

from .allowance import moment, server_time
from .answer import told_cost
from .base import ImageBatch
from .batch import MARK, UNFETCHED, Batch, BatchPage, BatchStatus, Endpoint, InputProblem, ResultLine, read_count
from .batch_api import BatchAPI, Fetch, Services
from .call import Call
from .client import MAX_IMAGE_BYTES, PLAIN
from .job import is_id
from .json_answer import one_line
from .translation import uncertain, unreadable

_AT_ONCE = 8
"""Results that one answer is asked for: it is in memory as a whole."""

_LISTED = 100

_SHORT = 3
"""Times that results are asked for which are fewer than the counts; then those that come are taken."""

_DAY = 86_400.0
_NAMES_IMAGE = ("url", "image_url")

_MOST_BYTES = 64 * 1024**2
"""Of one image that lies at an address."""

_LINE_SECONDS = 45.0
"""How long the images of one line may take; who waits for lines waits for a minute."""

_PATIENCE = 60.0
"""Seconds without an image after which no more addresses are asked for in one download."""


class XAIBatchAPI(BatchAPI):
    """Reach xAI's batches.

    A batch's name is our mark of it. What it has made is asked for page by page and becomes lines as OpenAI's. An image
    that a result names by its address, which holds for an hour and opens for everybody, is fetched at once and stands
    in its line. Where that fails, the line says why in place of them, and none waits for it.
    """

    paced = False

    def __init__(self, services: Services) -> None:
        """Take what the provider's other requests use as well."""
        super().__init__(services)
        self._dialect = services.dialect
        self._fetch = services.fetch
        self._short: Counter[str] = Counter()

    async def create(self, input_file_id: str, endpoint: Endpoint, mark: str, model: str) -> Batch:
        """Create a batch (paid), named by our mark; where each line goes stands in the line."""
        del endpoint
        await self._ready()
        call = Call(self._place, "create the batch", paid=True, model=model)
        with self._translated(call):
            body = {"name": mark, "input_file_id": input_file_id}
            response = await self._client.post("/batches", body=body, cast_to=httpx2.Response)
            batch = read_batch(self._json(response))
            if batch is None:
                raise uncertain(f"{self._place.host} answered without the batch's id", call)
            return replace(batch, mark=batch.mark or mark)

    async def retrieve(self, batch_id: str) -> Batch:
        """Ask how far a batch is."""
        await self._ready()
        call = Call(self._place, "tell the batch's state", job_id=batch_id)
        with self._translated(call):
            response = await self._client.get(f"/batches/{batch_id}", cast_to=httpx2.Response)
            return self._told(response, batch_id, call)

    async def page(self, after: str | None = None) -> BatchPage:
        """List up to 100 of the account's batches, beginning with the page `after`."""
        await self._ready()
        call = Call(self._place, "list the batches")
        query = {"limit": _LISTED, **({} if after is None else {"pagination_token": after})}
        with self._translated(call):
            raw, listed = await self._listed("/batches", "batches", query, call)
            batches = tuple(batch for batch in map(read_batch, listed) if batch is not None)
            # An empty page with the token that was asked with is the end; a full one may be the same page again.
            return BatchPage(batches, _token(raw, None if batches else after))

    async def cancel(self, batch_id: str) -> Batch:
        """Ask for no more lines to be begun."""
        await self._ready()
        call = Call(self._place, "cancel the batch", job_id=batch_id)
        with self._translated(call):
            response = await self._client.post(f"/batches/{batch_id}:cancel", body={}, cast_to=httpx2.Response)
            return self._told(response, batch_id, call)

    @asynccontextmanager
    async def content(
        self, batch_id: str, file_id: str, start: int = 0, wanted: Callable[[str], bool] = lambda _: True
    ) -> AsyncIterator[tuple[int, ByteSource]]:
        """Give the wanted results from the first on, as lines: pages cannot be asked for by bytes."""
        del start
        await self._ready()
        yield 0, _Lines(self._results(batch_id, int(file_id), wanted))

    def images(self, line: ResultLine, config: RunConfig) -> ImageBatch:
        """Return the images that a line holds, and what the host says that they have cost."""
        found = super().images(line, config)
        cost = told_cost(found.raw, self._dialect.cost, self._dialect.cost_units)
        return replace(found, usd=cost, implausible_usage=False)  # its tokens are counted in other words

    async def _results(self, batch_id: str, told: int, wanted: Callable[[str], bool]) -> AsyncIterator[bytes]:
        call = Call(self._place, "give the batch's results", job_id=batch_id)
        token: str | None = None
        asked: set[str | None] = set()
        images = _Images(self._fetch)
        count = 0
        while True:
            query = {"limit": _AT_ONCE, **({} if token is None else {"pagination_token": token})}
            with self._translated(call):
                raw, results = await self._listed(f"/batches/{batch_id}/results", "results", query, call)
            for result in results:
                count += 1
                line = _as_line(result)
                if line is None or wanted(line["custom_id"]):
                    # One that cannot be read stays as it is, and is kept as such.
                    yield _encoded(result if line is None else await images.brought(line))
            asked.add(token)
            token = _token(raw, token)
            if token is None or token in asked:
                break
        self._short[batch_id] += count < told
        if count < told and self._short[batch_id] < _SHORT:
            message = f"{self._place.host} gives {count:,} results of {told:,} that it counts"
            raise ServerError(message, hint="they are asked for again", **call.details)

    async def _listed(
        self, path: str, name: str, query: dict[str, object], call: Call
    ) -> tuple[dict[str, Any], list[Any]]:  # Any: JSON
        # Asked for as a file is: the answer may hold images, and is larger than other answers may be.
        options: RequestOptions = {"params": query, "headers": PLAIN}
        response = await self._client.get(path, cast_to=httpx2.Response, options=options)
        if len(response.content) > MAX_IMAGE_BYTES:
            raise ServerError(f"an answer about {name} is larger than {MAX_IMAGE_BYTES:,} bytes", **call.details)
        raw = self._json(response)
        if isinstance(raw, dict) and raw.get(name) is None and ("pagination_token" in raw or not raw):
            return raw, []  # protobuf leaves out what is empty
        if not isinstance(raw, dict) or not isinstance(raw.get(name), list):
            raise unreadable(response, call, self._redact)
        return raw, raw[name]

    def _told(self, response: httpx2.Response, batch_id: str, call: Call) -> Batch:
        batch = read_batch(self._json(response), batch_id, server_time(response.headers))
        if batch is None:
            raise unreadable(response, call, self._redact)
        return batch


class _Images:
    """Put what the addresses of images lead to in their places, in one download."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._waited = 0.0

    async def brought(self, line: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
        """Return the line with its images in it; if one does not come, with why in place of all of them."""
        body = line.get("response", {}).get("body")
        images = body.get("data") if isinstance(body, dict) else None
        problem = await self._bring(images if isinstance(images, list) else ())
        return line if problem is None else {"custom_id": line["custom_id"], UNFETCHED: problem}

    async def _bring(self, images: Iterable[Any]) -> str | None:  # Any: JSON
        """Return why an image did not come, None if all are here."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _LINE_SECONDS
        for image in (each for each in images if isinstance(each, dict)):
            text = image.get("b64_json")
            if isinstance(text, str):
                image["b64_json"] = text.partition(";base64,")[2] if text[:5].lower() == "data:" else text
                continue
            address = next((image.pop(name) for name in _NAMES_IMAGE if isinstance(image.get(name), str)), None)
            if address is None:
                continue
            if self._waited >= _PATIENCE:
                return "it was not asked for, as the addresses before it did not answer"
            began = loop.time()
            try:
                async with asyncio.timeout_at(end):
                    image["b64_json"] = await self._content(address)
            except (RunnerError, TimeoutError) as error:
                self._waited += loop.time() - began
                return str(error) or f"it did not come within {_LINE_SECONDS:.0f} s"
            self._waited = 0.0
        return None

    async def _content(self, address: str) -> str:
        content = bytearray()
        async with self._fetch(address) as source:
            async for chunk in source.chunks():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise ServerError(f"it has more than {_MOST_BYTES:,} bytes")
        return base64.b64encode(content).decode()


def _encoded(line: Any) -> bytes:  # Any: JSON
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


class _Lines:
    """Give lines as a download does; how many bytes they have is not known before."""

    length = None

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._lines = lines

    def chunks(self) -> AsyncIterator[bytes]:
        """Return the lines, one by one."""
        return self._lines


def read_batch(raw: object, batch_id: str | None = None, now: float | None = None) -> Batch | None:
    """Return the batch that a server's JSON tells of; None if it tells of none, or of another than `batch_id`.

    Its time is over only by the server's clock, `now` in Unix seconds: this machine's may be wrong, and a line that is
    taken for expired is paid again.
    """
    told = raw.get("batch", raw) if isinstance(raw, dict) else None
    if not isinstance(told, dict):
        return None
    name = told.get("batch_id") or told.get("id")
    if not isinstance(name, str) or not is_id(name) or (batch_id is not None and name != batch_id):
        return None
    counts = told["state"] if isinstance(told.get("state"), dict) else {}
    total, pending, done, failed, left = (
        read_count(counts.get(f"num_{each}")) for each in ("requests", "pending", "success", "error", "cancelled")
    )
    expires = moment(told.get("expire_time"))
    # Some answers tell the day alone.
    over = expires is not None and now is not None and now > expires + _DAY
    status, said = _status(told, total, pending, done, over=over), told.get("cancel_by_xai_message")
    refused = status is BatchStatus.FAILED
    mark, file_id = told.get("name"), told.get("input_file_id")
    return Batch(
        id=name,
        status=status,
        raw_status=status.value.replace("_", " "),
        mark=mark if isinstance(mark, str) and mark.startswith(MARK) else None,
        input_file_id=file_id if isinstance(file_id, str) and is_id(file_id) else None,
        # There is no file: this is how many results there should be.
        output_file_id=str(done + failed) if done or failed else None,
        problems=(InputProblem(None, one_line(str(said)), None),) if refused else (),
        total=total,
        completed=done,
        failed=failed + left,
        created_at=moment(told.get("create_time")),
    )


def _status(told: dict[str, Any], total: int, pending: int, done: int, *, over: bool) -> BatchStatus:  # Any: JSON
    """Return how far a batch is: xAI tells counts and times, and no word."""
    if told.get("cancel_time"):
        if told.get("cancel_by_xai_message") and not done:
            return BatchStatus.FAILED
        return BatchStatus.CANCELLING if pending else BatchStatus.CANCELLED
    if total and not pending:
        return BatchStatus.COMPLETED
    if over:
        return BatchStatus.EXPIRED
    return BatchStatus.IN_PROGRESS if total else BatchStatus.VALIDATING


def _token(raw: dict[str, Any], last: str | None) -> str | None:  # Any: JSON
    """Return behind what the next page begins; a token that comes twice leads nowhere."""
    token = raw.get("pagination_token")
    return token if isinstance(token, str) and token and token != last else None


def _as_line(result: Any) -> dict[str, Any] | None:  # Any: JSON
    """Return a result as OpenAI's batches tell theirs; None for one of another form."""
    name = result.get("batch_request_id") or result.get("custom_id") if isinstance(result, dict) else None
    if not isinstance(name, str):
        return None
    told = result["batch_result"] if isinstance(result.get("batch_result"), dict) else result
    error, response = told.get("error") or told.get("error_message"), told.get("response")
    if isinstance(error, dict) and not error.get("code") and not error.get("message"):
        error = None  # protobuf's word for success
    if isinstance(response, dict) and "data" not in response:
        # One key says what was asked for, as image_generation, and holds the answer.
        response = next((each for each in response.values() if isinstance(each, dict)), response)
    line: dict[str, Any] = {"custom_id": name, "error": error}  # Any: JSON
    if response is not None and error is None:
        line["response"] = {"status_code": 200, "body": response}
    return line
