"""What a judge costs is said before, kept to a budget, and reckoned after."""

from __future__ import annotations

import json

import pytest

from runner.config import shipped
from runner.errors import BudgetError, ConfigError


def test_the_price_is_said_before_and_a_dry_run_sends_and_writes_nothing(out, score, emulator, capsys):
    assert score("dry_run=true") == 0

    assert "4 questions to gpt-5.4-mini: 4 to ask, 0 asked before; at most $0.08" in capsys.readouterr().err
    assert emulator.ledger()["chats"] == 0
    assert not (out / "judge").exists()
    assert not (out / "scores.jsonl").exists()


def test_the_cost_is_reckoned_from_the_tokens_that_the_server_reports(judge, votes, emulator):
    assert judge() == 0

    told = emulator.ledger()["chat_usd"]
    assert sum(vote["usd"] for vote in votes()) == pytest.approx(told, abs=1e-6)
    assert sum(vote["attempts"][0]["usd"] for vote in votes()) == pytest.approx(told, abs=1e-6)
    assert all(0 < vote["usd"] < vote["estimated_usd"] for vote in votes())


def test_a_budget_that_would_be_passed_refuses_everything(out, judge, emulator):
    with pytest.raises(BudgetError, match=r"above budget\.max_usd=0\.01; nothing was sent") as refused:
        judge(budget={"max_usd": 0.01})

    assert "budget.max_usd=0.09 is enough" in refused.value.hint
    assert emulator.ledger()["chats"] == 0
    assert not (out / "judge").exists()


def test_a_request_that_is_dearer_than_one_may_be_is_refused(judge, emulator):
    with pytest.raises(BudgetError, match=r"above budget\.max_usd_per_run=0\.01; nothing was sent"):
        judge(budget={"max_usd_per_run": 0.01})
    assert emulator.ledger()["chats"] == 0


def test_what_was_spent_before_counts_against_the_budget(judge, votes, emulator):
    assert judge() == 0
    spent = sum(vote["usd"] for vote in votes())

    with pytest.raises(BudgetError, match="on top of"):
        judge(votes=2, budget={"max_usd": 0.083 + spent / 2})
    assert judge(votes=2, budget={"max_usd": 0.083 + spent}) == 0
    assert emulator.ledger()["chats"] == 8


def answering(small_server, **usage):
    said = {name: {"reason": "fine", "score": 4} for name in ("prompt", "quality", "anatomy", "beauty", "overall")}
    answer = {"choices": [{"message": {"content": json.dumps(said)}}], "usage": usage}
    small_server.answer = lambda _: (200, answer)
    return small_server


def test_what_costs_more_than_was_estimated_ends_at_the_budget_and_goes_on_with_a_larger_one(
    judge, small_server, capsys
):
    server = answering(small_server, prompt_tokens=100_000, completion_tokens=100)
    alone = {**shipped.option("provider", "openai"), "base_url": server.base_url, "max_concurrent_requests": 1}
    assert judge(provider=alone, budget={"max_usd": 0.10}) == 3

    assert len(server.asked) == 2, "0.08 is spent after the first, and 0.02 more at most for the second"
    assert "budget.max_usd=0.1 is reached" in capsys.readouterr().err
    assert judge(provider=alone, budget={"max_usd": 1}) == 0
    assert len(server.asked) == 4


def test_what_a_host_says_that_an_answer_has_cost_is_its_cost(judge, small_server, votes):
    server = answering(small_server, prompt_tokens=10, completion_tokens=10, cost=0.0125)
    host = {**shipped.option("provider", "openrouter"), "base_url": server.base_url, "api_key_env": "OPENAI_API_KEY"}
    assert judge(provider=host, usd_per_million_tokens={"text_in": 1, "text_out": 1}) == 0
    assert [vote["usd"] for vote in votes()] == [0.0125] * 4


def test_a_large_sum_wants_consent(judge, emulator):
    with pytest.raises(ConfigError, match=r"above budget\.confirm_above_usd=0\.05, and there is no terminal"):
        judge(budget={"confirm_above_usd": 0.05})
    assert emulator.ledger()["chats"] == 0


def test_a_model_of_unknown_price_is_refused_until_it_is_given(judge, emulator):
    with pytest.raises(ConfigError, match="no source gives the price of mystery-vision") as refused:
        judge(model="mystery-vision")
    assert "judge.usd_per_million_tokens=" in refused.value.hint
    assert emulator.ledger()["chats"] == 0

    assert judge(model="mystery-vision", usd_per_million_tokens={"text_in": 1, "text_out": 2}) == 0
    assert judge(model="other", budget={"assume_usd_per_run": 0}) == 0
    assert emulator.ledger()["chats"] == 8


def test_a_server_of_ones_own_has_no_price_of_the_maker_s(judge, make_emulator, tmp_path):
    server = make_emulator(dialect="vllm_omni", state_file=tmp_path / "own.sqlite3")
    own = {**shipped.option("provider", "vllm_omni"), "base_url": server.base_url}
    with pytest.raises(ConfigError, match="at compatible; nothing was sent"):
        judge(provider=own)

    assert judge(provider=own, budget={"assume_usd_per_run": 0}) == 0
    assert server.ledger()["chats"] == 4
