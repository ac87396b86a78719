"""Check an endpoint by what costs nothing, from its name to its models, and say what its answers mean for a run."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

from runner.config.problem import Problem, did_you_mean
from runner.config.provider import dialect_of
from runner.config.run import RunConfig
from runner.config.shipped import names
from runner.errors import AuthenticationError, RunnerError
from runner.providers.allowance import server_time
from runner.providers.base import Provider, Reply
from runner.providers.endpoint import Proxy, proxy_of, tls_context

Status = Literal["ok", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Check:
    """Describe the outcome of one check; `hint` is what to do next, and `skip` says why nothing was found out."""

    name: str
    status: Status
    message: str
    hint: str | None = None


def ok(name: str, message: str) -> Check:
    """Return that a run works in this respect."""
    return Check(name, "ok", message)


def warn(name: str, message: str, hint: str | None = None) -> Check:
    """Return that a run works, and what its user should know."""
    return Check(name, "warn", message, hint)


def fail(name: str, message: str, hint: str | None = None) -> Check:
    """Return that a run would fail here."""
    return Check(name, "fail", message, hint)


def skip(name: str, message: str) -> Check:
    """Return that this was not looked at, or cannot be known."""
    return Check(name, "skip", message)


def failed(name: str, error: RunnerError) -> Check:
    """Return what an error of ours means here."""
    return Check(name, "fail", error.message, error.hint)


def of_problem(name: str, problem: Problem) -> Check:
    """Return what a problem of the config means here."""
    return Check(name, "fail" if problem.severity == "error" else "warn", problem.text, problem.hint)


_SECONDS = 10.0
_SOON_DAYS = 14
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Host:
    """Describe where an endpoint listens, and the proxy of the environment that stands between."""

    name: str
    port: int
    encrypted: bool
    proxy: Proxy | None = None


def host_of(base_url: str) -> Host:
    """Return the host of a canonical base URL."""
    parts = urlsplit(base_url)
    port = parts.port or _PORTS[parts.scheme]
    return Host(parts.hostname or "", port, parts.scheme == "https", proxy_of(base_url))


async def dns(host: Host) -> Check:
    """Return whether the name resolves."""
    if host.proxy is not None:
        return skip("dns", f"the proxy that {host.proxy.variable} names looks names up")
    try:
        loop = asyncio.get_running_loop()
        found = await asyncio.wait_for(loop.getaddrinfo(host.name, host.port, type=socket.SOCK_STREAM), _SECONDS)
    except (OSError, TimeoutError, UnicodeError) as error:
        return fail("dns", f"{host.name} does not resolve ({_reason(error)})",
                    "is provider.base_url right? private endpoints resolve only in their own network")  # fmt: skip
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return ok("dns", f"{host.name} is {addresses[0]}{more}")


async def tls(host: Host, clock: Callable[[], float]) -> Check:
    """Return whether a connection can be made, and what the certificate is worth."""
    if host.proxy is not None:
        return await _through(host.proxy)
    try:
        expiry = await asyncio.wait_for(_handshake(host), _SECONDS)
    except ssl.SSLCertVerificationError as error:
        return fail("tls", f"the certificate of {host.name} is not trusted: {error.verify_message}",
                    "behind a company's proxy: SSL_CERT_FILE=AUTHORITY.pem; or the clock is wrong")  # fmt: skip
    except (OSError, TimeoutError) as error:
        return fail("tls", f"{host.name}:{host.port} cannot be reached: {_reason(error)}",
                    "is provider.base_url right, and does a firewall let this through?")  # fmt: skip
    if not host.encrypted:
        return skip("tls", f"{host.name}:{host.port} can be reached; http:// has no certificate")
    return _validity(host, expiry, clock())


async def _through(proxy: Proxy) -> Check:
    """Return whether the proxy, which makes the connection, can itself be connected to."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(*proxy.place), _SECONDS)
    except (OSError, TimeoutError, UnicodeError) as error:
        return fail("tls", f"the proxy that {proxy.variable} names ({proxy.host}) cannot be reached: {_reason(error)}",
                    f"correct or unset {proxy.variable}, or name the endpoint's host in NO_PROXY")  # fmt: skip
    writer.transport.abort()
    return skip("tls", f"the proxy that {proxy.variable} names ({proxy.host}) makes the connection")


async def _handshake(host: Host) -> str | None:
    """Connect as the client would; when the certificate ends, in its own words."""
    context = tls_context() if host.encrypted else None
    _, writer = await asyncio.open_connection(host.name, host.port, ssl=context)
    certificate = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    expiry: str | None = certificate.get("notAfter")
    return expiry


def _validity(host: Host, expiry: str | None, now: float) -> Check:
    if expiry is None:
        # If the system's own store verifies, Python does not get to see the certificate.
        return ok("tls", f"the certificate of {host.name} is trusted")
    days = (ssl.cert_time_to_seconds(expiry) - now) / 86_400
    said = f"the certificate of {host.name} is trusted, for {days:.0f} more days"
    return ok("tls", said) if days > _SOON_DAYS else warn("tls", said, "its owner has to renew it")


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_SECONDS:.0f} s"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


_SKEW_SECONDS = 60
_EXACT = ("openai", "emulator")
_URL_HINT = "check provider.base_url; most servers want it to end in /v1"


def checks_of(answers: Answers, config: RunConfig, source: str | None) -> Iterator[Check]:
    """Yield each check, in the order in which they build on each other; `source` is where the key comes from."""
    endpoint = _endpoint(answers)
    yield endpoint
    key = skip("key", "as endpoint failed") if endpoint.status == "fail" else _key(answers, source)
    yield key
    if "fail" in (endpoint.status, key.status):
        yield from (skip(name, "as the checks before failed") for name in (model_check(config), "list"))
    else:
        yield _model(answers, config)
        yield _jobs(answers, config)
        if answers.batches is not None:
            yield _batches(answers.batches)
    yield _clock(answers.skew)


def model_check(config: RunConfig) -> str:
    """Return what the check of the model is called: on Azure a run names a deployment."""
    return "deployment" if config.provider.kind == "azure_openai" else "model"


def _endpoint(answers: Answers) -> Check:
    replies = answers.replies
    speaks = [reply for reply in replies if reply.raw is not None and reply.status < 500]
    worst = next((reply.error for reply in replies if reply.error is not None), None)
    if not speaks and worst is not None:
        return failed("endpoint", worst)
    if all(no_route(reply) for reply in replies):
        return fail("endpoint", f"answers, but has no route of the API: {replies[0].said}", _URL_HINT)
    return ok("endpoint", f"answers in {1000 * answers.seconds:,.0f} ms")


def _key(answers: Answers, source: str | None) -> Check:
    refused = next((r.error for r in answers.replies if isinstance(r.error, AuthenticationError)), None)
    if refused is not None:
        return failed("key", refused)
    # A host's models are listed for everyone.
    telling = answers.replies[answers.open_to_all :]
    if not any(_served(reply) for reply in telling):
        return skip("key", "cannot be known: a wrong key would get the same answers")
    if source is None:
        return ok("key", "none is asked for")
    return ok("key", f"accepted ({source})")


def _served(reply: Reply) -> bool:
    return reply.status < 300 or (reply.status in (400, 404, 422) and reply.raw is not None and not no_route(reply))


def _model(answers: Answers, config: RunConfig) -> Check:
    name, title, kind = answers.name, model_check(config), config.provider.kind
    if kind == "azure_openai":
        listed = f"; a model {name} is listed" if name in answers.names else ""
        return skip(title, f"unknown: Azure lists models and not deployments{listed}; the first request tells")
    if name in answers.names or (answers.model.status < 300 and not dialect_of(config.provider).key_route):
        return ok(title, f"{name} is there")
    if not answers.names and (answers.model.status != 404 or no_route(answers.model)):
        return skip(title, f"unknown: the server lists no models; the first request tells whether {name} is there")
    near = did_you_mean(name, answers.names)
    key = "model.deployment" if kind == "compatible" else "model" if near in names("model") else "model.name"
    hint = f"{key}={near or 'NAME'}"
    if answers.names and not near:
        hint += f"; there are: {_some(answers.names)}"
    # Gateways serve more than they list.
    return (fail if kind in _EXACT else warn)(title, f"{name} is not among the models of the server", hint)


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _jobs(answers: Answers, config: RunConfig) -> Check:
    if answers.job is None:
        return skip("list", f"{config.request.kind}s are answered at once and have no jobs")
    if no_route(answers.job) and (answers.listed is None or no_route(answers.listed)):
        return fail("list", f"the endpoint has no videos: {answers.job.said or answers.job.status}", _URL_HINT)
    if not dialect_of(config.provider).lists:
        return skip("list", "this host has no list of jobs: a create whose answer is lost stays uncertain for good")
    if answers.listed is None:
        named = "a gateway lists jobs only for a backend that is named, as provider.custom_llm_provider=openai"
        return skip("list", f"{named}: without it a create whose answer is lost stays uncertain")
    if answers.listed.error is not None:
        said = answers.listed.said or f"it answers {answers.listed.status}"
        return warn("list", f"jobs cannot be listed: {said}", "a create whose answer is lost stays uncertain")
    return ok("list", "jobs can be listed")


def _batches(reply: Reply) -> Check:
    if no_route(reply):
        return fail("batches", f"the endpoint has no batches: {reply.said or reply.status}", "batch=false")
    if reply.error is not None:
        return warn(
            "batches", f"batches cannot be listed: {reply.said or reply.status}", "batch=false sends one by one"
        )
    return ok("batches", "the endpoint has batches; the first one tells whether they take this model's images")


def _clock(skew: float | None) -> Check:
    if skew is None:
        return skip("clock", "the server tells no time")
    if abs(skew) <= _SKEW_SECONDS:
        return ok("clock", f"{abs(skew):.0f} s apart")
    side = "behind" if skew > 0 else "ahead of"
    return warn("clock", f"this machine's clock is {abs(skew):,.0f} s {side} the server's",
                "set it: tokens, signatures and the expiry of files are judged by it")  # fmt: skip


NO_JOB = "video_" + "0" * 48
"""An id that no job has: who knows that has accepted the key."""

_NO_ROUTE = re.compile(
    r"(resource not found|not found|method not allowed|invalid url.*|unrecognized request url.*|404 .*)\.?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Answers:
    """Describe the replies of one endpoint; what was not asked, as images have no jobs, is None.

    Batches are asked about where a run is to go out in one.

    Attributes:
        name: what is sent as the model.
        open_to_all: how many of the first replies come without a key, too.
        skew: seconds by which the server's clock is ahead; None if it tells no time.
        seconds: how long the first reply took.
    """

    name: str
    models: Reply
    model: Reply
    job: Reply | None
    listed: Reply | None
    skew: float | None
    seconds: float
    open_to_all: int = 0
    batches: Reply | None = None

    @property
    def replies(self) -> list[Reply]:
        """Return all there are."""
        return [reply for reply in (self.models, self.model, self.job, self.listed, self.batches) if reply is not None]

    @property
    def names(self) -> list[str]:
        """Return the models that the endpoint lists."""
        data = self.models.raw.get("data") if isinstance(self.models.raw, dict) else None
        return [str(item["id"]) for item in data if isinstance(item, dict) and "id" in item
                ] if isinstance(data, list) else []  # fmt: skip


async def ask(provider: Provider, config: RunConfig, clock: Callable[[], float]) -> Answers:
    """Ask everything; raises the `RunnerError` of a question that got no answer at all."""
    name = config.sent_model
    before = clock()
    video, dialect = config.request.kind == "video", dialect_of(config.provider)
    models = await provider.ask(dialect.catalogues.get(config.request.kind, "/models"), "list the models")
    after = clock()
    told = server_time(models.headers)
    # What a host lists, it has; the key is asked about in its place.
    about = dialect.key_route or f"/models/{quote(name, safe='')}"
    listing = {"limit": "1", **_backend(config)}
    return Answers(
        name=name,
        models=models,
        model=await provider.ask(about, "tell of the key" if dialect.key_route else "describe the model"),
        job=await provider.ask(f"/videos/{NO_JOB}", "look for a job") if video else None,
        listed=await provider.ask("/videos", "list the jobs", **listing) if _lists(config) else None,
        skew=None if told is None else told - (before + after) / 2,
        seconds=after - before,
        open_to_all=int(bool(dialect.catalogues)),
        batches=await provider.ask("/batches", "list the batches", limit="1") if config.batch else None,
    )


def no_route(reply: Reply) -> bool:
    """Return whether the endpoint has nothing at this path, rather than not what was asked for there."""
    return reply.status in (404, 405) and (reply.raw is None or _NO_ROUTE.fullmatch(reply.said) is not None)


def _lists(config: RunConfig) -> bool:
    dialect = dialect_of(config.provider)
    named = not dialect.lists_by_backend or bool(_backend(config))
    return config.request.kind == "video" and dialect.lists and named


def _backend(config: RunConfig) -> dict[str, str]:
    name = getattr(config.provider, "custom_llm_provider", None)
    return {} if name is None else {"custom_llm_provider": name}
