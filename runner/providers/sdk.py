"""Hold what all providers share that are reached through the openai SDK."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import httpx2
import openai
from openai import AsyncStream, RequestOptions, omit
from openai.resources.images import AsyncImages
from openai.resources.videos import AsyncVideos

from runner.artifacts.download import ByteSource
from runner.config.dialect import Dialect
from runner.config.provider import ProviderConfig, dialect_of
from runner.config.run import RunConfig
from runner.errors import (
    BadRequestError,
    ConfigError,
    ExpiredError,
    RunnerError,
    ServerError,
    UncertainError,
    UnexpectedAnswerError,
)

from .allowance import moment, server_time
from .answer import as_told, read_answer, shortened, told_cost, usd
from .base import Character, ImageBatch, Job, JobPage, OnPartial, Reply, Variant
from .body import Body, build_for
from .call import Call, Place
from .client import (
    PLAIN,
    CredentialAuth,
    QuietVideos,
    ResponseHook,
    ambient_headers,
    file_client,
    http_client,
    opened,
    received,
    redactor,
    sdk_client,
)
from .credentials import Credential, credential_of, headers_of, mark_of
from .download import Download, FileClient, TextFile, gone, late, redirected
from .endpoint import proxy_of, resolve
from .file_address import find_address, hidden, holds_file, host_of, named_files
from .image_stream import is_stream, read_stream
from .images import MOST_EXTRA, image_file, read_images
from .job import is_id, job_at, made_all_the_same, no_list, read_created, read_failed, read_job, read_page, unlisted
from .json_answer import parsed_body, read_documents
from .translation import PROXY, kept_content, no_use, refused, translate, uncertain, unreadable

if TYPE_CHECKING:
    from .batch_api import BatchAPI, Services
    from .chat import ChatAPI

_ASK_SECONDS = 20.0
_ABOUT_US = (401, 429)
"""Refusals that are not about the file."""
_SHOWN_BYTES = 1024**2
_JSON = {"Content-Type": "application/json"}


class SDKProvider:
    """Reach an endpoint that speaks OpenAI's API, exactly or as a dialect says; subclasses say what else differs."""

    def __init__(
        self,
        config: ProviderConfig,
        env: Mapping[str, str],
        transport: httpx2.AsyncBaseTransport | None = None,
        credential: Credential | None = None,
    ) -> None:
        self.name: str = config.kind
        endpoint = resolve(config)
        self.endpoint = endpoint.identity
        credential = credential or credential_of(config, env)
        headers = headers_of(config, env)
        self.credential_source = credential.source or None
        self.credential = mark_of(config, credential)
        proxy = None if transport is not None else proxy_of(endpoint.base_url)
        self._place = Place(self.name, endpoint.identity, credential.source, credential.header == "api-key", proxy)
        self._dialect: Dialect = dialect_of(config)
        self._backend: str | None = getattr(config, "custom_llm_provider", None)
        self._hidden: list[str] = []
        self._redact = redactor(credential.secrets, headers.secrets, ambient_headers().values, lambda: self._hidden)
        self._response_hook = ResponseHook(self._redact)
        self._http = http_client(config, endpoint, CredentialAuth(credential, headers), self._response_hook, transport)
        self._http.event_hooks["response"].append(self._hear_time)
        self.server_ahead: float | None = None
        self._client = sdk_client(config, endpoint, self._http)
        self._new_file_client = lambda proxy: file_client(config, ResponseHook(self._redact), proxy, transport)
        self._resolves = transport is None
        # Raw responses: their headers say when to ask again, and their bodies are parsed only once.
        videos: AsyncVideos = QuietVideos(self._client)
        self._videos = videos.with_raw_response
        self._streaming = videos.with_streaming_response

    @cached_property
    def _files(self) -> FileClient:
        """Return what opens files at addresses that a server or a user names, which most never do."""
        home = str(self._client.base_url).rstrip("/")
        return FileClient(self._http, self._new_file_client, home, resolve=self._resolves)

    def body(self, config: RunConfig) -> dict[str, Any]:  # Any: JSON
        """Return the request as sent, with each file as its name, size and hash."""
        return self.build(config).record

    def build(self, config: RunConfig) -> Body:
        """Return the request that a run makes, as the dialect puts it."""
        return build_for(self._dialect, config)

    async def source_address(self, config: RunConfig) -> str:
        """Return where the finished video that a request starts from lies now, for a host that takes its address."""
        body = await self._built(config)
        call = Call(self._place, "tell of the video to start from", model=config.sent_model, source=body.target)
        return await find_address(self.retrieve, config, call, self._dialect.source_seconds)

    async def submit(self, config: RunConfig, source: str | None = None) -> Job:
        """Create one video job (paid); `source` is the address of the video that it starts from, as just told."""
        body = await self._built(config)
        if source is None:
            return await self._submit(config, body)
        with hidden(source, self._hidden):
            return await self._submit(config, replace(body, fields={**body.fields, "video": {"url": source}}))

    async def _submit(self, config: RunConfig, body: Body) -> Job:
        action = f"{body.operation.partition('_')[0]} {body.target or 'the video'}"
        call = Call(self._place, action, paid=True, model=config.sent_model, source=body.target)
        with self._translated(call):
            try:
                response, broken = await received(await self._post_video(body))
            except openai.APIStatusError as error:
                job = made_all_the_same(error.response, self._documents(error.response), body.target)
                if job is None:
                    raise
                return self._told(job, error.response)
            documents = self._documents(response)
            job = read_created(documents, response.headers) or job_at(response, body.target)
            if job is None:
                prompt = config.request.prompt
                raise no_use(response, documents, call, self._redact, broken=broken, prompt=prompt)
            return self._told(job, response)

    async def retrieve(self, job_id: str) -> Job:
        """Ask for a job's state; a failed job that a server delivers as an HTTP error is still a `Job`."""
        await self._ready()
        call = Call(self._place, "tell the job's state", job_id=job_id)
        with self._translated(call):
            try:
                response = (await self._videos.retrieve(job_id)).http_response
            except openai.APIStatusError as error:
                job = read_failed(self._json(error.response), error.response.headers, job_id)
                if job is None:
                    raise
                return self._told(job, error.response)
            job = read_job(self._json(response), response.headers, job_id) or self._unreadable(response, call)
            return self._told(job, response)

    async def jobs(self, after: str | None = None, limit: int = 100) -> JobPage:
        """List up to `limit` of the endpoint's jobs, newest first, beginning behind the job `after`."""
        await self._ready()
        call = Call(self._place, "list the jobs", job_id=after)
        if not self._dialect.lists or (self._dialect.lists_by_backend and self._backend is None):
            raise unlisted(call, by_backend=self._dialect.lists)
        asked = {"after": after, "custom_llm_provider": self._backend}
        query = {"limit": limit, "order": "desc", **{name: text for name, text in asked.items() if text is not None}}
        with self._translated(call):
            response = await self._client.get("/videos", cast_to=httpx2.Response, options={"params": query})
            raw = self._json(response)
        if raw is None:
            self._unreadable(response, call)
        return read_page(raw, limit) or no_list(response.status_code, call)

    @asynccontextmanager
    async def content(self, job: Job, variant: Variant = "video") -> AsyncIterator[ByteSource]:
        """Open the download of a completed job's file."""
        await self._ready()
        call = Call(self._place, f"give the {variant}", job_id=job.id)
        if variant not in self._dialect.variants:
            raise BadRequestError(f"{self._place.host} keeps no {variant} of a video", **call.details)
        try:
            with self._translated(call):
                content = await self._open_content(job, variant, call)
        except RunnerError as error:
            raise late(error, job) from None
        try:
            yield content
        finally:
            await content.aclose()

    async def generate(self, config: RunConfig, on_partial: OnPartial | None = None) -> ImageBatch:
        """Generate or edit images (paid); `on_partial` hears of partial images where the request asks for them."""
        body = await self._built(config)
        call = Call(self._place, f"{body.operation} the image", paid=True, model=config.sent_model)
        with self._translated(call):
            unread = await self._post_image(body)
            if is_stream(unread) and "stream" in body.fields:
                return await self._streamed(unread, body, call, on_partial)
            response, broken = await received(unread)
            batch, documents = image_file(response.content, response.headers), list[Any]()  # Any: JSON
            if batch is None:
                documents = self._documents(response)
                batch = read_images(documents, response.headers)
            if batch is None:
                prompt = config.request.prompt
                raise no_use(response, documents, call, self._redact, broken=broken, prompt=prompt, images=True)
            if self._dialect.cost:
                cost = told_cost(batch.raw, self._dialect.cost, self._dialect.cost_units)
                batch = replace(batch, usd=cost, implausible_usage=False)  # its tokens are counted in other words
            elif self._dialect.cost_header:
                batch = replace(batch, usd=usd(response.headers.get(self._dialect.cost_header)))
            far_more = len(batch.images) > body.fields["n"] + MOST_EXTRA
            return replace(batch, answer=kept_content(response.content, self._redact)) if far_more else batch

    async def delete(self, job_id: str) -> None:
        """Delete a finished job and its files at the provider."""
        await self._ready()
        call = Call(self._place, "delete the video", job_id=job_id)
        with self._translated(call):
            await self._videos.delete(job_id)

    async def create_character(self, video: Path, name: str) -> Character:
        """Make a character of a local video file; sent once."""
        await self._ready()
        call = Call(self._place, "create the character", paid=True)
        with self._translated(call):
            response = await self._videos.create_character(name=name, video=video)
            return self._character(response.http_response, call)

    async def character(self, character_id: str) -> Character:
        """Look a character up."""
        await self._ready()
        call = Call(self._place, "tell of the character")
        with self._translated(call):
            return self._character((await self._videos.get_character(character_id)).http_response, call)

    def _character(self, response: httpx2.Response, call: Call) -> Character:
        answer = self._json(response)
        found = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(found, str) or not is_id(found):
            self._unreadable(response, call)
        return Character(found, str(answer.get("name") or ""), moment(answer.get("created_at")))

    @asynccontextmanager
    async def fetch(self, url: str, *, by_user: bool = False) -> AsyncIterator[ByteSource]:
        """Open a download from an address that the server named, or the user (`by_user`).

        It may be relative to the endpoint, which alone gets our credentials.
        """
        await self._ready()
        # The host is named; the rest of the address may be a signature.
        place = Place(self.name, host_of(url) or self._place.endpoint)
        call = Call(place, "give the file")
        response = await self._open_address(url, call, by_user=by_user)
        content = self._download(response, call) if by_user else await self._file(response, call, picture=True)
        try:
            yield content
        finally:
            await content.aclose()

    async def ask(self, path: str, action: str, **query: str) -> Reply:
        """Send GET `path` below the API's root, and return whatever it answers; for the doctor."""
        await self._ready()
        call = Call(self._place, action)
        options: RequestOptions = {"params": query, "timeout": _ASK_SECONDS}
        with self._translated(call):
            try:
                response = await self._client.get(path, cast_to=httpx2.Response, options=options)
            except openai.APIStatusError as refusal:
                response = refusal.response
            raw = self._json(response)
            reply = Reply(response.status_code, response.headers, raw)
            if response.is_success and raw is not None:
                return reply
            error = (unreadable if response.is_success else refused)(response, call, self._redact)
            return replace(reply, said=read_answer(response, self._redact).message, error=error)

    async def close(self) -> None:
        """Close the client's connections."""
        await self._files.close()
        await self._http.aclose()

    def images(self) -> AsyncImages:
        """Return the resource that image requests go through."""
        return self._client.images

    def batches(self) -> BatchAPI:
        """Return what sends requests in batches and reads what comes of them."""
        from .batch_api import batch_api  # few send batches

        return batch_api(self._services())

    def chat(self) -> ChatAPI:
        """Return what asks chat models."""
        from .chat import ChatAPI  # few ask any

        return ChatAPI(self._services())

    def _services(self) -> Services:
        from .batch_api import Services

        shared = (self._client, self._place, self._redact, self._translated, self.build, self._ready)
        return Services(*shared, self._dialect, self.fetch)

    async def _hear_time(self, response: httpx2.Response) -> None:
        told = server_time(response.headers)
        if told is not None:
            # The second that has begun is told without its fraction.
            self.server_ahead = told + 0.5 - time.time()

    async def _ready(self) -> None:
        """Wait for the endpoint to exist."""

    async def _built(self, config: RunConfig) -> Body:
        await self._ready()
        # Reading files must not hold up the other runs.
        with_files = bool(config.request.image_list)
        return await asyncio.to_thread(self.build, config) if with_files else self.build(config)

    def _told(self, job: Job, response: httpx2.Response) -> Job:
        return (
            as_told(job, self._dialect, response.headers) if self._dialect.tells_cost or self._dialect.signed else job
        )

    async def _post_json(self, path: str, body: Body) -> httpx2.Response:
        """Post a request that the SDK has no method for; its body is not read yet."""
        document = await asyncio.to_thread(lambda: body.document)  # images become text
        version = self._dialect.image_version
        if version is not None and body.operation in ("generate", "edit"):
            path = f"{str(self._client.base_url).rstrip('/').rpartition('/')[0]}/{version}{path}"
        kind: type[Any] = httpx2.Response  # Any: with `stream`, the SDK's types promise a stream of events
        response = await self._client.post(path, cast_to=kind, body=document, stream=True, stream_cls=AsyncStream[Any])
        return cast("httpx2.Response", response)

    async def _post_video(self, body: Body) -> httpx2.Response:
        if body.path is not None:
            return await self._post_json(body.path, body)
        if body.target is not None:
            return await self._post_derived(body, body.target)
        # The SDK would send a form in any case, and the API takes an image's address from JSON.
        headers = _JSON if body.json else None
        files = {name: group[0].part for name, group in body.files.items()}
        create = cast("Any", self._streaming.create)  # Any: the fields were typed by the config, sizes beyond the SDK's
        return await opened(create(**body.fields, **files, extra_body=body.extra, extra_headers=headers))

    async def _post_derived(self, body: Body, target: str) -> httpx2.Response:
        if body.operation == "remix":
            prompt = body.fields["prompt"]
            return await opened(self._streaming.remix(target, prompt=prompt, extra_body=body.extra))
        # The SDK's types allow {"id": …} as the video, and its code takes only files.
        extra = {**body.extra, "video": {"id": target}}
        # Any: as in _post_video
        send: Any = self._streaming.extend if body.operation == "extend" else self._streaming.edit
        return await opened(send(**body.fields, video=omit, extra_body=extra, extra_headers=_JSON))

    async def _post_image(self, body: Body) -> httpx2.Response:
        if body.path is not None:
            return await self._post_json(body.path, body)
        images = self.images().with_streaming_response
        parts = {name: [file.part for file in group] for name, group in body.files.items()}
        # The SDK calls a list `image[]`, which many servers do not read, and one file `image`, which all do.
        files = {name: group if len(group) > 1 else group[0] for name, group in parts.items()}
        send = cast("Any", images.edit if body.operation == "edit" else images.generate)  # Any: as in _post_video
        return await opened(send(**body.fields, **files, extra_body=body.extra))

    async def _streamed(
        self, response: httpx2.Response, body: Body, call: Call, on_partial: OnPartial | None
    ) -> ImageBatch:
        others: list[Any] = []  # Any: JSON
        wanted: int = body.fields["n"]
        try:
            batch = await read_stream(
                response.aiter_bytes(), response.headers, wanted, on_partial, self._redact, others
            )
            if batch is None:
                raise uncertain(f"{self._place.host} ended its stream before the finished image", call)
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError, UncertainError) as met:
            error = translate(met, call, self._redact)
            if isinstance(error, UncertainError) and others:
                error.answer = json.dumps(others).encode()
            raise error from None
        finally:
            await response.aclose()
        return batch

    async def _open_content(self, job: Job, variant: Variant, call: Call) -> Download | TextFile:
        """Return the file from its route, else from where the answer or the job says that it is."""
        also = [*named_files(job.raw), *job.signed] if variant == "video" else []
        if not self._dialect.file_route:
            return await self._named_file(job, also, call)
        try:
            named = omit if variant == "video" and not self._dialect.names_variant else variant
            query = dict(self._dialect.file_query) or None
            asked = self._streaming.download_content(job.id, variant=named, extra_headers=PLAIN, extra_query=query)
            response = await opened(asked)
        except openai.APIStatusError as error:
            if (target := redirected(error.response)) is not None:
                response = await self._open_address(target, call)
            elif variant != "video" or error.response.status_code in _ABOUT_US:
                raise
            else:
                found = [*named_files(self._json(error.response)), *also]
                return await self._first_of(found, call, refused(error.response, call, self._redact))
        return await self._file(response, call, also, picture=variant != "video")

    async def _named_file(self, job: Job, named: Sequence[str], call: Call) -> Download | TextFile:
        """Return the file from the address that the job told, which holds for a while, else from what it tells now."""
        nowhere = ServerError(f"{self._place.host} names no file of {job.id} at present", **call.details)
        with suppress(RunnerError):
            return await self._first_of(named, call, nowhere)
        fresh = await self.retrieve(job.id)
        return await self._first_of([*named_files(fresh.raw), *fresh.signed], call, nowhere)

    async def _file(
        self, response: httpx2.Response, call: Call, also: Sequence[str] = (), *, picture: bool, follow: int = 2
    ) -> Download | TextFile:
        """Return the file that a success carries, else the one that its JSON or `also` names."""
        download = self._download(response, call)
        try:
            message = await download.message()
        except BaseException:
            await download.aclose()
            raise
        if message is None:
            return download
        await download.aclose()
        found = named_files(parsed_body(message.content), picture=picture) if follow else []
        error = unreadable(shortened(message, _SHOWN_BYTES), call, self._redact)
        return await self._first_of([*found, *also], call, error, picture=picture, follow=follow - 1)

    async def _first_of(
        self, named: Sequence[str], call: Call, error: RunnerError, *, picture: bool = False, follow: int = 1
    ) -> Download | TextFile:
        """Return the first of several files that opens; raises the likeliest error, or `error` if none is named."""
        met: list[RunnerError] = []
        for text in named:
            if holds_file(text):
                return TextFile(text)
            try:
                return await self._file(await self._open_address(text, call), call, picture=picture, follow=follow)
            except RunnerError as failure:
                met.append(failure)
        # What is gone there may still come from the file's own route.
        raise next((failure for failure in met if not isinstance(failure, ExpiredError)), error)

    def _download(self, response: httpx2.Response, call: Call) -> Download:
        return Download(response, lambda error: translate(error, call, self._redact))

    async def _open_address(self, url: str, call: Call, *, by_user: bool = False) -> httpx2.Response:
        with self._translated(call):
            response = await self._files.open(url, by_user=by_user)
            if response.is_success:
                return response
            await response.aread()
        error = refused(response, call, self._redact)
        own = self._files.is_own(str(response.url)) and not isinstance(error, UnexpectedAnswerError)
        if response.status_code in (401, 403) and own:
            # An error of the endpoint is about the key, which no other host gets; a page is about the address.
            raise error
        raise gone(error, response)

    def _json(self, response: httpx2.Response) -> Any:  # Any: JSON
        """Return the last JSON value of the body, as of a stream of events; None if there is none."""
        return next(reversed(self._documents(response)), None)

    def _documents(self, response: httpx2.Response) -> list[Any]:  # Any: JSON
        return read_documents(response.content, self._redact)

    def _unreadable(self, response: httpx2.Response, call: Call) -> NoReturn:
        if call.paid:
            raise no_use(response, self._documents(response), call, self._redact)
        raise unreadable(response, call, self._redact)

    @contextmanager
    def _translated(self, call: Call) -> Iterator[None]:
        """Let nothing out but our errors; the SDK's may quote the server, who may quote the key."""
        try:
            yield
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            known = translate(error, call, self._redact)
            # A proxy that never worked is a wrong setting, and not one that is away for a while.
            if known.code == PROXY and call.paid and not self._response_hook.answered:
                known = ConfigError(known.message, hint=known.hint, code=PROXY)
            raise known from None
