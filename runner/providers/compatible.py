"""A server that speaks OpenAI's protocol in its own way: vLLM-Omni, SGLang, a LiteLLM gateway, or another."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from runner.config import CompatibleConfig

from . import credentials, endpoint
from .sdk import SDKProvider


class CompatibleProvider(SDKProvider):
    """What differs is the dialect's; the key, where there is one, travels as `Authorization: Bearer`."""

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
