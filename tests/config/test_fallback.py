from __future__ import annotations

import pytest

from runner.config.capability import check
from runner.config.loading import load
from runner.config.run import check_choices
from runner.config.shipped import CONF, names, option


def fallback(loaded, text):
    (only,) = loaded(f"fallbacks=[{text}]").fallbacks
    return only


def test_options_are_named_or_changed_and_what_is_left_out_is_the_runs(loaded):
    config = loaded("model.deployment=mine", "fallbacks=[{provider: openai}]")
    (named,) = config.fallbacks
    assert (named.provider.kind, named.model) == ("openai", config.model)
    changed = fallback(loaded, "{provider: {kind: openai, poll_interval: 1}, model: {name: sora-2-pro, deployment: x}}")
    assert (changed.provider.poll_interval, changed.provider.max_poll_attempts) == (1, 120)
    assert (changed.model.name, changed.model.deployment) == ("sora-2-pro", "x")


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("{provider: opnai}", "fallbacks.0.provider", "did you mean openai?"),
        ("{model: sora}", "fallbacks.0.model", "did you mean sora-2?"),
        ("{modl: sora-2}", "fallbacks.0.modl", None),
        (
            "{provider: {kind: openai, base_ur: x}}",
            "fallbacks.0.provider.base_ur",
            "did you mean fallbacks.0.provider.base_url?",
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_key(refused, text, key, hint):
    (problem,) = refused(f"fallbacks=[{text}]")
    assert (problem.key, problem.hint) == (key, hint)


def test_each_choice_is_checked_and_what_they_share_is_said_once(loaded):
    config = loaded(
        "request.duration_seconds=5", "fallbacks=[{model: sora-2-pro},{model: gpt-image-2}]", "provider.kind=emulator"
    )
    problems = check_choices(config, check)
    assert [problem.key for problem in problems] == ["request.duration_seconds", "fallbacks.0", "fallbacks.1"]
    assert "sora-2-pro" in problems[1].message


def test_choices_lead_from_the_run_to_its_last_fallback(loaded):
    config = loaded("fallbacks=[{model: sora-2-pro},{provider: openai}]")
    assert [choice.model.name for choice in config.choices] == ["sora-2", "sora-2-pro", "sora-2"]
    assert [len(choice.fallbacks) for choice in config.choices] == [2, 1, 0]


def test_a_saved_config_is_whole(loaded):
    config = loaded("fallbacks=[{provider: openai, model: sora-2-pro}]")
    again, problems = load(config.model_dump(mode="json"))
    assert not problems
    assert again == config


def test_options_are_read_as_hydra_would(composed):
    for provider in names("provider"):
        assert option("provider", provider, {}) == composed(f"provider={provider}")["provider"]
    found = option("provider", "azure_openai", {"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"})
    assert found["base_url"] == "https://x.openai.azure.com"
    assert option("model", "no-such-model") is None
    assert (CONF / "config.yaml").is_file()
