"""What the server or the network has against a run: one message with the next step, and the right code."""

from __future__ import annotations

import pytest

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2NvZ25pdGl2ZSJ9.c2lnbmF0dXJlLXBhcnQ"
IMAGE = ("provider=openai", "model=gpt-image-2", "request=square_image")
VIDEO = ("provider=openai", "provider.retired_models=off", "provider.poll_interval=0.05", "request=draft")


def expect(done, code, *fragments):
    assert done.code == code, done.err + done.out
    assert "Traceback" not in done.err
    for fragment in fragments:
        assert fragment in done.err + done.out


def test_a_wrong_key_names_its_variable_and_never_its_value(cli, make_emulator, canary):
    server = make_emulator(api_key="the-right-one")
    done = cli(*IMAGE, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=canary)
    expect(done, 1, "OPENAI_API_KEY")
    assert canary not in done.err + done.out
    assert done.results()[0]["error"]["type"] == "AuthenticationError"


def test_a_wrong_key_stops_the_sweep_by_itself_and_says_so_once(cli, make_emulator, canary):
    server = make_emulator(api_key="the-right-one")
    done = cli("-m", *IMAGE, "provider.max_concurrent_jobs=1", "replica=range(6)",
               OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=canary)  # fmt: skip
    expect(done, 1)
    assert sum(server.ledger()["requests"].values()) == 1
    assert done.err.count("nothing more is submitted") == 1
    assert sorted(result["status"] for result in done.results()) == ["failed", *["planned"] * 5]


def test_a_wrong_deployment_says_how_to_name_the_right_one(cli, make_emulator, canary):
    server = make_emulator(deployments=("my-sora",))
    done = cli("provider=azure_openai", AZURE_OPENAI_ENDPOINT=server.azure_url, AZURE_OPENAI_API_KEY=canary)
    expect(done, 1, "model.deployment=")


def test_a_token_in_the_keys_variable_is_sent_as_a_token(cli, make_emulator):
    server = make_emulator()
    done = cli("provider=azure_openai", "provider.poll_interval=0.05", "request=draft",
               AZURE_OPENAI_ENDPOINT=server.azure_url, AZURE_OPENAI_API_KEY=JWT)  # fmt: skip
    expect(done, 0)


def test_a_filtered_prompt_fails_its_run_and_no_other(cli, make_emulator, canary):
    rule = {"match": {"operation": "create"}, "nth": 2, "fault": "content_filter"}
    server = make_emulator(rules=[rule])
    done = cli("-m", *VIDEO, "replica=0,1,2", OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=canary)
    expect(done, 1, "2 done", "1 failed")
    (failed,) = [result for result in done.results() if result["status"] == "failed"]
    assert (failed["error"]["type"], failed["error"]["retryable"]) == ("ContentModerationError", False)


def test_an_unreachable_host_is_said_to_have_received_nothing(cli, canary, unused_port):
    base_url = f"http://127.0.0.1:{unused_port}/v1"
    done = cli(*IMAGE, OPENAI_BASE_URL=base_url, OPENAI_API_KEY=canary)
    expect(done, 1, str(unused_port))
    assert done.results()[0]["error"]["type"] == "HTTPConnectionError"


@pytest.mark.parametrize(("status", "code", "kind"), [(200, 4, "UncertainError"), (404, 1, "UnexpectedAnswerError")])
def test_a_web_page_instead_of_an_answer_is_recognised(cli, make_emulator, canary, status, code, kind):
    rule = {"match": {"operation": "image"}, "every": 1, "fault": "html", "status": status}
    server = make_emulator(rules=[rule])
    done = cli("-m", *IMAGE, "provider.max_concurrent_jobs=1", "replica=0,1,2",
               OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=canary)  # fmt: skip
    expect(done, code, "is provider.base_url right?" if status == 404 else "may have been carried out")
    assert {result["error"]["type"] for result in done.results() if result["error"]} == {kind}
    assert sum(server.ledger()["requests"].values()) == 1, "the first page stops the others"


@pytest.mark.parametrize(
    ("fault", "code", "state", "status", "jobs"),
    [("drop_after_commit", 0, "done", "verified", 1), ("drop_before_commit", 4, "uncertain", "uncertain", 0)],
)
def test_a_lost_answer_is_found_or_uncertain_and_never_sent_again(
    cli, make_emulator, canary, fault, code, state, status, jobs
):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 1, "fault": fault}])
    done = cli(*VIDEO, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=canary)
    expect(done, code, state)
    assert server.ledger()["jobs"] == jobs
    assert done.results()[0]["status"] == status
    assert ("--resubmit-uncertain" in done.out) == (status == "uncertain")


def test_a_job_that_takes_too_long_is_parked_with_its_id(cli, make_emulator, canary):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "every": 1, "fault": "stuck"}])
    done = cli(*VIDEO, "provider.max_poll_attempts=3", OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=canary)
    (result,) = done.results()
    expect(done, 4, result["job_id"])
    assert (result["status"], result["error"]["type"]) == ("submitted", "JobTimeoutError")


def test_fail_fast_stops_submitting(cli, make_emulator, canary):
    rule = {"match": {"operation": "create"}, "nth": 1, "fault": "content_filter"}
    server = make_emulator(rules=[rule])
    done = cli("-m", *VIDEO, "fail_fast=true", "provider.max_concurrent_jobs=1", "replica=0,1,2",
               OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=canary)  # fmt: skip
    expect(done, 1)
    assert server.ledger()["jobs"] == 0
