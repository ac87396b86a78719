"""Whole runs at gateways and hosts beyond OpenRouter, which the emulator stands in for: costs, and lost answers."""

from __future__ import annotations

import pytest

USUAL = ("model=sora-2", "request.duration_seconds=4", "request.size=720x1280", "provider.retired_models=off",
         "provider.poll_interval=0.02", "yes=true")  # fmt: skip
LOST = [{"fault": "drop_after_commit", "match": {"operation": "create"}}]


@pytest.fixture
def at(cli, canary):
    """Run a command line against a server that is reached as this provider's."""

    def call(provider, server, *arguments):
        name = provider.upper()
        variables = {f"{name}_BASE_URL": server.base_url, f"{name}_API_KEY": canary}
        return cli(f"provider={provider}", *USUAL, *arguments, **variables)

    return call


def test_a_gateway_s_cost_of_a_video_is_told_at_its_creation_and_kept_to_its_end(at, make_emulator):
    done = at("litellm", make_emulator(dialect="litellm"), "model.usd_per_second.default=9")
    assert done.code == 0, done.err
    (result,) = done.results()
    assert result["cost"] == {"estimated_usd": 36.0, "estimated_from": "list", "actual_usd": 0.4}


def test_a_host_s_cost_is_told_where_the_video_has_ended(at, make_emulator):
    done = at("edenai", make_emulator(dialect="edenai"))
    assert done.code == 0, done.err
    (result,) = done.results()
    assert result["cost"] == {"estimated_usd": None, "estimated_from": None, "actual_usd": 0.4}


def test_what_a_gateway_s_video_costs_is_unknown(at, make_emulator):
    done = at("new_api", make_emulator(dialect="new_api"))
    assert done.code == 0, done.err
    assert done.results()[0]["cost"]["actual_usd"] is None


@pytest.mark.parametrize("provider", ["litellm", "new_api", "together"])
def test_an_answer_that_is_lost_is_uncertain_and_never_paid_again(at, make_emulator, provider):
    server = make_emulator(dialect=provider, rules=LOST)
    done = at(provider, server)
    assert done.code == 4, done.err
    (result,) = done.results()
    assert (result["status"], server.ledger()["requests"]["POST /v1/videos"]) == ("uncertain", 1)
