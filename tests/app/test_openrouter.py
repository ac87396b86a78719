"""Whole runs at OpenRouter, which the emulator stands in for: paid once, lost, refused; no secret on disk."""

from __future__ import annotations

import pytest

HOST = ("provider=openrouter", "model=veo-3.1", "request.duration_seconds=4", "request.size=128x96", "model.sizes=null",
        "provider.poll_interval=0.02", "yes=true")  # fmt: skip


@pytest.fixture
def at(cli, canary):
    """Run a command line against a server that is reached as OpenRouter."""

    def call(server, *arguments):
        return cli(*arguments, OPENROUTER_BASE_URL=server.base_url, OPENROUTER_API_KEY=canary)

    return call


def test_a_video_costs_what_the_host_says_and_its_signed_address_is_nowhere(at, make_emulator, canary, tmp_path):
    server = make_emulator(dialect="openrouter")
    done = at(server, *HOST)
    assert done.code == 0, done.err
    (result,) = done.results()
    assert result["cost"] == {"estimated_usd": None, "estimated_from": None, "actual_usd": 1.6}
    assert result["raw_response"]["unsigned_urls"]
    assert [name for name in server.ledger()["requests"] if "media" in name] == []
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"signature=" not in kept
    assert canary.encode() not in kept


def test_without_a_key_the_emulator_stands_in(quick):
    done = quick("provider.dialect=openrouter", "model=veo-3.1", "request.duration_seconds=4", "request.size=128x96",
                 "model.sizes=null", "request.generate_audio=false")  # fmt: skip
    assert done.code == 0, done.err
    assert "emulated, free (would cost $0.80" in done.out
    assert "h264+aac" not in done.out


def test_an_answer_that_is_lost_is_uncertain_and_never_paid_again(at, make_emulator):
    server = make_emulator(
        dialect="openrouter", rules=[{"fault": "drop_after_commit", "match": {"operation": "create"}}]
    )
    done = at(server, *HOST)
    assert done.code == 4, done.err
    assert "has no list of jobs" in done.err + done.out
    (result,) = done.results()
    assert (result["status"], server.ledger()["jobs"]) == ("uncertain", 1)
    again = at(server, "resume", str(next(done.cwd.glob("outputs/*/*"))))
    assert again.code == 4
    assert server.ledger()["jobs"] == 1


def test_an_account_without_credits_ends_the_sweep_after_one_request(at, make_emulator):
    rule = {"fault": "status", "status": 402, "match": {"operation": "create"}}
    server = make_emulator(dialect="openrouter", rules=[rule])
    done = at(server, "-m", *HOST, "replica=range(5)", "provider.max_concurrent_jobs=1")
    assert done.code == 1
    assert server.ledger()["requests"] == {"POST /v1/videos": 1}
    assert done.err.count("nothing more is submitted") == 1, done.err
    assert "the account's quota at" in done.err
    assert sorted(result["status"] for result in done.results()) == ["failed", *["planned"] * 4]


def test_images_are_made_and_edited(at, make_emulator, tmp_path):
    server = make_emulator(dialect="openrouter")
    usual = ("provider=openrouter", "model=qwen-image-3", "request=image", "request.size=128x96")
    assert at(server, *usual).code == 0
    made = next(tmp_path.glob("outputs/*/*/image-0.png"))
    done = at(server, *usual, f"request.image_list=[{made}]")
    assert done.code == 0, done.err
    assert [each["operation"] for each in server.ledger()["image_requests"]] == ["image_generate", "image_edit"]
    assert {result["cost"]["actual_usd"] for result in done.results()} == {0.03}
