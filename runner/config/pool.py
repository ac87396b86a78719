"""Take a pool of servers apart: each of them is a provider of its own, and a run goes to one."""

from __future__ import annotations

from typing import cast

from .provider import AddressedConfig, ProviderConfig
from .run import RunConfig


def members(provider: ProviderConfig) -> tuple[ProviderConfig, ...]:
    """Return the servers of a pool, each as a provider that is none; empty where `provider` is no pool."""
    if not isinstance(provider, AddressedConfig):
        return ()
    return tuple(_member(provider, number) for number in range(len(provider.base_urls)))


def at_member(config: RunConfig, number: int) -> RunConfig:
    """Return a run of a pool as it goes to the server of that number, from 0; itself where its provider is no pool."""
    provider = config.provider
    if not isinstance(provider, AddressedConfig) or not provider.base_urls:
        return config
    deployment = provider.base_urls[number].deployment
    model = config.model if deployment is None else config.model.model_copy(update={"deployment": deployment})
    return config.model_copy(update={"provider": _member(provider, number), "model": model})


def _member(provider: AddressedConfig, number: int) -> ProviderConfig:
    member = provider.base_urls[number]
    own = {
        "base_url": member.base_url,
        "base_urls": (),
        "max_concurrent_jobs": member.max_concurrent_jobs or provider.max_concurrent_jobs,
        "api_key_env": member.api_key_env or getattr(provider, "api_key_env", None),
    }
    return cast("ProviderConfig", provider.model_copy(update=own))
