"""The words for how far a run is: the same in records' terms, on the page, and in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.artifacts.run_status import RunStatus
from runner.results.state import RunState, state_of

DOCS = Path(__file__).parents[2] / "docs" / "results-and-page.md"


@pytest.mark.parametrize(
    ("status", "idle", "busy"),
    [
        ("verified", "done", "done"),
        ("failed", "failed", "failed"),
        ("expired", "failed", "failed"),
        ("planned", "queued", "queued"),
        ("submitting", "uncertain", "generating"),
        ("submitted", "generating", "generating"),
        ("completed", "downloading", "downloading"),
        ("downloaded", "downloading", "downloading"),
        ("uncertain", "uncertain", "uncertain"),
    ],
)
def test_a_state_is_one_of_six_words(status, idle, busy):
    assert (state_of(RunStatus(status), busy=False), state_of(RunStatus(status), busy=True)) == (idle, busy)


@pytest.mark.parametrize("state", RunState)
def test_the_documentation_has_each_state_as_the_page_shows_it(state):
    statuses = [f"`{status}`" for status in RunStatus if state_of(status, busy=True) is state]
    (row,) = (line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {state} |"))
    _, _, sign, meaning, told, _ = (cell.strip() for cell in row.split("|"))
    assert (sign, meaning) == (state.sign, state.meaning)
    assert [part.strip() for part in told.partition(";")[0].split(",")] == statuses
