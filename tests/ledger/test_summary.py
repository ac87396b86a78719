"""What a ledger amounts to, read without loading its runs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from runner.artifacts.result import Attempt, ErrorRecord
from runner.artifacts.run_status import RunStatus
from runner.ledger.ledger import Ledger
from runner.ledger.recording import recording
from runner.ledger.summary import resume_command, summary

BEGAN = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


@pytest.fixture
def summed(tmp_path, video, shelve):
    """The summary of a sweep of such runs."""

    def make(*states, config=None, **facts):
        shelve(tmp_path / "sweep", config or video, states, **facts)
        with Ledger(tmp_path / "sweep", readonly=True) as ledger:
            return summary(ledger)

    return make


def paid(*amounts: float | None) -> list[Attempt]:
    return [Attempt(number=number, started_at=BEGAN, usd=usd) for number, usd in enumerate(amounts)]


def error(kind: str, *, retryable: bool = False) -> ErrorRecord:
    return ErrorRecord(type=kind, code=None, message="no", hint=None, retryable=retryable)


def test_states_are_counted_and_attempts_added_up(summed):
    told = summed("planned", "verified", "verified", attempts=paid(0.4, 0, 0.8))
    assert told.states == {RunStatus.PLANNED: 1, RunStatus.VERIFIED: 2}
    assert told.usd == pytest.approx(2.4)
    assert (told.emulated, told.running) == (False, None)


def test_an_unknown_price_makes_an_unknown_sum(summed):
    assert summed("verified", attempts=paid(0.4, None)).usd is None


def test_nothing_begun_costs_nothing(summed):
    assert summed("planned").usd == 0


def test_emulated_runs_are_told_from_paid_ones(summed, loaded):
    assert summed("verified", config=loaded("provider=emulator")).emulated


def test_who_is_at_work_is_named_and_nothing_is_to_be_typed(tmp_path, video, shelve):
    shelve(tmp_path / "sweep", video, ["planned"])
    with recording(tmp_path / "sweep") as ledger:
        told = summary(ledger)
        assert "process" in told.running
        assert told.command is None


@pytest.mark.parametrize("state", ["planned", "submitting", "submitted", "completed", "downloaded"])
def test_what_is_unfinished_is_resumed(summed, tmp_path, state):
    assert summed(state, "uncertain", "failed").command == f"python -m runner resume {tmp_path / 'sweep'}"


def test_what_is_uncertain_needs_consent(summed):
    assert summed("uncertain", "verified", "failed").command.endswith("--resubmit-uncertain")


@pytest.mark.parametrize(
    ("kind", "retryable", "again"),
    [
        ("GenerationFailedError", True, True),
        ("ServerError", True, True),
        ("AuthenticationError", False, True),
        ("QuotaError", False, True),
        ("UnexpectedAnswerError", False, True),
        ("ContentModerationError", False, False),
        ("BadRequestError", False, False),
        ("ExpiredError", False, False),
    ],
)
def test_a_failure_that_may_pass_is_worth_retrying(summed, kind, retryable, again):
    command = summed("failed", "verified", error=error(kind, retryable=retryable)).command
    assert (command is not None and command.endswith("--retry-failed")) == again


def test_a_finished_sweep_needs_no_command(summed):
    assert summed("verified", "verified").command is None


def test_a_directory_with_spaces_can_be_pasted():
    assert (
        resume_command({RunStatus.PLANNED: 1}, Path("my clips"), retryable=False)
        == "python -m runner resume 'my clips'"
    )
