"""Sweeps whose images go out in xAI's batches, which have no word for their state and results in pages."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.app import run
from runner.emulator.routes import xai_batches
from runner.ledger.ledger import Ledger, batches_of

from .batches import PROMPTS, bound, left, once, paid, requests, results, statuses

XAI = ("provider=xai", "provider.batches=true", "model=grok-imagine-image-2.0", "request.resolution=1K",
       "request.size=null")  # fmt: skip


@pytest.fixture
def typed_at(command, monkeypatch) -> Callable[..., int]:
    """Type a sweep of images into `out`, as batches, at a server that is reached as xAI; the exit code."""
    monkeypatch.setenv("XAI_API_KEY", "xai-emulated-key")

    def call(server, *overrides: str) -> int:
        given = {override.partition("=")[0] for override in overrides}
        return command(server, *(each for each in XAI if each.partition("=")[0] not in given), *overrides)

    return call


@pytest.fixture
def make_xai(make_emulator):
    return lambda *rules, **settings: make_emulator(dialect="xai", rules=rules, **settings)


def test_a_sweep_goes_out_in_one_batch_and_costs_what_xai_tells(typed_at, make_xai):
    server = make_xai()
    assert typed_at(server, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    assert paid(server) == dict.fromkeys(("a fox", "a whale", "a heron", "an owl"), 1)
    assert requests(server, "POST /v1/batches") == requests(server, "POST /v1/files") == 1
    for result in results():
        assert result["cost"] == {"estimated_usd": None, "estimated_from": None, "actual_usd": 0.04}
        assert result["attempts"][0]["batch"].startswith("runner-")
    assert left() == []
    with Ledger(Path("out"), readonly=True) as ledger:
        (batch,) = batches_of(ledger)
    assert (batch.ended, batch.completed, batch.status) == (True, 4, "completed")


def test_more_results_than_one_page_holds(typed_at, make_xai):
    server = make_xai()
    assert typed_at(server, "replica=range(19)") == 0
    assert statuses() == {"verified": 19}
    assert requests(server, "GET /v1/batches/{batch_id}/results") == 3


def test_edits_have_batches_of_their_own(typed_at, make_xai, make_picture_here):
    server = make_xai()
    assert typed_at(server, "request.prompt=a fox,a whale", f"request.image_list=[{make_picture_here}]") == 0
    assert {each["operation"] for each in server.ledger()["image_requests"]} == {"image_edit"}


@pytest.fixture
def make_picture_here(here) -> str:
    from PIL import Image

    Image.new("RGB", (64, 48)).save(here / "photo.png")
    return "photo.png"


@pytest.mark.parametrize(
    "fault",
    [{"fault": "drop_after_commit"}, {"fault": "status", "status": 502, "commit": True}],
    ids=["dropped", "502"],
)
def test_a_batch_whose_answer_was_lost_is_found_by_its_name(typed_at, make_xai, fault):
    server = make_xai({"match": {"operation": "batch_create"}, "times": 1, **fault})
    assert typed_at(server, PROMPTS) == 0
    assert (statuses(), server.ledger()["batches"]) == ({"verified": 4}, 1)
    assert max(paid(server).values()) == 1


def test_a_batch_that_cannot_be_looked_for_is_found_by_resume(typed_at, make_xai):
    rules = [once("drop_after_commit", "batch_create"), {**once("status", "batch_list", status=500), "times": 5}]
    server = make_xai(*rules)
    assert typed_at(server, PROMPTS) == 4
    assert statuses() == {"uncertain": 4}
    assert run(["resume", "out"]) == 0
    assert (statuses(), server.ledger()["batches"]) == ({"verified": 4}, 1)
    assert all(result["attempts"][0]["adopted"] for result in results())


def test_a_batch_that_was_perhaps_not_created_is_never_sent_again_by_itself(typed_at, make_xai):
    server = make_xai(once("drop_before_commit", "batch_create"))
    assert typed_at(server, PROMPTS) == 4
    assert run(["resume", "out"]) == 4
    assert (statuses(), server.ledger()["batches"]) == ({"uncertain": 4}, 0)


def test_what_is_listed_is_looked_through_page_by_page(typed_at, make_xai, monkeypatch):
    monkeypatch.setattr("runner.providers.xai_batch._LISTED", 1)
    rules = [{**once("drop_after_commit", "batch_create"), "nth": 1, "times": None}]
    server = make_xai(*rules)
    bound(monkeypatch, most_lines=2, most_bytes=10**6)
    assert typed_at(server, PROMPTS) == 0
    assert (statuses(), server.ledger()["batches"]) == ({"verified": 4}, 2)


def test_an_input_that_is_refused_fails_its_runs_for_nothing(typed_at, make_xai):
    server = make_xai(once("invalid_batch", "batch_create"))
    assert typed_at(server, PROMPTS) == 1
    assert statuses() == {"failed": 4}
    assert sum(result["spent_usd"] for result in results()) == 0
    assert "not parseable" in results()[0]["error"]["message"]
    assert run(["resume", "out", "--retry-failed"]) == 0


def test_what_a_batch_has_done_whose_time_is_over_is_kept(typed_at, make_xai):
    server = make_xai(once("expired_batch", "batch_create"))
    assert typed_at(server, PROMPTS) == 1
    assert statuses() == {"verified": 2, "failed": 2}
    failed = [result for result in results() if result["status"] == "failed"]
    assert {result["error"]["code"] for result in failed} == {"batch_expired"}
    assert run(["resume", "out", "--retry-failed"]) == 0
    assert max(paid(server).values()) == 1


def test_lines_that_failed_or_are_odd_or_missing(typed_at, make_xai):
    rules = [
        {"match": {"operation": "batch_line", "prompt": "fox"}, "fault": "moderation"},
        {"match": {"operation": "batch_line", "prompt": "whale"}, "fault": "odd_line"},
        {"match": {"operation": "batch_line", "prompt": "heron"}, "fault": "missing_line"},
    ]
    server = make_xai(*rules)
    assert typed_at(server, PROMPTS) == 1
    assert [result["status"] for result in results()] == ["failed", "uncertain", "uncertain", "verified"]
    assert results()[0]["spent_usd"] == 0
    kept = Path("out") / "1" / results()[1]["attempts"][0]["answer"]
    assert "see the attachment" in kept.read_text()


@pytest.mark.parametrize("fault", ["truncated", "status"])
def test_results_that_break_off_are_asked_for_again(typed_at, make_xai, fault):
    server = make_xai({**once(fault, "file_content"), "times": 3})
    assert typed_at(server, PROMPTS) == 0
    assert max(paid(server).values()) == 1


def test_an_image_whose_address_does_not_open_keeps_no_other_from_being_collected(typed_at, make_xai, monkeypatch):
    told, asked = xai_batches._result, list[str]()

    def at_an_address(line):
        """Name the first image by an address where nothing is."""
        result = copy.deepcopy(told(line))
        if result["batch_request_id"].endswith(".0"):
            asked.append(result["batch_request_id"])
            image = {"url": f"{server.base_url}/nothing.png"}
            result["batch_result"]["response"]["image_generation"]["data"] = [image]
        return result

    monkeypatch.setattr(xai_batches, "_result", at_an_address)
    server = make_xai()
    assert typed_at(server, PROMPTS) == 4
    assert [result["status"] for result in results()][1:] == ["verified"] * 3
    assert "could not be fetched from its address" in results()[0]["error"]["message"]
    assert len(asked) == 4, "an address that is told anew may lead to the image"
    assert run(["resume", "out"]) == 4
    monkeypatch.setattr(xai_batches, "_result", told)
    assert run(["resume", "out"]) == 0
    assert (statuses(), left()) == ({"verified": 4}, [])
    assert paid(server) == dict.fromkeys(("a fox", "a whale", "a heron", "an owl"), 1)


def test_a_batch_is_cancelled_and_what_is_done_is_collected(typed_at, make_xai, capsys):
    server = make_xai(latency=1e9)
    assert typed_at(server, PROMPTS, "provider.deadline_seconds=0.1") == 4
    assert run(["show", "out"]) == 0
    assert "0 of 4 done" in capsys.readouterr().out
    assert run(["cancel", "out"]) == 0
    assert run(["resume", "out"]) == 1
    assert statuses() == {"cancelled": 4}
    assert sum(result["spent_usd"] for result in results()) == 0


def test_it_is_refused_where_it_was_not_asked_for_by_name(typed_at, make_xai, capsys):
    server = make_xai()
    assert typed_at(server, PROMPTS, "provider.batches=false") == 2
    assert "provider.batches=true tries it" in capsys.readouterr().err
    assert server.ledger()["requests"] == {}


def test_a_budget_wants_a_price_for_what_none_is_known(typed_at, make_xai, capsys):
    server = make_xai()
    assert typed_at(server, PROMPTS, "budget.max_usd=1") == 2
    assert typed_at(server, PROMPTS, "budget.max_usd=1", "budget.assume_usd_per_run=0.1", "dry_run=true") == 0
    assert typed_at(server, PROMPTS, "model.batch_discount=0.5", "dry_run=true") == 0
    assert "$0.08" in capsys.readouterr().out


def test_the_doctor_asks_whether_there_are_batches(make_xai, monkeypatch, capsys, here):
    server = make_xai()
    monkeypatch.setenv("XAI_API_KEY", "xai-emulated-key")
    asked = (*XAI, f"provider.base_url={server.base_url}", "request=image", "batch=true")
    run(["doctor", *asked])
    assert "the endpoint has batches" in capsys.readouterr().out


def test_without_a_key_the_emulator_stands_in(here, soon):
    emulated = ("provider.dialect=xai", "provider.latency=0.05", "provider.poll_interval=0.02", "progress=off")
    image = ("model=grok-imagine-image-2.0", "request=image", "request.quality=low", "batch=true")
    assert run(["-m", *emulated, *image, PROMPTS, "hydra.sweep.dir=out"]) == 0
    assert statuses() == {"verified": 4}
