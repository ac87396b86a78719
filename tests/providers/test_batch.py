"""What servers tell of batches and lines, in whatever shape."""

from __future__ import annotations

import pytest

from runner.errors import RunnerError
from runner.providers.batch import BatchStatus, InputProblem, read_batch, read_line

BATCH = {
    "id": "batch_1",
    "object": "batch",
    "status": "in_progress",
    "created_at": 1_800_000_000,
    "metadata": {"runner": "runner-1"},
    "input_file_id": "file-1",
    "output_file_id": None,
    "request_counts": {"total": 3, "completed": 1, "failed": 1},
}


def test_a_batch_is_read():
    batch = read_batch(BATCH)
    assert batch is not None
    assert (batch.id, batch.status, batch.mark, batch.input_file_id) == (
        "batch_1",
        BatchStatus.IN_PROGRESS,
        "runner-1",
        "file-1",
    )
    assert (batch.total, batch.completed, batch.failed, batch.output_file_id) == (3, 1, 1, None)


@pytest.mark.parametrize(
    ("word", "status", "ended"),
    [
        ("Completed", BatchStatus.COMPLETED, True),
        ("canceled", BatchStatus.CANCELLED, True),
        ("cancelling", BatchStatus.CANCELLING, False),
        ("finalizing", BatchStatus.FINALIZING, False),
        ("finished", BatchStatus.COMPLETED, True),
        ("Done", BatchStatus.COMPLETED, True),
        ("queued", BatchStatus.IN_PROGRESS, False),
        ("aborted", BatchStatus.CANCELLED, True),
        ("thinking hard", BatchStatus.UNKNOWN, False),
        (None, BatchStatus.UNKNOWN, False),
    ],
)
def test_words_are_read_leniently(word, status, ended):
    batch = read_batch({**BATCH, "status": word})
    assert batch is not None
    assert (batch.status, batch.status.ended) == (status, ended)


@pytest.mark.parametrize(
    "odd", [{"request_counts": None}, {"request_counts": {"total": "many"}}, {"metadata": []}, {"errors": "no"}]
)
def test_what_is_missing_or_odd_counts_as_nothing(odd):
    batch = read_batch({**BATCH, **odd})
    assert batch is not None
    assert batch.problems == ()


@pytest.mark.parametrize("none", [None, [], "batch_1", {}, {"id": 7}, {"id": "\n"}])
def test_what_names_no_batch_is_none(none):
    assert read_batch(none) is None


def test_another_batch_than_was_asked_for_is_none():
    assert read_batch(BATCH, "batch_2") is None


def test_problems_of_an_input_name_their_lines():
    errors = {"data": [{"code": "invalid_json_line", "message": "not JSON", "line": 7}, "too many"]}
    batch = read_batch({**BATCH, "status": "failed", "errors": errors})
    assert batch is not None
    assert batch.problems == (
        InputProblem("invalid_json_line", "not JSON", 7),
        InputProblem(None, "too many", None),
    )


@pytest.mark.parametrize(
    ("raw", "status", "body", "error"),
    [
        ({"response": {"status_code": 200, "body": {"data": []}}, "error": None}, 200, {"data": []}, None),
        ({"response": None, "error": {"code": "batch_expired"}}, None, None, {"code": "batch_expired"}),
        ({"response": {"status_code": 999, "body": 1}}, None, 1, None),
        ({"response": "text"}, None, "text", None),
        ({}, None, None, None),
    ],
)
def test_a_line_is_read_in_any_shape(raw, status, body, error):
    line = read_line({"custom_id": "a", **raw})
    assert line is not None
    assert (line.custom_id, line.status, line.body, line.error) == ("a", status, body, error)


@pytest.mark.parametrize("raw", [None, [], {"custom_id": None}, {"id": "a"}])
def test_a_line_of_nobody_is_none(raw):
    assert read_line(raw) is None


async def test_a_list_that_says_not_where_it_goes_on_is_not_taken_for_whole(config_of, connect, wire):
    batches = connect(config_of(), {"OPENAI_API_KEY": "sk-canary"}).batches()
    wire.replies(200, json={"data": [BATCH], "has_more": False})
    assert (await batches.page()).last is None
    wire.replies(200, json={"data": [BATCH], "has_more": True})
    assert (await batches.page()).last == "batch_1"
    wire.replies(200, json={"data": [{"id": None}], "has_more": True})
    with pytest.raises(RunnerError, match="without what was asked"):
        await batches.page()
