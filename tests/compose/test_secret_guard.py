from __future__ import annotations

import pytest

from runner.compose.guards import ConfigGuard, refuse_in_arguments, refuse_in_config
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


@pytest.mark.parametrize(
    "variable", ["OPENAI_API_KEY", "OPENAIAPIKEY", "GITHUB_TOKEN", "DB_PASSWORD", "API_KEYS", "AWS_SECRET_ACCESS_KEY"]
)
def test_the_value_of_a_key_from_the_environment_is_recognised_anywhere_and_its_variable_named(variable):
    with pytest.raises(SecretError, match=f"value of {variable}, which stands in your environment") as caught:
        refuse_in_arguments(["request.prompt=say plainvalue123 aloud"], env={variable: "plainvalue123"})
    assert "plainvalue123" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("prompt", "env"),
    [
        ("A torch bearer ascending the temple steps at dawn", {}),
        ("the Bearer 19th-century-portrait", {}),
        ("a page of sk-learn-documentation-style diagrams", {}),
        ("a hf_radio on a desk, key_light from the left", {}),
        ("a sticky note with the word password on a monitor", {"DB_PASSWORD": "password"}),
        ("a timelapse of clouds", {"MONKEY": "timelapse", "HOCKEY": "timelapse"}),
        ("a timelapse of clouds", {"CACHE_KEY": "timelapse"}),
        ("a photorealistically lit harbour", {"STYLE_TOKEN": "photorealistically"}),
        ("Photorealistically lit", {"STYLE_TOKEN": "Photorealistically"}),
        ("none at all", {"VLLM_API_KEY": "none", "OTHER_API_KEY": ""}),
    ],
)
def test_ordinary_sentences_are_no_credentials(prompt, env):
    refuse_in_arguments([f"request.prompt='{prompt}'"], env=env)
    refuse_in_config({"request": {"prompt": prompt}}, env=env)


LETTERS = "AbCdEfGh0123456789abcdef"


@pytest.mark.parametrize(
    "key",
    [
        f"sk-{LETTERS}", f"sk-ant-api03-{LETTERS}", f"sk-or-v1-{LETTERS}", f"xai-{LETTERS}",
        f"AIza{LETTERS}0123456789-_x", f"hf_{LETTERS}", f"r8_{LETTERS}", f"gsk_{LETTERS}", f"nvapi-{LETTERS}",
        f"pplx-{LETTERS}",
        "AKIAIOSFODNN7EXAMPLE", f"ghp_{LETTERS}", f"github_pat_{LETTERS}", f"glpat-{LETTERS}", f"ya29.{LETTERS}",
        f"key_{LETTERS}",
        "01234567-89ab-cdef-0123-456789abcdef:0123456789abcdef0123456789abcdef", f"Bearer {LETTERS}",
        f"bearer  {LETTERS}", "-----BEGIN RSA PRIVATE KEY-----",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["request.prompt='a cat {}'", "+request.extra_params.note='{}'", "model.name='{}'"])
def test_keys_of_all_makers_are_recognised(key, where):
    with pytest.raises(SecretError, match="looks like an API key or token") as caught:
        refuse_in_arguments([where.format(key)], env={})
    assert key not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "query",
    [
        "?api-key=hunter2", "?api_key=hunter2", "?access_token=hunter2", "?subscription_key=hunter2", "?auth=hunter2",
        "?client_secret=hunter2", "?code=hunter2", "?x=hunter2", "?hunter2", "?api-version=2024-10-21&code=hunter2",
        "#key=hunter2", "?api-version=0123456789abcdef0123", "?api_version=hunter2",
    ],
)  # fmt: skip
def test_of_a_query_in_an_address_only_the_version_is_accepted(query):
    for refuse in (
        lambda: refuse_in_arguments([f"provider.base_url='https://host/v1{query}'"], env={}),
        lambda: refuse_in_config({"provider": {"base_url": f"https://host/v1{query}"}}, env={}),
    ):
        with pytest.raises(SecretError) as caught:
            refuse()
        assert "hunter2" not in f"{caught.value} {caught.value.hint}"
        assert "headers_env" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "rest", ["", "?api-version=2024-10-21", "?api-version=preview", "?", "#top", "?API-Version=v1"]
)
def test_an_address_with_nothing_but_a_version_passes(rest):
    refuse_in_config({"provider": {"base_url": f"https://host/v1{rest}"}}, env={})


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


def test_the_letters_of_an_image_are_no_key():
    refuse_in_config({"request": {"image_list": [f"data:image/png;base64,AAAA/AIza{LETTERS}0123456789=="]}}, env={})
