"""Read the lists of its models that a host publishes for everyone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from runner.config.provider import CompatibleConfig, dialect_of
from runner.errors import ConfigError, ProviderError, UnexpectedAnswerError

from .base import Provider
from .registry import create

Entry = Mapping[str, Any]  # Any: JSON


async def listed_models(config: CompatibleConfig) -> tuple[list[Entry], list[tuple[Entry, list[Entry]]]]:
    """Return the videos' models, and the images' models with who serves each; no key is sent.

    Raises `ConfigError` for a server that publishes no such lists, and the `RunnerError` of a question without answer.
    """
    paths = dialect_of(config).catalogues
    if not paths:
        raise ConfigError(f"{config.dialect} publishes no list of its models", hint="openrouter does")
    provider = create(config.model_copy(update={"api_key_env": None, "headers_env": ()}), {})
    try:
        videos = await _list(provider, paths["video"], "data")
        images = await _list(provider, paths["image"], "data")
        served = [await _served(provider, f"{paths['image']}/{each.get('id')}/endpoints") for each in images]
    finally:
        await provider.close()
    return videos, list(zip(images, served, strict=True))


async def _served(provider: Provider, path: str) -> list[Entry]:
    """Return who serves a model; nobody where that is not told, which leaves its price unknown."""
    with suppress(ProviderError):
        return await _list(provider, path, "endpoints")
    return []


async def _list(provider: Provider, path: str, key: str) -> list[Entry]:
    reply = await provider.ask(path, "list the models")
    if reply.error is not None:
        raise reply.error
    entries = reply.raw.get(key) if isinstance(reply.raw, dict) else None
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise UnexpectedAnswerError(f"{provider.endpoint} answered {path} with no list of models")
    return entries
