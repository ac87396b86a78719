"""A single call that was left unfinished goes on from the command line, with a key that is surely its own."""

from __future__ import annotations

import pytest

from runner import generate_video
from runner.app import run
from runner.artifacts.result_file import read_result
from runner.artifacts.run_status import RunStatus
from runner.config.run import Fallback, RunConfig
from runner.config.shipped import option
from runner.errors import JobTimeoutError
from runner.sweeps.given_keys import with_variables

OTHER = "a-key-of-another-account-altogether"


@pytest.fixture
def left(clock, served, video_at, request_, tmp_path):
    """Leave a call's directory whose job goes on at the provider."""
    config = video_at(served, max_poll_attempts=1)
    with pytest.raises(JobTimeoutError):
        generate_video(config, request_, output_dir=tmp_path)
    clock.time += clock.long
    (place,) = (path.parent for path in tmp_path.glob("*/result.json"))
    return place


def test_resume_reads_the_key_from_the_providers_usual_variable(left, key, monkeypatch, capsys):
    assert run(["resume", str(left)]) == 2
    assert "export api_key=…, or provider.api_key_env=NAME" in " ".join(capsys.readouterr().err.split())
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", key)
    assert run(["resume", str(left)]) == 0
    assert read_result(left).status is RunStatus.VERIFIED


def test_another_key_in_that_variable_is_not_sent(left, key, monkeypatch, capsys):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", OTHER)
    assert run(["resume", str(left)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "api_key stands for the key that a program gave" in said
    assert "provider.api_key_env=AZURE_OPENAI_API_KEY, if that holds it" in said
    monkeypatch.setenv("api_key", key)
    assert run(["resume", str(left)]) == 0


OPENAI = {"OPENAI_API_KEY": "sk-from-the-environment"}


def variables(config, env, attempts=()):
    return [choice.provider.api_key_env for choice in with_variables(config, attempts, env).choices]


def at(name="api_key", **fields):
    """A run at OpenAI, whose key is called `name`."""
    provider = {"kind": "openai", "api_key_env": name, **fields}
    request = {"kind": "video", "prompt": "A paper boat at sea"}
    return RunConfig.model_validate({"provider": provider, "model": option("model", "sora-2"), "request": request})


def test_without_a_request_the_variable_is_for_the_providers_own_address_alone():
    config = at()
    assert variables(config, OPENAI) == ["OPENAI_API_KEY"]
    assert variables(config, {}) == ["api_key"]
    assert variables(config, {**OPENAI, "api_key": "k"}) == ["api_key"]
    assert variables(config, {**OPENAI, "OPENAI_BASE_URL": "https://gateway.example/v1"}) == ["api_key"]
    elsewhere = at(base_url="https://gateway.example/v1")
    assert variables(elsewhere, OPENAI) == ["api_key"]
    assert variables(elsewhere, {**OPENAI, "OPENAI_BASE_URL": "https://gateway.example/v1"}) == ["OPENAI_API_KEY"]
    pool = at(base_urls=["https://api.openai.com/v1", "https://gateway.example/v1"])
    assert variables(pool, OPENAI) == ["api_key"]
    assert variables(at("MY_KEY"), OPENAI) == ["MY_KEY"]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("fallback_1_api_key", ["api_key", "fallback_1_api_key"]),
        ("OPENAI_API_KEY", ["api_key", "OPENAI_API_KEY"]),
        ("api_key", ["OPENAI_API_KEY", "OPENAI_API_KEY"]),
    ],
)
def test_two_keys_never_become_one(second, expected):
    config = at()
    other = Fallback(provider=at(second).provider, model=config.model)
    assert variables(config.model_copy(update={"fallbacks": (other,)}), OPENAI) == expected


def test_the_same_key_has_one_name(config, video_at, emulator, make_emulator, request_, tmp_path):
    failing = make_emulator(rules=[{"match": {"operation": "create"}, "fault": "internal"}])
    second = make_emulator(state_file=tmp_path / "second.sqlite3")
    response = generate_video(
        video_at(failing, fallback_configs=[video_at(second)]), request_, output_dir=tmp_path / "out"
    )
    assert response.status == "completed"
    (path,) = (tmp_path / "out").glob("*/result.json")
    saved = read_result(path.parent)
    assert [choice.provider.api_key_env for choice in saved.config.choices] == ["api_key", "api_key"]
