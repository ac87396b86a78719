"""OpenAI, and any server that speaks its API exactly."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from runner.config import OpenAIConfig

from . import credentials, endpoint
from .sdk import SDKProvider


class OpenAIProvider(SDKProvider):
    """The API as OpenAI documents it; the key travels as `Authorization: Bearer`."""

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
