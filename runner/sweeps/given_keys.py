"""Find the variables that hold the keys which a program gave to a single call, whose record has but names for them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from runner.artifacts.result import Attempt
from runner.config.provider import (
    EmulatorConfig,
    ProviderConfig,
    is_given_key,
    members_of,
    option_of,
    servers_of,
    usual_variable,
)
from runner.config.run import RunConfig
from runner.config.shipped import option
from runner.errors import ConfigError
from runner.providers.credentials import find, mark_of
from runner.providers.endpoint import resolve


def with_variables(config: RunConfig, attempts: Sequence[Attempt], env: Mapping[str, str] = os.environ) -> RunConfig:
    """Return the config with the provider's usual variable in place of each such name for which it is surely meant.

    It is where a request of the run was signed with the key that it holds. Where no request tells, it is at the
    provider's own address, as long as no other key of the run may be meant: no host gets a key that is not for it.
    """
    providers = [config.provider, *(fallback.provider for fallback in config.fallbacks)]
    if not any(map(_name, providers)):
        return config
    found = [_found(provider, providers, attempts, env) for provider in providers]
    fallbacks = tuple(
        fallback.model_copy(update={"provider": provider})
        for fallback, provider in zip(config.fallbacks, found[1:], strict=True)
    )
    return config.model_copy(update={"provider": found[0], "fallbacks": fallbacks}) if found != providers else config


def _found(
    provider: ProviderConfig, providers: Sequence[ProviderConfig], attempts: Sequence[Attempt], env: Mapping[str, str]
) -> ProviderConfig:
    name = _name(provider)
    usual = usual_variable(provider)
    if name is None or usual is None or env.get(name) or not env.get(usual):
        return provider
    marks = {
        (number, each.credential.partition("#")[2])
        for number, other in enumerate(providers)
        for each in attempts
        if each.choice == number and "#" in each.credential and _name(other) == name
    }
    if marks:
        sure = any(mark in _marks(providers[number], usual, env) for number, mark in marks)
    else:
        others = (each for each in providers if _name(each) != name)
        sure = _at_its_own_address(provider, env) and all(usual not in _read(each) for each in others)
    return _reading(provider, usual) if sure else provider


def _name(provider: ProviderConfig) -> str | None:
    """Return the name in place of a key that a program gave; None where the record names a variable, or needs none."""
    name = None if isinstance(provider, EmulatorConfig) else provider.api_key_env
    return name if is_given_key(name) else None


def _read(provider: ProviderConfig) -> set[str | None]:
    """Return the variables that may hold the provider's keys."""
    if isinstance(provider, EmulatorConfig):
        return set()
    named = {provider.api_key_env, *(member.api_key_env for member in members_of(provider))}
    return {*named, usual_variable(provider)} if _name(provider) else {*named}


def _reading(provider: ProviderConfig, variable: str) -> ProviderConfig:
    return provider.model_copy(update={"api_key_env": variable})


def _marks(provider: ProviderConfig, variable: str, env: Mapping[str, str]) -> Iterator[str]:
    """Yield the marks that requests have which the variable's key signs, at each server of a pool."""
    for server in servers_of(provider) or [provider]:
        reading = _reading(server, variable)
        credential = None if isinstance(reading, EmulatorConfig) else find(reading, env)
        if credential is not None:
            yield mark_of(server, credential).partition("#")[2]


def _at_its_own_address(provider: ProviderConfig, env: Mapping[str, str]) -> bool:
    """Return whether requests go where they would if nobody said where."""
    own = (option("provider", option_of(provider), env) or {}).get("base_url")
    try:
        usual = resolve(provider.model_copy(update={"base_url": own, "base_urls": ()})).identity
        return all(resolve(each).identity == usual for each in servers_of(provider) or [provider])
    except (ConfigError, ValueError):  # there is no address, or none that can be one
        return False
