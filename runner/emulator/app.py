"""Serve the emulator as an ASGI application: OpenAI's `/v1`, Azure's `/openai`, and the ledger."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from .faults import FaultPlan, FaultRule, load_rules
from .manner import CompatibleSurface
from .openrouter import OpenRouterSurface
from .operation import Emulator, Handler, Operation
from .routes import batches, catalogue, chat, compatible, files, images, openrouter, videos, xai, xai_batches
from .settings import EmulatorSettings
from .state import Limits, State
from .studio import Studio
from .surface import AzureSurface, Refusal, Surface
from .xai import XAISurface

Table = Sequence[tuple[str, str, str, Handler]]

# The busiest first: Starlette tries routes in order.
VIDEOS: Table = (
    ("GET", "/videos/{video_id}", "retrieve", videos.retrieve),
    ("GET", "/videos/{video_id}/content", "content", videos.content),
    ("POST", "/videos", "create", videos.create),
    ("GET", "/videos", "list", videos.list_videos),
    ("DELETE", "/videos/{video_id}", "delete", videos.delete),
    ("POST", "/videos/{video_id}/remix", "remix", videos.remix),
    ("POST", "/videos/edits", "edit", videos.edit),
    ("POST", "/videos/extensions", "extend", videos.extend),
    ("POST", "/videos/characters", "character", videos.create_character),
    ("GET", "/videos/characters/{character_id}", "character", videos.retrieve_character),
)
COMPATIBLE: Table = (
    ("GET", "/videos/{video_id}", "retrieve", compatible.retrieve),
    ("GET", "/videos/{video_id}/content", "content", compatible.content),
    ("POST", "/videos", "create", compatible.create),
    ("GET", "/videos", "list", compatible.list_videos),
    ("DELETE", "/videos/{video_id}", "delete", compatible.delete),
)
OPEN_IMAGES: Table = (("POST", "/images/generations", "image_generate", compatible.generate),)
OPEN_TO_ALL: Table = (
    ("GET", "/videos/models", "models", openrouter.video_models),
    ("GET", "/images/models", "models", openrouter.image_models),
    ("GET", "/images/models/{author}/{slug}/endpoints", "models", openrouter.image_endpoints),
)
OPENROUTER: Table = (
    ("GET", "/videos/{video_id}", "retrieve", openrouter.retrieve),
    ("GET", "/videos/{video_id}/content", "content", openrouter.content),
    ("POST", "/videos", "create", openrouter.create),
    ("POST", "/images", "image_generate", openrouter.images),
    ("GET", "/key", "models", openrouter.key),
)
XAI: Table = (
    ("GET", "/videos/{video_id}", "retrieve", xai.retrieve),
    ("POST", "/videos/generations", "create", xai.create),
    ("POST", "/videos/edits", "edit", xai.derive),
    ("POST", "/videos/extensions", "extend", xai.derive),
    ("POST", "/images/generations", "image_generate", xai.images),
    ("POST", "/images/edits", "image_edit", xai.images),
    ("GET", "/batches/{batch_id}", "batch_retrieve", xai_batches.retrieve),
    ("GET", "/batches/{batch_id}/results", "file_content", xai_batches.results),
    ("POST", "/batches/{batch_id}:cancel", "batch_cancel", xai_batches.cancel),
    ("POST", "/batches", "batch_create", xai_batches.create),
    ("GET", "/batches", "batch_list", xai_batches.list_batches),
    ("POST", "/files", "file_create", files.create),
)
IMAGES: Table = (
    ("POST", "/images/generations", "image_generate", images.generate),
    ("POST", "/images/edits", "image_edit", images.edit),
)
CHAT: Table = (("POST", "/chat/completions", "chat", chat.complete),)
BATCHES: Table = (
    ("GET", "/batches/{batch_id}", "batch_retrieve", batches.retrieve),
    ("POST", "/batches", "batch_create", batches.create),
    ("GET", "/batches", "batch_list", batches.list_batches),
    ("POST", "/batches/{batch_id}/cancel", "batch_cancel", batches.cancel),
    ("POST", "/files", "file_create", files.create),
    ("GET", "/files/{file_id}", "file_retrieve", files.retrieve),
    ("GET", "/files/{file_id}/content", "file_content", files.content),
    ("DELETE", "/files/{file_id}", "file_delete", files.delete),
)
MODELS: Table = (
    ("GET", "/models", "models", catalogue.list_models),
    ("GET", "/models/{model:path}", "models", catalogue.retrieve_model),
)


def _routes(emulator: Emulator, surface: Surface, prefix: str, table: Table) -> list[BaseRoute]:
    return [
        Route(path, Operation(emulator, surface, name, f"{method} {prefix}{path}", handler), methods=[method])
        for method, path, name, handler in table
    ]


def _mounts(emulator: Emulator) -> list[BaseRoute]:
    settings = emulator.settings
    openai, azure = _openai(settings), AzureSurface(settings, now=emulator.now)
    dated = AzureSurface(settings, dated=True, now=emulator.now)
    deployment = "/openai/deployments/{deployment}"
    public = OPEN_TO_ALL if settings.dialect == "openrouter" else ()
    known = _routes(emulator, _Open(settings), "/v1", public)
    media = Operation(emulator, _Open(settings), "media", "GET /_emulator/media", catalogue.media)
    later = _routes(emulator, openai, "/v2", COMPATIBLE) if settings.dialect == "together" else []
    return [
        Mount("/v1", routes=[*known, *_routes(emulator, openai, "/v1", (*_tables(settings), *CHAT, *MODELS))]),
        Mount("/v2", routes=later),
        Mount(
            "/openai/v1", routes=_routes(emulator, azure, "/openai/v1", (*VIDEOS, *IMAGES, *CHAT, *BATCHES, *MODELS))
        ),
        Mount(deployment, routes=_routes(emulator, dated, deployment, IMAGES)),
        Route("/_emulator/ledger", catalogue.ledger),
        Route("/_emulator/media/{name}", media, name="media", methods=["GET"]),
    ]


def _tables(settings: EmulatorSettings) -> Table:
    match settings.dialect:
        case "plain":
            return (*VIDEOS, *IMAGES, *BATCHES)
        case "litellm":
            # A gateway has all operations; where both have one, the first found is its own.
            return (*COMPATIBLE, *VIDEOS, *OPEN_IMAGES)
        case "openrouter":
            return OPENROUTER
        case "xai":
            return XAI
        case _:
            return (*COMPATIBLE, *OPEN_IMAGES)


def _openai(settings: EmulatorSettings) -> Surface:
    match settings.dialect:
        case "plain":
            return Surface(settings)
        case "openrouter":
            return OpenRouterSurface(settings)
        case "xai":
            return XAISurface(settings)
        case _:
            return CompatibleSurface(settings)


class _Open(Surface):
    def authorize(self, headers: object) -> None:
        del headers


async def _unrouted(settings: EmulatorSettings, request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    if request.url.path.startswith("/openai/"):
        refusal = Refusal(status, "Resource not found", type=None, code=str(int(status)))
        return JSONResponse(AzureSurface(settings).error(refusal), status)
    refusal = Refusal(status, f"Invalid URL ({request.method} {request.url.path})")
    return JSONResponse(_openai(settings).error(refusal), status)


def create_app(
    settings: EmulatorSettings, *, rules: Sequence[FaultRule] = (), now: Callable[[], float] = time.time
) -> Starlette:
    """Build the application; `rules` come before those of the fault file, `now` gives Unix time."""
    listed = (*rules, *(load_rules(settings.faults) if settings.faults else ()))
    state = State(settings.state_file)
    emulator = Emulator(
        settings, state, Studio(settings), FaultPlan(listed, settings.seed), Limits(settings, state, now), now
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        for making in emulator.making.values():
            making.cancel()
        emulator.studio.close()
        state.close()

    unrouted = partial(_unrouted, settings)
    app = Starlette(routes=_mounts(emulator), lifespan=lifespan, exception_handlers={HTTPException: unrouted})
    app.router.redirect_slashes = False
    app.state.emulator = emulator
    return app
