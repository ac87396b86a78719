"""All checks of one config, each as soon as it is known; what one failure makes pointless is skipped."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

from runner.config import ProviderConfig, RunConfig
from runner.errors import AuthenticationError, ConfigError, RunnerError
from runner.providers import Examinable, Provider
from runner.providers import create as create_provider
from runner.providers.endpoint import is_loopback, resolve

from .answers import ask
from .check import Check, failed, ok, skip
from .machine import decoding, output
from .network import Host, dns, host_of, tls
from .service import model_check, verdicts
from .setup import configured, reachable

Create = Callable[[ProviderConfig], Provider]


async def examine(
    config: RunConfig,
    *,
    directory: Path,
    env: Mapping[str, str] = os.environ,
    create: Create = create_provider,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Check]:
    """Check what a run with `config` in `directory` needs; sends only requests that cost nothing.

    `create` makes the provider and `clock` tells Unix time; both can be replaced. Raises nothing on purpose.
    """
    for check in configured(config):
        yield check
    yield output(directory)
    yield await asyncio.to_thread(decoding)
    found = list(reachable(config, env))
    for check in found:
        yield check
    wrong = {check.name for check in found if check.status == "fail"}
    async for check in _network(config, clock, wrong):
        wrong |= {check.name} if check.status == "fail" else set()
        yield check
    if wrong:
        for check in _skipped(config, f"as {' and '.join(sorted(wrong))} failed"):
            yield check
        return
    async for check in _service(config, create, clock):
        yield check


async def _network(config: RunConfig, clock: Callable[[], float], wrong: set[str]) -> AsyncIterator[Check]:
    if "address" in wrong:
        yield skip("dns", "the address is not usable")
        yield skip("tls", "the address is not usable")
        return
    if "network" in wrong:
        yield skip("dns", "as network failed")
        yield skip("tls", "as network failed")
        return
    host = _host(config)
    if host is None:
        yield skip("dns", "the emulator is on this machine")
        yield skip("tls", "the emulator is on this machine")
        return
    named = skip("dns", f"{host.name} is this machine") if is_loopback(host.name) else await dns(host)
    yield named
    yield skip("tls", "the name does not resolve") if named.status == "fail" else await tls(host, clock)


def _host(config: RunConfig) -> Host | None:
    base_url = resolve(config.provider).base_url
    return host_of(base_url) if base_url else None


async def _service(config: RunConfig, create: Create, clock: Callable[[], float]) -> AsyncIterator[Check]:
    try:
        provider = create(config.provider)
    except RunnerError as error:
        for check in _broken(config, error):
            yield check
        return
    try:
        if not isinstance(provider, Examinable):
            yield skip("endpoint", "this provider cannot be asked for free")
            return
        source = provider.credential_source
        answers = await ask(provider, config, clock)
        yield ok("credential", source or "none is configured")
        for check in verdicts(answers, config, source):
            yield check
    except RunnerError as error:
        for check in _broken(config, error):
            yield check
    finally:
        await provider.close()


def _broken(config: RunConfig, error: RunnerError) -> Iterator[Check]:
    name = "credential" if isinstance(error, AuthenticationError | ConfigError) else "endpoint"
    yield failed(name, error)
    for check in _skipped(config, f"as {name} failed"):
        if check.name != name:
            yield check


def _skipped(config: RunConfig, reason: str) -> Iterator[Check]:
    for name in ("endpoint", "key", model_check(config), "list", "clock"):
        yield skip(name, reason)
