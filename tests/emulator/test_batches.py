"""The emulated Batch API through the SDK, which checks every answer strictly."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Sequence
from typing import Any

import openai
import pytest
from openai import OpenAI

LONG = 10_000.0


def line(number: int, **body: Any) -> dict[str, Any]:
    asked = {"model": "gpt-image-2", "prompt": f"picture {number}", "size": "1024x640", "quality": "low", **body}
    return {"custom_id": f"run-{number}", "method": "POST", "url": "/v1/images/generations", "body": asked}


def uploaded(client: OpenAI, lines: Sequence[object]) -> str:
    content = b"".join(json.dumps(each).encode() + b"\n" for each in lines)
    return client.files.create(file=("input.jsonl", io.BytesIO(content)), purpose="batch").id


def created(client: OpenAI, lines: Sequence[object], **more: Any) -> Any:
    return client.batches.create(
        input_file_id=uploaded(client, lines),
        endpoint=more.pop("endpoint", "/v1/images/generations"),
        completion_window="24h",
        **more,
    )


def ended(client: OpenAI, batch: Any) -> Any:
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.005)
        batch = client.batches.retrieve(batch.id)
    return batch


def told(client: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    assert file_id is not None
    return [json.loads(each) for each in client.files.content(file_id).text.splitlines()]


@pytest.fixture
def slow(make_emulator, clock):
    clock.time = time.time()
    return make_emulator(now=clock, latency=LONG, time_scale=1, retention=LONG * 10)


def test_a_batch_answers_every_line_out_of_order_and_counts_each_once(emulator, client):
    batch = ended(client, created(client, [line(number) for number in range(6)], metadata={"runner": "mark"}))
    assert (batch.metadata, batch.request_counts.completed, batch.error_file_id) == ({"runner": "mark"}, 6, None)
    lines = told(client, batch.output_file_id)
    names = [each["custom_id"] for each in lines]
    assert names != sorted(names)
    assert sorted(names) == [f"run-{number}" for number in range(6)]
    assert all(each["response"]["body"]["data"][0]["b64_json"] for each in lines)
    for _ in range(2):
        client.batches.retrieve(batch.id)
    account = emulator.ledger()
    assert sorted(each["prompt"] for each in account["image_requests"]) == [f"picture {n}" for n in range(6)]
    alone = client.images.generate(model="gpt-image-2", prompt="picture 0", size="1024x640", quality="low")
    assert alone.usage is not None
    first, *_, last = emulator.ledger()["image_requests"]
    assert first["usd"] == pytest.approx(last["usd"] / 2, abs=1e-6)


def test_a_batch_tells_how_far_it_is(slow, connect, clock):
    client = connect(slow.base_url)
    batch = created(client, [line(number) for number in range(4)])
    assert batch.status == "validating"
    found = []
    for share in (0.3, 0.6, 0.9):
        clock.time += LONG * share - sum(step for step, _ in found)
        batch = client.batches.retrieve(batch.id)
        found.append((LONG * share - sum(step for step, _ in found), batch.status))
    assert [status for _, status in found] == ["in_progress", "in_progress", "finalizing"]
    clock.time += LONG
    assert ended(client, batch).status == "completed"


def test_a_cancelled_batch_keeps_what_was_done(slow, connect, clock):
    client = connect(slow.base_url)
    batch = created(client, [line(number) for number in range(4)])
    clock.time += LONG * 0.5
    assert client.batches.cancel(batch.id).status == "cancelling"
    clock.time += LONG
    batch = ended(client, batch)
    assert (batch.status, batch.request_counts.completed) == ("cancelled", 2)
    assert len(told(client, batch.output_file_id)) == len(slow.ledger()["image_requests"]) == 2
    with pytest.raises(openai.BadRequestError):
        client.batches.cancel(batch.id)


def test_an_expired_batch_names_what_was_not_done(make_emulator, connect):
    server = make_emulator(rules=[{"match": {"operation": "batch_create"}, "fault": "expired_batch"}])
    client = connect(server.base_url)
    batch = ended(client, created(client, [line(number) for number in range(4)]))
    assert batch.status == "expired"
    assert len(told(client, batch.output_file_id)) == 2
    assert {each["error"]["code"] for each in told(client, batch.error_file_id)} == {"batch_expired"}


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([line(0), line(0)], "duplicate_custom_id"),
        ([line(0), line(1, model="gpt-image-1.5")], "model_mismatch"),
        ([{**line(0), "url": "/v1/images/edits"}], "url_mismatch"),
        ([line(0), "no object"], "invalid_json_line"),
        ([], "empty_file"),
    ],
)
def test_an_input_that_is_wrong_fails_as_a_whole(emulator, client, lines, code):
    batch = ended(client, created(client, lines))
    assert (batch.status, batch.errors.data[0].code) == ("failed", code)
    assert batch.output_file_id is None
    assert emulator.ledger()["image_requests"] == []


def test_a_line_that_is_refused_stands_in_the_error_file(client):
    batch = ended(client, created(client, [line(0), line(1, size="7x7"), line(2, stream=True)]))
    assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 2)
    errors = told(client, batch.error_file_id)
    assert {each["response"]["status_code"] for each in errors} == {400}


def test_batches_are_listed_newest_first_page_by_page(client):
    made = [created(client, [line(0)]).id for _ in range(3)]
    assert [each.id for each in client.batches.list(limit=2)] == made[::-1]
    page = client.batches.list(limit=2)
    assert ([each.id for each in page.data], page.has_more) == (made[:0:-1], True)


def test_files_are_read_from_any_byte_on_and_end(make_emulator, connect, clock):
    clock.time = time.time()
    client = connect(make_emulator(now=clock, retention=100, time_scale=1).base_url)
    name = uploaded(client, [{"a": 1}])
    assert client.files.retrieve(name).bytes == 9
    assert client.files.content(name, extra_headers={"Range": "bytes=2-"}).text == 'a": 1}\n'
    clock.time += 100
    with pytest.raises(openai.NotFoundError):
        client.files.content(name)


def test_files_can_be_deleted(client):
    name = uploaded(client, [{"a": 1}])
    assert client.files.delete(name).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(name)
