"""What xAI tells of batches, in whatever shape, and what its results become."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from runner.errors import ServerError, UncertainError
from runner.providers import xai_batch
from runner.providers.batch import BatchStatus
from runner.providers.xai_batch import read_batch

BATCH = {
    "batch_id": "batch_1",
    "name": "runner-1",
    "input_file_id": "file-1",
    "create_time": "2026-12-01",
    "expire_time": "2035-01-01",
    "state": {"num_requests": 3, "num_pending": 1, "num_success": 1, "num_error": 1, "num_cancelled": 0},
}
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(64)


def state(**counts: int) -> dict:
    return {**BATCH["state"], **{f"num_{name}": count for name, count in counts.items()}}


def test_a_batch_is_read():
    batch = read_batch(BATCH)
    assert batch is not None
    assert (batch.id, batch.mark, batch.input_file_id, batch.output_file_id) == (
        "batch_1", "runner-1", "file-1", "2")  # fmt: skip
    assert (batch.total, batch.completed, batch.failed, batch.status) == (3, 1, 1, BatchStatus.IN_PROGRESS)
    assert batch.created_at == 1_796_083_200
    assert read_batch({**BATCH, "name": "the nightly one"}).mark is None


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"state": {}}, BatchStatus.VALIDATING),
        ({"state": None}, BatchStatus.VALIDATING),
        ({"state": state(pending=0)}, BatchStatus.COMPLETED),
        ({"cancel_time": "2026-12-01"}, BatchStatus.CANCELLING),
        ({"cancel_time": "2026-12-01", "state": state(pending=0)}, BatchStatus.CANCELLED),
        ({"cancel_time": "2026-12-01", "cancel_by_xai_message": "line 3", "state": {}}, BatchStatus.FAILED),
        ({"cancel_time": "2026-12-01", "cancel_by_xai_message": "late", "state": state(pending=0)},
         BatchStatus.CANCELLED),
        ({"expire_time": "2026-11-01"}, BatchStatus.EXPIRED),
        ({"expire_time": "2026-11-01", "state": state(pending=0)}, BatchStatus.COMPLETED),
    ],
)  # fmt: skip
def test_counts_and_times_say_how_far_it_is(told, status):
    assert read_batch({**BATCH, **told}, now=1_796_083_200).status is status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, BatchStatus.IN_PROGRESS),
        ({"date": "?"}, BatchStatus.IN_PROGRESS),
        ({"date": "Wed, 02 Nov 2016 23:00:00 GMT"}, BatchStatus.IN_PROGRESS),
        ({"date": "Thu, 03 Nov 2016 01:00:00 GMT"}, BatchStatus.EXPIRED),
    ],
)
async def test_its_time_is_over_by_the_server_s_clock_alone(api, wire, headers, status):
    _, batches = api
    wire.replies(200, json={**BATCH, "expire_time": "2016-11-02"}, headers=headers)
    assert (await batches.retrieve("batch_1")).status is status
    assert (await batches.cancel("batch_1")).status is status


def test_numbers_come_as_text_too():
    assert read_batch({**BATCH, "state": {"num_requests": "3", "num_success": "3"}}).completed == 3


@pytest.mark.parametrize("none", [None, [], "batch_1", {}, {"batch_id": 7}, {"batch_id": "\n"}])
def test_what_names_no_batch_is_none(none):
    assert read_batch(none) is None
    assert read_batch(BATCH, "batch_2") is None


@pytest.fixture
def api(loaded, connect):
    config = loaded("provider=xai", "provider.batches=true", "model=grok-imagine-image-2.0", "request=image",
                    "request.quality=low", "batch=true")  # fmt: skip
    return config, connect(config, {"XAI_API_KEY": "xai-canary"}).batches()


async def lines(api, told: int = 1) -> list[dict]:
    async with api.content("batch_1", str(told)) as (start, source):
        content = b"".join([chunk async for chunk in source.chunks()])
    assert (start, source.length) == (0, None)
    return [json.loads(line) for line in content.splitlines()]


def result(name: str, **told: object) -> dict:
    return {"batch_request_id": name, "batch_result": told}


async def test_a_line_is_the_request_that_would_be_sent_alone(api):
    config, batches = api
    line = json.loads(batches.line("runner-1.0", config))
    assert (line["custom_id"], line["method"], line["url"]) == ("runner-1.0", "POST", "/v1/images/generations")
    assert line["body"]["model"] == "grok-imagine-image-2.0"
    assert line["body"]["response_format"] == "b64_json"


async def test_it_is_created_by_name(api, wire):
    _, batches = api
    wire.replies(200, json=BATCH)
    made = await batches.create("file-1", "/v1/images/generations", "runner-1", "grok")
    assert (made.id, made.mark) == ("batch_1", "runner-1")
    assert json.loads(wire.sent.content) == {"name": "runner-1", "input_file_id": "file-1"}


async def test_an_answer_without_its_id_is_uncertain(api, wire):
    _, batches = api
    wire.replies(200, json={"name": "runner-1"})
    with pytest.raises(UncertainError):
        await batches.create("file-1", "/v1/images/generations", "runner-1", "grok")


async def test_results_become_lines_page_by_page(api, wire):
    _, batches = api
    data = {"data": [{"b64_json": "data:image/jpeg;base64,aGk="}], "usage": {"cost_in_usd_ticks": 400_000_000}}
    pages = {
        None: {"results": [result("a", response={"image_generation": data}),
                           result("b", error={"code": 3, "message": "no"})], "pagination_token": "2"},
        "2": {"results": [result("c", response={"image_generation": "?"}, error={}), {"odd": 1}]},
    }  # fmt: skip
    wire.answer = lambda request: httpx2.Response(200, json=pages[request.url.params.get("pagination_token")])
    first, refused, odd, stray = await lines(batches)
    assert first["response"]["body"]["data"] == [{"b64_json": "aGk="}]
    assert (refused["custom_id"], refused["error"]["message"]) == ("b", "no")
    assert (odd["custom_id"], odd["error"]) == ("c", None)
    assert stray == {"odd": 1}


async def test_pages_of_results_that_lead_round_in_a_circle_are_read_once(api, wire):
    _, batches = api
    following = {None: "1", "1": "2", "2": "1"}

    def answer(request):
        token = request.url.params.get("pagination_token")
        page = [result(f"line-{token}", error={"code": 3, "message": "no"})]
        return httpx2.Response(200, json={"results": page, "pagination_token": following[token]})

    wire.answer = answer
    assert [line["custom_id"] for line in await lines(batches)] == ["line-None", "line-1", "line-2"]


async def test_an_image_that_lies_at_an_address_is_fetched_at_once_without_the_key(api, wire):
    _, batches = api

    def answer(request):
        if request.url.host == "api.x.ai":
            image = {"url": "https://imgen.x.ai/1.png?sig=secret"}
            return httpx2.Response(200, json={"results": [result("a", response={"image": {"data": [image]}})]})
        assert "authorization" not in request.headers
        return httpx2.Response(200, content=PICTURE)

    wire.answer = answer
    (line,) = await lines(batches)
    assert line["response"]["body"]["data"] == [{"b64_json": base64.b64encode(PICTURE).decode()}]


def at_addresses(wire, *names: str, status: int = 200) -> list[str]:
    """Give a result for each name whose image lies at an address; which addresses are asked for."""
    asked: list[str] = []
    images = {name: {"data": [{"url": f"https://imgen.x.ai/{name}.png?sig=secret"}]} for name in names}
    page = {"results": [result(name, response={"image": image}) for name, image in images.items()]}

    def answer(request):
        if request.url.host == "api.x.ai":
            return httpx2.Response(200, json=page)
        asked.append(request.url.path)
        return httpx2.Response(status if request.url.path == "/a.png" else 200, content=PICTURE)

    wire.answer = answer
    return asked


@pytest.mark.parametrize("status", [403, 404, 503])
async def test_a_line_whose_image_does_not_open_says_so_and_holds_up_no_other(api, wire, status):
    _, batches = api
    at_addresses(wire, "a", "b", status=status)
    dead, fine = await lines(batches, told=2)
    assert dead.keys() == {"custom_id", "runner_unfetched"}
    assert str(status) in dead["runner_unfetched"]
    assert "secret" not in str(dead)
    assert fine["response"]["body"]["data"] == [{"b64_json": base64.b64encode(PICTURE).decode()}]


async def test_an_image_that_is_too_large_holds_up_no_other(api, wire, monkeypatch):
    _, batches = api
    monkeypatch.setattr(xai_batch, "_MOST_BYTES", 9)
    at_addresses(wire, "a")
    (dead,) = await lines(batches)
    assert "more than 9 bytes" in dead["runner_unfetched"]


async def test_an_image_that_never_comes_holds_up_no_other(api, wire, monkeypatch):
    @asynccontextmanager
    async def never(address: str) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    _, batches = api
    monkeypatch.setattr(batches, "_fetch", never)
    monkeypatch.setattr(xai_batch, "_LINE_SECONDS", 0)
    at_addresses(wire, "a", "b")
    dead = await lines(batches, told=2)
    assert [line["runner_unfetched"] for line in dead] == ["it did not come within 0 s"] * 2
    assert not batches.paced, "nor may a line without its image count as a download that is too slow"


async def test_addresses_that_do_not_answer_are_not_all_waited_for(api, wire, monkeypatch):
    _, batches = api
    monkeypatch.setattr(xai_batch, "_PATIENCE", 1e-9)
    asked = at_addresses(wire, "a", "b", "c", status=503)
    assert [line["custom_id"] for line in await lines(batches, told=3) if "runner_unfetched" in line] == ["a", "b", "c"]
    assert asked == ["/a.png"]


async def test_lines_that_are_not_wanted_are_left_out_with_their_images(api, wire):
    _, batches = api
    asked = at_addresses(wire, "a", "b")
    async with batches.content("batch_1", "2", wanted=lambda name: name == "b") as (_, source):
        (line,) = [json.loads(chunk) async for chunk in source.chunks()]
    assert (line["custom_id"], asked) == ("b", ["/b.png"])


async def test_results_that_lag_behind_the_counts_are_asked_for_again_but_not_for_ever(api, wire):
    _, batches = api
    wire.replies(200, json={"results": [result("a", error={"code": 3, "message": "no"})]})
    for _ in range(2):
        with pytest.raises(ServerError, match="1 results of 2"):
            await lines(batches, told=2)
    assert len(await lines(batches, told=2)) == 1


async def test_a_list_has_a_token_for_its_next_page(api, wire):
    _, batches = api
    wire.replies(200, json={"batches": [BATCH], "pagination_token": "x"})
    page = await batches.page()
    assert ([batch.id for batch in page.batches], page.last) == (["batch_1"], "x")
    wire.requests.clear()
    wire.replies(200, json={"batches": [], "pagination_token": "x"})
    assert (await batches.page("x")).last is None, "a token that comes again leads nowhere"
    assert wire.sent.url.params["pagination_token"] == "x"


async def test_a_page_that_has_its_own_token_again_may_be_the_same_page(api, wire):
    _, batches = api
    wire.replies(200, json={"batches": [BATCH], "pagination_token": "x"})
    assert (await batches.page("x")).last == "x"
