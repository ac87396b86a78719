"""Speak to OpenAI, and to servers that speak its protocol exactly or in their own way."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from runner.config import CompatibleConfig, OpenAIConfig

from . import credentials, endpoint
from .sdk import SDKProvider


class OpenAIProvider(SDKProvider):
    """Use the API as OpenAI documents it; the key travels as `Authorization: Bearer`."""

    def __init__(
        self, config: OpenAIConfig, env: Mapping[str, str], transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        super().__init__(
            config,
            endpoint.resolve(config),
            credentials.resolve(config, env),
            name=config.kind,
            headers=credentials.headers(config, env),
            transport=transport,
        )


class CompatibleProvider(SDKProvider):
    """Use the API as the dialect says; the key, where there is one, travels as `Authorization: Bearer`."""

    def __init__(
        self, config: CompatibleConfig, env: Mapping[str, str], transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        credential = credentials.NoCredential() if config.api_key_env is None else credentials.resolve(config, env)
        super().__init__(
            config,
            endpoint.resolve(config),
            credential,
            name=config.kind,
            headers=credentials.headers(config, env),
            transport=transport,
        )
