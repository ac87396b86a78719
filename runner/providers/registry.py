"""Make a provider from its config; each kind is imported only when it is used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from runner.config.provider import (
    AzureOpenAIConfig,
    CompatibleConfig,
    EmulatorConfig,
    OpenAIConfig,
    ProviderConfig,
    servers_of,
)
from runner.errors import ConfigError

from .base import Provider

if TYPE_CHECKING:
    import httpx2
    from azure.core.credentials import TokenCredential


def create(
    config: ProviderConfig,
    env: Mapping[str, str] | None = None,
    *,
    transport: httpx2.AsyncBaseTransport | None = None,
    credential: TokenCredential | None = None,
) -> Provider:
    """Return the provider that `config` describes, with its credential from `env` (default: the process's environment).

    It belongs to the event loop that first uses it. `transport` replaces the network, `credential` what signs for an
    Azure resource: any synchronous credential of azure-identity. Raises `ConfigError` if the credential or the address
    is missing.
    """
    if credential is not None and not isinstance(config, AzureOpenAIConfig):
        raise ConfigError(f"provider={config.kind} takes no credential of Azure", hint="provider=azure_openai")
    if servers_of(config):
        raise ConfigError(
            "this goes to one server, and provider.base_urls names several",
            hint="provider.base_urls=[] provider.base_url=URL",
        )
    # The SDK takes 0.6 s to import, which only those pay who send something.
    environment = os.environ if env is None else env
    match config:
        case OpenAIConfig() | CompatibleConfig():
            from .sdk import SDKProvider

            return SDKProvider(config, environment, transport)
        case AzureOpenAIConfig():
            from .azure_openai import AzureOpenAIProvider

            return AzureOpenAIProvider(config, environment, transport, credential)
        case EmulatorConfig():
            from .emulator_process import start

            # Before the import of the SDK, which takes as long as the emulator's start.
            start(config)
            from .emulator import EmulatorProvider

            return EmulatorProvider(config, environment, transport)
