"""A create whose answer was lost behind a LiteLLM gateway, from the command line to the file."""

from __future__ import annotations

import pytest

from runner.artifacts.result_file import read_result
from runner.providers.job import backend_id

from .resumable import again, created, states

LOST = {"match": {"operation": "create"}, "nth": 2, "fault": "drop_after_commit"}
BACKEND = "provider.custom_llm_provider=hosted_vllm"


@pytest.fixture
def left(sweep, here, make_emulator, monkeypatch):
    """A sweep of two equal runs behind a gateway, of which one lost its answer; the server and the exit code."""
    monkeypatch.setenv("LITELLM_API_KEY", "sk-virtual-key-0123456789")

    def build(*overrides: str, fault: str = "drop_after_commit"):
        server = make_emulator(dialect="litellm", rules=[{**LOST, "fault": fault}])
        gateway = ("provider=litellm", "provider.max_concurrent_requests=1", "request.size=128x96",
                   "model=wan2.2-t2v")  # fmt: skip
        return server, sweep("replica=0,1", *gateway, *overrides, server=server)

    return build


def test_the_job_is_found_by_its_backend_and_nothing_is_paid_twice(left, here):
    server, code = left(BACKEND)
    assert code == 0
    assert states(here / "out") == ["verified"] * 2
    assert created(server) == 2
    ids = [read_result(here / "out" / str(number)).job_id for number in (0, 1)]
    assert {backend_id(job_id) for job_id in ids} == {backend_id(job["id"]) for job in server.ledger()["created"]}


def test_without_a_backend_it_stays_uncertain_says_what_to_type_and_resume_finds_it(left, here, capsys):
    server, code = left()
    assert code == 4
    assert "provider.custom_llm_provider=NAME" in " ".join(capsys.readouterr().out.split())
    assert again() == 4
    assert again(BACKEND) == 0
    assert states(here / "out") == ["verified"] * 2
    assert created(server) == 2


def test_a_request_that_never_arrived_takes_no_other_run_s_job(left, here, capsys):
    server, code = left(BACKEND, fault="drop_before_commit")
    assert code == 4
    assert sorted(states(here / "out")) == ["uncertain", "verified"]
    assert "no job matches among 1 listed, 1 of other runs" in " ".join(capsys.readouterr().out.split())
    number = states(here / "out").index("uncertain")
    other = read_result(here / "out" / str(1 - number)).job_id
    listed = server.ledger()["created"][0]["id"]
    assert backend_id(other) == backend_id(listed)
    assert again("--adopt", f"{number}={other}") == 2
    assert created(server) == 1
