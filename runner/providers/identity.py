"""Who signs in to Entra ID: which credential of azure-identity a config asks for."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runner.config import AzureOpenAIConfig, Problem
from runner.errors import ConfigError

from .cloud import PUBLIC, cloud_of

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

INSTALL = "pip install 'mediarunner[azure]'"
_MISSING = "entra_id needs azure-identity, which is not installed"


def identity(config: AzureOpenAIConfig) -> TokenCredential:
    """A new credential, which signs in when it is first asked for a token."""
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    # Without a handler Python prints its warnings, each failed attempt twice; the error says it all.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    if config.managed_identity:
        return ManagedIdentityCredential(client_id=config.client_id)
    # A browser would open in the middle of a sweep.
    return DefaultAzureCredential(exclude_interactive_browser_credential=True, **_options(config))


def scope(config: AzureOpenAIConfig) -> str:
    """What tokens are asked for."""
    return config.token_scope or cloud_of(urlsplit(config.base_url or "").hostname).token_scope


def require_identity() -> None:
    """Raise `ConfigError` unless azure-identity is installed."""
    if not _installed():
        raise ConfigError(f"provider.auth={_MISSING}", hint=INSTALL)


def check_identity(config: AzureOpenAIConfig) -> Iterator[Problem]:
    """What can be said against signing in by Entra ID without doing it."""
    if config.auth != "entra_id":
        for name in ("tenant_id", "client_id", "managed_identity", "token_scope"):
            if getattr(config, name):
                yield Problem(f"provider.{name}", "is not used: it is for provider.auth=entra_id", None, "warning")
        return
    if not _installed():
        yield Problem("provider.auth", _MISSING, INSTALL)
    if config.managed_identity and config.tenant_id:
        yield Problem("provider.tenant_id", "has no meaning for a managed identity, which belongs to one tenant",
                      "provider.tenant_id=null")  # fmt: skip
    if config.token_scope is not None and "://" not in config.token_scope:
        example = f"for example {PUBLIC.token_scope}"
        yield Problem("provider.token_scope", f"{config.token_scope!r} is no scope", example)


def _options(config: AzureOpenAIConfig) -> dict[str, Any]:  # Any: keyword arguments of azure-identity
    """What leads a sign-in away from its defaults; a key that is absent is read from AZURE_* variables."""
    options: dict[str, Any] = {}  # Any: as above
    if config.client_id is not None:
        options |= {"managed_identity_client_id": config.client_id, "workload_identity_client_id": config.client_id}
    if config.tenant_id is not None:
        options["additionally_allowed_tenants"] = [config.tenant_id]
    cloud = cloud_of(urlsplit(config.base_url or "").hostname)
    if cloud is not PUBLIC and "AZURE_AUTHORITY_HOST" not in os.environ:
        options["authority"] = cloud.authority
    return options


def _installed() -> bool:
    try:
        return find_spec("azure.identity") is not None
    except ModuleNotFoundError:
        return False
