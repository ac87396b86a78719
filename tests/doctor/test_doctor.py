"""The doctor's checks, against the emulator and what may stand in its place; nothing is ever created."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from azure.identity import CredentialUnavailableError

from runner.config.run import RunConfig
from runner.doctor.examination import examine
from runner.doctor.service import Check
from runner.providers.registry import create

KEY = "canary-key-0123456789"
JWT = "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2ln"
AFTER_THE_NETWORK = ("endpoint", "key", "list", "clock")


@pytest.fixture
def look(tmp_path):
    """All checks by name; a name that comes twice keeps the worse."""

    async def look(config: RunConfig, env: dict[str, str], **options: Any) -> dict[str, Check]:
        found: dict[str, Check] = {}
        options = {"directory": tmp_path / "outputs", "create": lambda c: create(c, env), **options}
        async for check in examine(config, env=env, **options):
            known = found.get(check.name)
            if known is None or known.status != "fail":
                found[check.name] = check
        assert not (tmp_path / "outputs").exists()
        assert KEY not in repr(found)
        return found

    return look


@pytest.fixture
def openai(loaded) -> Callable[..., RunConfig]:
    return lambda server, *more: loaded(
        "provider=openai", f"provider.base_url={server.base_url}", "provider.retired_models=off", *more
    )


@pytest.fixture
def azure(loaded) -> Callable[..., RunConfig]:
    return lambda server, *more: loaded("provider=azure_openai", f"provider.base_url={server.azure_url}", *more)


def statuses(checks: dict[str, Check], *names: str) -> list[str]:
    return [checks[name].status for name in names]


async def test_a_good_openai_endpoint_is_all_ok_and_nothing_was_made(emulator, openai, look):
    checks = await look(openai(emulator), {"OPENAI_API_KEY": KEY})
    assert [check.name for check in checks.values() if check.status != "ok"] == ["dns", "tls"]
    assert {*AFTER_THE_NETWORK, "config", "credential", "output", "decode", "model"} <= set(checks)
    ledger = emulator.ledger()
    assert ledger["jobs"] == 0
    assert all(route.startswith("GET ") for route in ledger["requests"])


async def test_a_good_azure_resource_is_ok_and_its_deployment_honestly_unknown(emulator, azure, look):
    checks = await look(azure(emulator), {"AZURE_OPENAI_API_KEY": KEY})
    assert statuses(checks, *AFTER_THE_NETWORK) == ["ok"] * 4
    assert checks["deployment"].status == "skip"
    assert "unknown" in checks["deployment"].message


@pytest.mark.parametrize("dialect", ["vllm_omni", "sglang", "litellm"])
async def test_compatible_servers_are_asked_in_their_dialect(make_emulator, loaded, look, dialect):
    server = make_emulator(dialect=dialect)
    config = loaded(f"provider={dialect}", f"provider.base_url={server.base_url}")
    checks = await look(config, {"LITELLM_API_KEY": KEY})
    assert "fail" not in {check.status for check in checks.values()}, checks
    assert statuses(checks, "endpoint", "key") == ["ok", "ok"]
    assert checks["list"].status in ("ok", "skip")
    assert server.ledger()["jobs"] == 0


async def test_images_have_no_jobs_to_list(emulator, openai, look):
    checks = await look(openai(emulator, "model=gpt-image-2", "request=image"), {"OPENAI_API_KEY": KEY})
    assert statuses(checks, "key", "model", "list") == ["ok", "ok", "skip"]
    assert not any("/videos" in route for route in emulator.ledger()["requests"])


@pytest.mark.parametrize("face", ["openai", "azure"])
async def test_a_wrong_key_names_its_variable(make_emulator, face, request, look):
    config = request.getfixturevalue(face)(make_emulator(api_key="the-right-one"))
    checks = await look(config, {"OPENAI_API_KEY": KEY, "AZURE_OPENAI_API_KEY": KEY})
    assert statuses(checks, *AFTER_THE_NETWORK) == ["ok", "fail", "skip", "ok"]
    assert "_API_KEY" in checks["key"].message
    assert checks["key"].hint


async def test_a_missing_key_stops_before_anything_is_sent(emulator, openai, look):
    checks = await look(openai(emulator), {})
    assert checks["credential"].status == "fail"
    assert "OPENAI_API_KEY" in checks["credential"].message
    assert statuses(checks, *AFTER_THE_NETWORK) == ["skip"] * 4
    assert emulator.ledger()["requests"] == {}


async def test_an_expired_token_is_known_without_sending_it(emulator, azure, look):
    checks = await look(azure(emulator), {"AZURE_OPENAI_AD_TOKEN": JWT})
    assert "expired" in checks["credential"].message
    assert emulator.ledger()["requests"] == {}


async def test_nobody_signed_in_is_the_credential_s_failure(emulator, azure, look):
    class NobodyCredential:
        def get_token(self, *_scopes: str, **_options: Any) -> Any:
            raise CredentialUnavailableError(message="Please run 'az login'")

    config = azure(emulator, "provider.auth=entra_id")
    checks = await look(config, {}, create=lambda c: create(c, {}, credential=NobodyCredential()))
    assert checks["credential"].status == "fail"
    assert "az login" in (checks["credential"].hint or "")
    assert statuses(checks, *AFTER_THE_NETWORK) == ["skip"] * 4


async def test_a_model_that_is_not_there_suggests_the_nearest(emulator, openai, look):
    checks = await look(openai(emulator, "model.name=sora-3"), {"OPENAI_API_KEY": KEY})
    assert checks["model"].status == "fail"
    assert checks["model"].hint == "model=sora-2"


async def test_a_gateway_without_a_database_means_the_key_when_it_says_so(small_server, loaded, look):
    told = {"message": "No connected db.", "type": "no_db_connection", "param": None, "code": "400"}
    small_server.answer = lambda _: (400, {"error": told})
    config = loaded("provider=litellm", f"provider.base_url={small_server.base_url}")
    checks = await look(config, {"LITELLM_API_KEY": KEY})
    assert statuses(checks, "endpoint", "key", "model") == ["ok", "fail", "skip"]
    assert "does not know the key from LITELLM_API_KEY" in checks["key"].message
    assert "provider.api_key_env=NAME" in (checks["key"].hint or "")


async def test_a_gateway_s_list_is_asked_of_a_backend_that_is_named(make_emulator, loaded, look):
    server = make_emulator(dialect="litellm")
    gateway = ("provider=litellm", f"provider.base_url={server.base_url}")
    checks = await look(loaded(*gateway), {"LITELLM_API_KEY": KEY})
    assert checks["list"].status == "skip"
    assert "provider.custom_llm_provider=openai" in checks["list"].message
    checks = await look(loaded(*gateway, "provider.custom_llm_provider=openai"), {"LITELLM_API_KEY": KEY})
    assert checks["list"].status == "ok"


async def test_a_name_that_a_server_does_not_list_is_a_deployment_s(make_emulator, loaded, look):
    server = make_emulator(dialect="vllm_omni", models=("wan-video",))
    config = loaded("provider=vllm_omni", f"provider.base_url={server.base_url}", "model=wan2.2-t2v",
                    "model.deployment=wan-vidio")  # fmt: skip
    checks = await look(config, {})
    assert (checks["model"].status, checks["model"].hint) == ("warn", "model.deployment=wan-video")
    checks = await look(config.model_copy(update={"model": loaded("model=sora-2").model}), {})
    assert checks["model"].hint == "model.deployment=NAME; there are: wan-video"


async def test_a_retired_model_is_the_config_s_failure(emulator, openai, look):
    checks = await look(openai(emulator, "provider.retired_models=refuse"), {"OPENAI_API_KEY": KEY})
    assert "retired" in checks["config"].message
    assert checks["endpoint"].status == "ok"


async def test_a_page_instead_of_the_api_is_no_endpoint(make_emulator, openai, look):
    server = make_emulator(rules=[{"fault": "html", "status": 200}])
    checks = await look(openai(server), {"OPENAI_API_KEY": KEY})
    assert statuses(checks, "endpoint", "key", "model", "list") == ["fail", "skip", "skip", "skip"]
    assert "page" in checks["endpoint"].message


async def test_a_wrong_path_is_no_endpoint_either(emulator, loaded, look):
    config = loaded("provider=openai", f"provider.base_url={emulator.azure_url}/v7", "provider.retired_models=off")
    checks = await look(config, {"OPENAI_API_KEY": KEY})
    assert statuses(checks, "endpoint", "key") == ["fail", "skip"]
    assert "/v1" in (checks["endpoint"].hint or "")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"fault": "status", "status": 503}, ["fail", "skip", "skip"]),
        ({"fault": "rate_limit"}, ["ok", "skip", "warn"]),
        ({"fault": "drop_before_commit"}, ["fail", "skip", "skip"]),
        ({"fault": "status", "status": 500, "match": {"operation": "list"}}, ["ok", "ok", "warn"]),
    ],
)
async def test_an_endpoint_in_trouble_is_told_from_a_wrong_key(make_emulator, openai, look, rule, expected):
    checks = await look(openai(make_emulator(rules=[rule])), {"OPENAI_API_KEY": KEY})
    assert statuses(checks, "endpoint", "key", "list") == expected


async def test_a_host_that_nothing_listens_on_is_unreachable(loaded, look, unused_port):
    config = loaded("provider=openai", f"provider.base_url=http://127.0.0.1:{unused_port}/v1")
    checks = await look(config, {"OPENAI_API_KEY": KEY})
    assert checks["tls"].status == "fail"
    assert str(unused_port) in checks["tls"].message
    assert statuses(checks, *AFTER_THE_NETWORK) == ["skip"] * 4


async def test_a_name_that_does_not_resolve_is_said_once(loaded, look):
    config = loaded("provider=openai", "provider.base_url=https://no-such-host.invalid/v1")
    checks = await look(config, {"OPENAI_API_KEY": KEY})
    assert statuses(checks, "dns", "tls", *AFTER_THE_NETWORK) == ["fail", *["skip"] * 5]
    assert "provider.base_url" in (checks["dns"].hint or "")


@pytest.mark.parametrize("address", ["ftp://host/v1", "https://user:hunter2@host/v1"])
async def test_an_address_that_is_none_is_not_asked(loaded, look, address):
    config = loaded("provider=openai", f"provider.base_url='{address}'")
    checks = await look(config, {"OPENAI_API_KEY": KEY})
    assert statuses(checks, "address", "dns", "tls", "endpoint") == ["fail", "skip", "skip", "skip"]
    assert "hunter2" not in repr(checks)


@pytest.mark.parametrize(("ahead", "said"), [(3600, "ahead of"), (-3600, "behind")])
async def test_a_clock_that_is_wrong_is_warned_of(emulator, openai, look, ahead, said):
    checks = await look(openai(emulator), {"OPENAI_API_KEY": KEY}, clock=lambda: time.time() + ahead)
    assert checks["clock"].status == "warn"
    assert said in checks["clock"].message
    assert checks["clock"].hint


async def test_an_output_that_cannot_be_made_is_named(emulator, openai, look, tmp_path):
    (tmp_path / "file").write_text("")
    checks = await look(openai(emulator), {"OPENAI_API_KEY": KEY}, directory=tmp_path / "file" / "run")
    assert checks["output"].status == "fail"
    assert checks["endpoint"].status == "ok"


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ([], "fail", "sources contradict each other about batches of images on Azure"),
        (["provider.batches=true"], "warn", "no source gives a batch price of gpt-image-2 there"),
    ],
)
async def test_whether_azure_takes_batches_is_asked_and_said(emulator, azure, look, more, status, said):
    config = azure(emulator, "batch=true", "model=gpt-image-2", "request=image", *more)
    checks = await look(config, {"AZURE_OPENAI_API_KEY": KEY})
    assert (checks["config"].status, checks["batches"].status) == (status, "ok")
    assert said in checks["config"].message
    assert emulator.ledger()["requests"].get("GET /openai/v1/batches") == 1
    assert emulator.ledger()["batches"] == 0


async def test_an_endpoint_without_batches_is_said(make_emulator, loaded, look):
    server = make_emulator(dialect="vllm_omni")
    config = loaded("provider=openai", f"provider.base_url={server.base_url}", "batch=true", "model=gpt-image-2",
                    "request=image")  # fmt: skip
    checks = await look(config, {"OPENAI_API_KEY": KEY})
    assert checks["batches"].status == "fail"
    assert checks["batches"].message.startswith("the endpoint has no batches")
