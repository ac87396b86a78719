"""`keys` and `schema`: what the config knows, for people and for editors."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft7Validator

from runner.app import run


@pytest.fixture
def told(capsys):
    def call(*arguments: str) -> str:
        assert run(arguments) == 0
        return capsys.readouterr().out

    return call


def test_all_keys_are_listed_with_default_type_and_meaning(told):
    found = told("keys")
    assert "request.duration_seconds=8  (whole number or null; video only)\n    Seconds; null: " in found
    assert "provider.timeout=600  (number)" in found
    assert "budget.max_usd=null  (number or null)" in found
    assert "model.validation=strict  (strict, warn, off)" in found


@pytest.mark.parametrize(
    ("what", "kinds"),
    [("organization", "openai"), ("request.quality", "image"), ("model.durations", "video"), ("state_file", "emulator"),
     ("mark_field", "compatible"), ("request.seed", ""), ("tracking.files", "")],
)  # fmt: skip
def test_a_key_that_not_all_kinds_have_names_those(told, what, kinds):
    head = told("keys", what).splitlines()[0]
    assert head.endswith(f"; {kinds} only)") if kinds else "only" not in head


@pytest.mark.parametrize(
    ("what", "first"),
    [("request", "request.prompt"), ("budget", "budget.max_usd"), ("duration_sec", "request.duration_seconds"),
     ("config", "replica"), ("tracking", "tracking.tracking_uri")],
)  # fmt: skip
def test_a_group_or_a_part_of_a_name_chooses_keys(told, what, first):
    found = [line for line in told("keys", what).splitlines() if not line.startswith(" ")]
    assert found[0].startswith(f"{first}=")
    assert len(found) < 60


def test_a_word_that_no_key_has_is_refused_with_the_nearest_key(capsys):
    assert run(["keys", "durations_second"]) == 2
    assert "python -m runner keys duration_seconds" in capsys.readouterr().err


@pytest.mark.parametrize("group", ["provider", "model", "request", "tracking", "experiment", "hydra", None])
def test_a_schema_is_printed(told, group):
    found = json.loads(told("schema", *([group] if group else [])))
    Draft7Validator.check_schema(found)
    assert found["title"] == f"runner: {group or 'config'}"


def test_a_schema_of_nothing_is_refused(capsys):
    assert run(["schema", "modell"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_schema_explains_keys_as_conf_does(told):
    described = json.loads(told("schema", "request"))["$defs"]["VideoRequest"]["properties"]
    assert described["duration_seconds"]["description"].startswith("Seconds; null")
