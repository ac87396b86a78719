from __future__ import annotations

import pytest

from runner.cli.secret_guard import ConfigGuard, refuse_in_arguments, refuse_in_config
from runner.errors import SecretError

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwcyJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "argument",
    [
        f"provider.api_key={KEY}",
        "provider.api_key=hunter2hunter2",
        "+provider.api_key=hunter2hunter2",
        "++provider.api_key=hunter2hunter2",
        "provider={api_key: hunter2hunter2}",
        "+provider={kind: openai, 'api_key': hunter2}",
        f"provider.api_key_env={KEY}",
        "provider.api_key_env=0123456789abcdef0123456789abcdef",
        "provider.base_url=https://user:hunter2@host/v1",
        "hydra.job.env_set.OPENAI_API_KEY=hunter2hunter2",
        f"request.prompt={KEY}",
        f"request.extra_params.header={JWT}",
        "request.prompt='${oc.env:OPENAI_API_KEY}'",
        "provider.azure_ad_token=hunter2",
        KEY,
    ],
)
def test_a_credential_on_the_command_line_is_refused_without_being_repeated(argument):
    with pytest.raises(SecretError) as caught:
        refuse_in_arguments([argument], env={})
    shown = f"{caught.value.message} {caught.value.hint}"
    for secret in (KEY, JWT, "hunter2", "0123456789abcdef"):
        assert secret not in shown
    assert "api_key_env" in shown


@pytest.mark.parametrize(
    "argument",
    [
        "provider.api_key_env=MY_KEY",
        "provider.base_url=https://host:8443/v1",
        "provider.base_url=${oc.env:AZURE_OPENAI_ENDPOINT}",
        "request.prompt=the secret token: a key",
        "request.prompt='{api_key: a poem}'",
        "model.usd_per_million_tokens.text_in=5",
        "~provider.api_key_env",
        "provider.api_key=null",
        "+provider.headers_env.Ocp-Apim-Subscription-Key=APIM_KEY",
        "provider.headers_env={X-Api-Key: GATEWAY_KEY}",
        "provider.headers.x-litellm-num-retries=3",
        "-m",
        "--cfg",
    ],
)
def test_what_is_no_credential_passes(argument):
    refuse_in_arguments([argument], env={"OPENAI_API_KEY": "abcdefghijkl"})


def test_the_value_of_a_key_from_the_environment_is_recognised_anywhere():
    with pytest.raises(SecretError, match="stands in your environment"):
        refuse_in_arguments(["request.prompt=say plainvalue123 aloud"], env={"OPENAI_API_KEY": "plainvalue123"})


def test_a_key_that_came_from_a_config_file_is_refused_and_named():
    with pytest.raises(SecretError, match=r"provider\.api_key in the config") as caught:
        refuse_in_config({"provider": {"kind": "openai", "api_key": "hunter2hunter2"}}, env={})
    assert "hunter2" not in str(caught.value)


def test_lists_in_a_config_are_searched_too():
    with pytest.raises(SecretError):
        refuse_in_config({"hydra": {"overrides": {"task": [f"request.prompt={KEY}"]}}}, env={})


@pytest.mark.parametrize(
    "argument",
    [
        "provider.api_key_env=a1b2c3d4e5f60718293a4b5c6d7e8f90",
        "provider.base_url=https://hunter2key@host/v1",
        "provider.base_url='https://host/v1?api-key=hunter2hunter2'",
        "provider.base_url=https://me:hunter2/hunter2@host/v1",
        "tracking.tracking_uri=http://me:hunter2@host:5000",
        "tracking.tracking_uri='postgresql://me:hunter2/hun ter2@host/db'",
        "tracking.tracking_uri='mysql://host/db?user=me&password=hunter2'",
        "+request.extra_params.Ocp-Apim-Subscription-Key=hunter2hunter2",
        "+request.extra_params.headers={X-Api-Key: hunter2hunter2}",
        "model.deployment='Bearer hunter2hunter2'",
        "request.prompt=${oc.env:${provider.api_key_env}}",
        "request.prompt=${oc.env:'OPENAI_API_${request.negative_prompt}'}",
    ],
)
def test_what_hides_a_credential_is_found(argument):
    with pytest.raises(SecretError) as caught:
        refuse_in_arguments([argument], env={})
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "argument",
    [
        "provider.api_key_env=MY_COMPANY_AZURE_OPENAI_API_KEY_WESTEUROPE",
        "request.image_list=['https://account.blob.core/x.png?sig=abcdef']",
        "request.prompt=write to otto@example.com",
        "request.prompt=see https://example.com/about and write to otto@example.com",
        "tracking.tracking_uri=http://host:5000",
        "tracking.tracking_uri=sqlite:////home/otto/mlflow.db",
    ],
)
def test_what_only_looks_like_it_passes(argument):
    refuse_in_arguments([argument], env={})


def test_what_passed_at_one_key_is_looked_at_again_at_another_and_with_another_value():
    guard = ConfigGuard(env={})
    for _ in range(2):
        guard.refuse({"request": {"prompt": "hunter2hunter2", "seeds": [1, 2.5, True, None, ("a",)]}})
    with pytest.raises(SecretError, match=r"provider\.api_key"):
        guard.refuse({"request": {"prompt": "hunter2hunter2"}, "provider": {"api_key": "hunter2hunter2"}})
    with pytest.raises(SecretError, match=r"request\.prompt"):
        guard.refuse({"request": {"prompt": KEY}})
    with pytest.raises(SecretError, match=r"request\.prompt"):
        guard.refuse({"request": {"prompt": KEY}})  # what was refused has not passed


def test_a_section_that_passed_at_one_key_is_looked_at_again_at_another():
    guard, section = ConfigGuard(env={}), {"note": "http://host/?key=hunter2"}
    guard.refuse({"request": section})
    guard.refuse({"request": section})
    address = {"base_url": "http://host/?key=hunter2"}
    for _ in range(2):
        with pytest.raises(SecretError, match=r"provider\.base_url"):
            guard.refuse({"request": section, "provider": address})  # what was refused has not passed
    names = ["hunter2hunter2"]
    guard.refuse({"notes": names})
    with pytest.raises(SecretError, match="api_key"):
        guard.refuse({"api_key": names})


def test_where_a_tracking_servers_password_belongs_is_said():
    with pytest.raises(SecretError) as caught:
        refuse_in_config({"tracking": {"kind": "mlflow", "tracking_uri": "http://me:hunter2@host"}}, env={})
    assert "MLFLOW_TRACKING_PASSWORD" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["Ocp-Apim-Subscription-Key", "X-Gateway"])
def test_where_a_secret_header_belongs_is_said(name):
    with pytest.raises(SecretError) as caught:
        refuse_in_arguments([f"+provider.headers.{name}={KEY}"], env={})
    assert f"provider.headers_env.{name}=" in (caught.value.hint or "")


@pytest.mark.parametrize("value", [KEY, "0123456789abcdef0123456789abcdef"])
def test_a_key_in_place_of_its_variables_name_is_refused_for_headers_too(value):
    with pytest.raises(SecretError) as caught:
        refuse_in_arguments([f"+provider.headers_env.X-Key={value}"], env={})
    assert value not in f"{caught.value} {caught.value.hint}"
