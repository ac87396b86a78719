"""Variables of the environment in a sweep's configs."""

from __future__ import annotations

import pytest

from runner.sweep.interpolation import Environment, interpolates


def test_a_config_without_interpolations_is_itself():
    config = {"seed": 1, "request": {"prompt": "x"}}
    assert Environment().filled(config) is config


def test_a_variable_is_read_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    environment = Environment()
    model = {"name": "sora-2"}
    provider = {"region": "${oc.env:WHERE,none}", "more": ["a", {"deep": "in ${oc.env:WHERE,none}"}], "timeout": 3}
    config = {"provider": provider, "model": model, "note": "${oc.env:WHERE,none}", "list": ["x"]}
    for where in ("west", "west", "east"):
        monkeypatch.setenv("WHERE", where)
        assert environment.filled(config) == {
            "provider": {"region": where, "more": ["a", {"deep": f"in {where}"}], "timeout": 3},
            "model": model,
            "note": where,
            "list": ["x"],
        }
    monkeypatch.delenv("WHERE")
    again = environment.filled(config)
    assert again is not None
    assert again["note"] == "none"
    assert again["model"] is model


def test_a_section_that_configs_share_is_filled_once_for_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WHERE", "west")
    environment, shared = Environment(), {"region": "${oc.env:WHERE}"}
    first, second = (environment.filled({"provider": shared, "seed": seed}) for seed in (1, 2))
    assert first is not None
    assert second is not None
    assert first["provider"] is second["provider"]
    assert (first["seed"], second["seed"]) == (1, 2)


@pytest.mark.parametrize("text", ["${model.name}", "${hydra:job.num}", "${oc.env:${NAME}}", "a \\${oc.env:WHERE}"])
def test_what_reads_anything_else_is_left_to_omegaconf(text):
    config = {"request": {"prompt": text}}
    assert Environment().filled(config) is None
    assert interpolates(config)
