"""Check a config, this machine and the endpoint in order; what one failure makes pointless is skipped."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.artifacts.atomic import MIN_FREE_BYTES
from runner.artifacts.probe import probe
from runner.compose.preflight import writable
from runner.config.capability import check as check_config
from runner.config.problem import Problem
from runner.config.provider import ProviderConfig, servers_of
from runner.config.restrictions import check_batch
from runner.config.run import RunConfig
from runner.errors import AuthenticationError, ConfigError, RunnerError
from runner.providers.base import Provider
from runner.providers.body import check_body
from runner.providers.endpoint import is_loopback, resolve
from runner.providers.preflight import check_endpoint
from runner.providers.registry import create as create_provider
from runner.storage.address import check_storage

from .service import Check, ask, checks_of, dns, fail, failed, host_of, model_check, of_problem, ok, skip, tls

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
    for check in storage(config, directory):
        yield check
    yield await asyncio.to_thread(decoding)
    servers = servers_of(config.provider)
    if not servers:
        async for check in _server(config, env, create, clock):
            yield check
    for number, server in enumerate(servers):
        named = getattr(server, "base_url", "")
        async for check in _server(config.at_server(number), env, create, clock):
            yield replace(check, message=f"{named}: {check.message}")


async def _server(
    config: RunConfig, env: Mapping[str, str], create: Create, clock: Callable[[], float]
) -> AsyncIterator[Check]:
    """Check one endpoint, from its address to its answers."""
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
    base_url = None if wrong & {"address", "network"} else resolve(config.provider).base_url
    if not base_url:
        reason = "as network failed" if "network" in wrong else "the emulator is on this machine"
        reason = "the address is not usable" if "address" in wrong else reason
        yield skip("dns", reason)
        yield skip("tls", reason)
        return
    host = host_of(base_url)
    named = skip("dns", f"{host.name} is this machine") if is_loopback(host.name) else await dns(host)
    yield named
    yield skip("tls", "the name does not resolve") if named.status == "fail" else await tls(host, clock)


async def _service(config: RunConfig, create: Create, clock: Callable[[], float]) -> AsyncIterator[Check]:
    try:
        provider = create(config.provider)
    except RunnerError as error:
        for check in _broken(config, error):
            yield check
        return
    try:
        source = provider.credential_source
        answers = await ask(provider, config, clock)
        yield ok("credential", source or "none is configured")
        for check in checks_of(answers, config, source):
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


_ADDRESS = frozenset({"provider.base_url", "provider.api_version"})


def configured(config: RunConfig) -> Iterator[Check]:
    """Yield whether the request is one that the model's data allows."""
    problems = [*check_config(config), *check_body(config), *(check_batch(config) if config.batch else ())]
    if not any(problem.severity == "error" for problem in problems):
        model = config.sent_model
        yield ok("config", f"{config.request.kind} by {model} at {config.provider.kind}")
    yield from (of_problem("config", problem) for problem in problems)


def reachable(config: RunConfig, env: Mapping[str, str]) -> Iterator[Check]:
    """Yield what is wrong with the address and the credential, as far as can be seen without sending anything."""
    for problem in check_endpoint(config.provider, env):
        yield of_problem(_topic(problem), problem)


def _topic(problem: Problem) -> str:
    if not problem.key.startswith("provider."):
        return "network"  # a variable that names a proxy, or certificate authorities
    return "address" if problem.key in _ADDRESS else "credential"


_SIDE = 64


def output(directory: Path) -> Check:
    """Return whether `directory`, where a run would go, can be made and has room."""
    problem = writable(directory)
    if problem is not None:
        return of_problem("output", problem)
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < MIN_FREE_BYTES:
        return fail(
            "output", f"only {free / 1e6:,.0f} MB are free below {existing}", "free some, or hydra.run.dir=PATH"
        )
    return ok("output", f"{existing} is writable, {free / 1e9:,.1f} GB free")


def storage(config: RunConfig, directory: Path) -> Iterator[Check]:
    """Yield whether a run in `directory` can be uploaded, as far as that is known without asking the storage."""
    url = config.storage.url
    if url is None:
        return
    from runner.storage.uploading import refuse_misplaced  # few have a storage

    problems = [*check_storage(config)]
    yield from (of_problem("storage", problem) for problem in problems)
    if problems:
        return
    try:
        refuse_misplaced(url, directory, [directory])
    except ConfigError as error:
        yield failed("storage", error)
    else:
        yield ok("storage", f"nothing is wrong with {url} as far as that is known without asking it")


def decoding() -> Check:
    """Return whether a video can be checked: a tiny one is made and read as every download is."""
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder, "clip.mp4")
            version = _make_clip(path)
            video = probe(path)
    except Exception as error:  # noqa: BLE001 - FFmpeg's own libraries may fail in any way
        return fail("decode", f"no video can be checked here: {error}", "pip install --force-reinstall av")
    return ok("decode", f"{video.video_codec} in {video.media_type} (PyAV {version})")


def _make_clip(path: Path) -> str:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = _SIDE, _SIDE, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame(_SIDE, _SIDE, "yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return av.__version__
