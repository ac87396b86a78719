"""Entra ID: tokens through azure-identity's interfaces, over HTTP to an emulator that expires them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError
from PIL import Image

from runner.config.provider import AzureOpenAIConfig, OpenAIConfig
from runner.engine.run import Run
from runner.engine.scheduler import Scheduler
from runner.errors import AuthenticationError, ConfigError, HTTPConnectionError, RunnerError
from runner.providers.credentials import EntraCredential, entra_credential
from runner.providers.preflight import check_endpoint
from runner.providers.registry import create

RESOURCE = "https://res.openai.azure.com"
SCOPE = "https://cognitiveservices.azure.com/.default"
START = float(int(time.time()))


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def jwt(expiry: float, number: int = 0) -> str:
    """A token by its form, unsigned."""
    claims = json.dumps({"exp": expiry, "jti": f"canary-{number}"}).encode()
    return f"eyJhbGciOiJub25lIn0.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2lnbmF0dXJl"


class FakeCredential:
    """Issues tokens that live for `life` seconds; `claimed` is how long it says they do, if it is wrong."""

    def __init__(self, clock: Callable[[], float], life: float = 3600, claimed: float | None = None) -> None:
        self.clock = clock
        self.life = life
        self.claimed = claimed or life
        self.asked: list[tuple[tuple[str, ...], str | None]] = []
        self.tokens: list[str] = []
        self.errors: list[Exception] = []

    def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        self.asked.append((scopes, tenant_id))
        if self.errors:
            raise self.errors.pop(0)
        self.tokens.append(jwt(self.clock() + self.life, len(self.tokens)))
        return AccessToken(self.tokens[-1], int(self.clock() + self.claimed))


class StubbornCredential(FakeCredential):
    """Has a cache that nothing gets past."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.asked.append((scopes, None))
        return AccessToken(jwt(START + 3600), int(START + 3600))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def azure(**keys: Any) -> AzureOpenAIConfig:
    return AzureOpenAIConfig(**{"kind": "azure_openai", "base_url": RESOURCE, "auth": "entra_id", **keys})


@pytest.fixture
async def signed_in(config_of):
    """A provider of an emulated resource that a credential signs for, with a config for it."""
    async with contextlib.AsyncExitStack() as stack:

        def build(emulator, credential, **request):
            keys = {"kind": "azure_openai", "base_url": emulator.azure_url, "auth": "entra_id"}
            config = config_of(keys, **request)
            provider = create(config.provider, {}, credential=credential)
            stack.push_async_callback(provider.close)
            return provider, config

        yield build


def test_the_fake_is_a_credential_as_azure_identity_s_own(clock):
    assert isinstance(FakeCredential(clock), TokenCredential)


async def test_a_token_signs_as_bearer_and_is_fetched_once_for_all(make_emulator, signed_in, clock):
    emulator, credential = make_emulator(now=clock, api_key="the-key"), FakeCredential(clock)
    provider, config = signed_in(emulator, credential)
    await asyncio.gather(*(provider.submit(config) for _ in range(8)))
    assert credential.asked == [((SCOPE,), None)]
    assert emulator.ledger()["jobs"] == 8


async def test_tokens_are_renewed_before_they_expire(clock):
    fake = FakeCredential(clock)
    credential = EntraCredential(lambda: fake, SCOPE, clock=clock)
    first = await credential.value()
    clock.now += 3200
    assert await credential.value() == first
    clock.now += 200
    assert await credential.value() != first
    assert len(fake.asked) == 2


async def test_a_short_lived_token_is_not_fetched_for_each_request(clock):
    fake = FakeCredential(clock, life=120)
    credential = EntraCredential(lambda: fake, SCOPE, clock=clock)
    for _ in range(3):
        await credential.value()
        clock.now += 20
    assert len(fake.asked) == 1


async def test_a_renewal_that_fails_keeps_the_valid_token_and_is_tried_again_later(clock):
    fake = FakeCredential(clock)
    credential = EntraCredential(lambda: fake, SCOPE, clock=clock)
    first = await credential.value()
    clock.now += 3400
    fake.errors = [ServiceRequestError("no route"), ServiceRequestError("no route")]
    assert await credential.value() == first
    assert await credential.value() == first
    assert len(fake.asked) == 2
    clock.now += 31
    assert await credential.value() == first
    clock.now += 31
    assert await credential.value() != first


async def test_a_refused_token_is_replaced_once_for_all_who_used_it(clock):
    fake = FakeCredential(clock)
    credential = EntraCredential(lambda: fake, SCOPE, clock=clock)
    refused = await credential.value()
    clock.now += 1
    renewed = await asyncio.gather(*(credential.value(refused=refused) for _ in range(5)))
    assert len(fake.asked) == 2
    assert set(map(repr, renewed)) == {"SecretStr('**********')"}
    assert renewed[0] != refused
    assert await credential.value(refused=refused) == renewed[0]


async def test_the_same_token_again_is_not_sent_again(make_emulator, signed_in, clock):
    emulator = make_emulator(now=clock, rules=[{"fault": "unauthorized", "match": {"operation": "create"}}])
    provider, config = signed_in(emulator, StubbornCredential(clock))
    with pytest.raises(AuthenticationError):
        await provider.submit(config)
    assert emulator.ledger()["requests"] == {"POST /openai/v1/videos": 1}


async def test_an_expired_token_is_replaced_and_the_job_created_once(make_emulator, signed_in, clock, tmp_path):
    Image.new("RGB", (1280, 720), "teal").save(tmp_path / "first.png")
    emulator, credential = make_emulator(now=clock), FakeCredential(clock, life=300, claimed=3600)
    images = [str(tmp_path / "first.png")]
    provider, config = signed_in(emulator, credential, duration_seconds=4, size="1280x720", image_list=images)
    await provider.submit(config)
    clock.now += 301
    job = await provider.submit(config)
    assert (await provider.retrieve(job.id)).id == job.id
    ledger = emulator.ledger()
    assert ledger["jobs"] == 2
    assert ledger["requests"] == {"POST /openai/v1/videos": 3, "GET /openai/v1/videos/{video_id}": 1}
    assert len(credential.asked) == 2


async def test_a_second_401_is_not_answered_with_a_third_request(make_emulator, signed_in, clock):
    rule = {"fault": "unauthorized", "match": {"operation": "create"}}
    emulator, credential = make_emulator(now=clock, rules=[rule]), FakeCredential(clock)
    provider, config = signed_in(emulator, credential)
    with pytest.raises(AuthenticationError) as caught:
        await provider.submit(config)
    assert "az account show" in (caught.value.hint or "")
    assert emulator.ledger()["requests"] == {"POST /openai/v1/videos": 2}
    assert emulator.ledger()["jobs"] == 0


@pytest.mark.parametrize("fault", [{"fault": "drop_after_commit"}, {"fault": "status", "status": 500, "commit": True}])
async def test_nothing_but_a_401_sends_a_paid_request_again(make_emulator, signed_in, clock, fault):
    emulator = make_emulator(now=clock, rules=[{**fault, "match": {"operation": "create"}}])
    provider, config = signed_in(emulator, FakeCredential(clock))
    with pytest.raises(RunnerError):
        await provider.submit(config)
    assert emulator.ledger()["requests"] == {"POST /openai/v1/videos": 1}


@pytest.mark.parametrize(
    ("raised", "expected", "said"),
    [
        (CredentialUnavailableError(message="nobody is signed in"), AuthenticationError, "az login"),
        (ClientAuthenticationError(message="AADSTS700016"), AuthenticationError, "az login"),
        (ServiceRequestError("login.microsoftonline.com: no route"), HTTPConnectionError, "network"),
        (ValueError("Invalid tenant"), ConfigError, "provider.tenant_id"),
        (RuntimeError("what?"), AuthenticationError, "az login"),
    ],
)
async def test_without_a_token_nothing_is_sent_and_the_error_says_how_to_sign_in(
    make_emulator, signed_in, clock, raised, expected, said
):
    emulator, credential = make_emulator(now=clock), FakeCredential(clock)
    credential.errors = [raised]
    provider, config = signed_in(emulator, credential)
    with pytest.raises(RunnerError) as caught:
        await provider.submit(config)
    assert type(caught.value) is expected
    assert "nothing was sent" in str(caught.value)
    assert said in (caught.value.hint or "")
    assert emulator.ledger()["requests"] == {}


async def test_nobody_signed_in_is_one_error_and_stops_the_sweep(make_emulator, config_of, clock, tmp_path):
    emulator, credential = make_emulator(now=clock), FakeCredential(clock)
    attempts = "DefaultAzureCredential failed.\nAttempted credentials:\n\tAzureCliCredential: Please run 'az login'"
    credential.errors = [CredentialUnavailableError(message=attempts)] * 20
    runs = sweep(20, config_of({"kind": "azure_openai", "base_url": emulator.azure_url, "auth": "entra_id"}), tmp_path)
    scheduler = Scheduler(runs, observer=lambda _: None, create=lambda c: create(c, {}, credential=credential))
    outcome = await scheduler.run()
    assert outcome.exit_code == 1
    assert len(credential.asked) == 1
    assert isinstance(outcome.stopped_by, AuthenticationError)
    assert "tried AzureCliCredential" in (outcome.stopped_by.hint or "")
    assert emulator.ledger()["requests"] == {}


def sweep(count: int, config, directory) -> list[Run]:
    runs = [Run(index, config, directory / str(index)) for index in range(count)]
    for run in runs:
        run.directory.mkdir()
    return runs


async def test_a_token_that_expires_in_the_middle_of_a_sweep_fails_no_run(make_emulator, config_of, clock, tmp_path):
    emulator = make_emulator(now=clock, latency=5, retention=1_000_000)
    credential = FakeCredential(clock, life=300, claimed=3600)
    keys = {"kind": "azure_openai", "base_url": emulator.azure_url, "auth": "entra_id", "poll_interval": 0.02}
    config = config_of({**keys, "max_poll_attempts": 2000, "max_concurrent_jobs": 3}, duration_seconds=4)
    seen = []

    def observe(event) -> None:
        if event.remote_status is not None:
            seen.append(event.run.index)
            clock.now += 40

    outcome = await Scheduler(
        sweep(8, config, tmp_path), observer=observe, create=lambda c: create(c, {}, credential=credential)
    ).run()
    assert [result.status for result in outcome.results] == ["verified"] * 8
    ledger = emulator.ledger()
    assert ledger["jobs"] == 8
    assert ledger["requests"]["POST /openai/v1/videos"] <= 8 + len(credential.asked)
    assert len(credential.asked) >= 3
    for path in tmp_path.rglob("*.json"):
        assert not any(token in path.read_text() for token in credential.tokens)


async def test_a_server_that_repeats_the_token_does_not_reveal_it(wire, config_of, clock):
    credential = FakeCredential(clock)
    wire.answer = lambda request: httpx2.Response(
        403, json={"error": {"message": f"not with {request.headers['authorization']}"}}
    )
    config = config_of({"kind": "azure_openai", "base_url": RESOURCE, "auth": "entra_id"})
    provider = create(config.provider, {}, transport=wire.transport, credential=credential)
    with pytest.raises(AuthenticationError) as caught:
        await provider.submit(config)
    assert credential.tokens[0] not in f"{caught.value}{caught.value.raw_response}"
    await provider.close()


@pytest.mark.parametrize(
    ("keys", "scope", "tenant"),
    [
        ({}, SCOPE, None),
        ({"base_url": "https://res.services.ai.azure.com/api/projects/films"}, SCOPE, None),
        ({"base_url": "https://res.openai.azure.us/"}, "https://cognitiveservices.azure.us/.default", None),
        ({"base_url": "https://res.openai.azure.cn"}, "https://cognitiveservices.azure.cn/.default", None),
        ({"base_url": "https://gateway.example"}, SCOPE, None),
        ({"token_scope": "https://ai.azure.com/.default"}, "https://ai.azure.com/.default", None),
        ({"tenant_id": "contoso.com"}, SCOPE, "contoso.com"),
    ],
)
async def test_the_cloud_and_the_config_say_what_tokens_are_asked_for(clock, keys, scope, tenant):
    fake = FakeCredential(clock)
    await entra_credential(azure(**keys), fake).value()
    assert fake.asked == [((scope,), tenant)]


@pytest.mark.parametrize("keys", [{}, {"tenant_id": "contoso.com", "client_id": "app"}, {"managed_identity": True}])
@pytest.mark.parametrize("cloud", ["com", "us", "cn"])
async def test_azure_identity_s_own_credentials_are_made_only_when_they_are_used(keys, cloud):
    from runner.providers.credentials import identity

    config = azure(base_url=f"https://res.openai.azure.{cloud}", **keys)
    assert not entra_credential(config).secrets()
    with contextlib.closing(identity(config)) as credential:
        assert isinstance(credential, TokenCredential)


def test_no_key_is_needed_and_none_is_looked_for():
    assert check_endpoint(azure(), {}) == []


@pytest.mark.parametrize(
    ("keys", "key", "severity"),
    [
        ({"managed_identity": True, "tenant_id": "contoso.com"}, "provider.tenant_id", "error"),
        ({"token_scope": "cognitiveservices"}, "provider.token_scope", "error"),
        ({"auth": "api_key", "managed_identity": True}, "provider.managed_identity", "warning"),
        ({"auth": "auto", "token_scope": SCOPE}, "provider.token_scope", "warning"),
    ],
)
def test_what_has_no_meaning_together_is_said(keys, key, severity):
    (problem,) = check_endpoint(azure(**keys), {"AZURE_OPENAI_API_KEY": "k"})
    assert (problem.key, problem.severity) == (key, severity)


def test_a_credential_is_for_azure_only(clock):
    with pytest.raises(ConfigError, match="takes no credential of Azure"):
        create(OpenAIConfig(kind="openai"), {"OPENAI_API_KEY": "k"}, credential=FakeCredential(clock))


def in_python(code: str) -> str:
    preamble = (
        "import sys; from runner.config.provider import AzureOpenAIConfig;"
        "from runner.providers.preflight import check_endpoint; from runner.providers.registry import create;"
        f"config = AzureOpenAIConfig(kind='azure_openai', base_url='{RESOURCE}', auth='entra_id');"
    )
    command = [sys.executable, "-c", preamble + code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_without_the_extra_preflight_says_what_to_install():
    # None in sys.modules is how Python marks a module as absent.
    code = "sys.modules['azure.identity'] = None; print(*check_endpoint(config, {}))"
    assert "pip install 'mediarunner[azure]'" in in_python(code)


def test_azure_identity_is_imported_only_when_a_token_is_wanted():
    code = "check_endpoint(config, {}); create(config, {}); print([n for n in sys.modules if n.startswith('azure.')])"
    assert in_python(code) == "[]"
