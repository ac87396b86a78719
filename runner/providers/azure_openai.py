"""Speak to a resource of Azure OpenAI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import httpx2
from openai import AsyncAzureOpenAI
from openai.resources.images import AsyncImages

from runner.config.provider import AzureOpenAIConfig

from .client import PLACEHOLDER, without_ambient_headers
from .credentials import entra_credential
from .endpoint import resolve
from .sdk import SDKProvider

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


class AzureOpenAIProvider(SDKProvider):
    """Use Azure's v1 API, where videos live; images too, unless the user asks for a dated API version.

    The SDK's Azure client builds only one of the routes that exist: images of a dated version, under
    `/openai/deployments/NAME`. Its videos go to `/openai/videos`, which Azure does not have, so that everything on
    `/openai/v1` goes through the plain client.
    """

    def __init__(
        self,
        config: AzureOpenAIConfig,
        env: Mapping[str, str],
        transport: httpx2.AsyncBaseTransport | None = None,
        credential: TokenCredential | None = None,
    ) -> None:
        signed_in = credential is not None or config.auth == "entra_id"
        super().__init__(config, env, transport, entra_credential(config, credential) if signed_in else None)
        place = resolve(config)
        self._dated = None
        if place.images_version is not None:
            self._dated = AsyncAzureOpenAI(
                azure_endpoint=place.identity,
                api_version=place.images_version,
                api_key=PLACEHOLDER,
                timeout=self._http.timeout,
                max_retries=0,
                default_headers=without_ambient_headers(),
                http_client=self._http,
            )

    def images(self) -> AsyncImages:
        """Return the deployments route for a dated version, else the v1 route."""
        return (self._dated or self._client).images
