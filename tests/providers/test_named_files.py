"""Files that a server names elsewhere than where OpenAI's API has them."""

from __future__ import annotations

import base64

import httpx2
import pytest

from runner.errors import ExpiredError, RateLimitError, RunnerError, ServerError
from runner.providers.base import Job, JobStatus
from runner.providers.file_address import named_files

HOST = "https://files.example"
VIDEO = f"{HOST}/v.mp4"
MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(range(256))


def job(**raw) -> Job:
    return Job("video_1", JobStatus.COMPLETED, "completed", raw={"id": "video_1", "status": "completed", **raw})


@pytest.mark.parametrize(
    "raw",
    [
        {"url": VIDEO},
        {"video_url": VIDEO},
        {"videoUrl": VIDEO},
        {"output": {"url": VIDEO}},
        {"output": VIDEO},
        {"output": [VIDEO]},
        {"metadata": {"url": VIDEO}},
        {"metadata": f'{{"url": "{VIDEO}"}}'},
        {"output": f'["{VIDEO}"]'},
        {"result": {"video_url": VIDEO}},
        {"result": {"videos": [{"url": [VIDEO]}]}},
        {"data": {"video": {"url": VIDEO}}},
        {"data": [{"url": VIDEO}]},
        {"videos": [{"url": VIDEO}]},
        {"videos": [VIDEO]},
        {"unsigned_urls": [VIDEO]},
        {"generations": [{"url": VIDEO}]},
        {"generations": [{"video": VIDEO}]},
        {"download_url": VIDEO},
        {"file_url": VIDEO},
        {"content": {"video_url": VIDEO}},
        {"task_result": {"videos": [{"id": "1", "url": VIDEO, "duration": "5"}]}},
        {"url": f"{HOST}/no-ending?sig=1"},
        {"video": {"uri": f"{HOST}/no-ending"}},
        {"download_url": "/files/v"},
        {"video_url": f"{HOST}/my clip.mp4"},
    ],
    ids=str,
)
def test_a_video_s_address_is_found_wherever_it_stands(raw):
    assert len(named_files({"id": "x", "model": "m", "prompt": f"watch {VIDEO}", **raw})) == 1


@pytest.mark.parametrize(
    "raw",
    [
        {"thumbnail_url": f"{HOST}/t"},
        {"cover": {"url": f"{HOST}/c.png"}},
        {"input_reference": {"url": VIDEO}},
        {"input": {"video_url": VIDEO}},
        {"prompt": VIDEO},
        {"webhook_url": f"{HOST}/hook"},
        {"urls": {"get": f"{HOST}/get", "cancel": f"{HOST}/cancel"}},
        {"status_url": f"{HOST}/status"},
        {"audio_url": f"{HOST}/a.mp3"},
        {"video_url": f"{HOST}/poster.jpg"},
        {"image_url": f"{HOST}/i"},
        {"id": "video_1", "object": "video"},
        {"url": ""},
        {"url": None},
        {"video_url": "not an address"},
        {"video_url": f"see {VIDEO}"},
        None,
        [],
        "text",
    ],
    ids=str,
)
def test_other_addresses_are_left_alone(raw):
    assert named_files(raw) == []


def test_what_is_plainly_a_video_comes_first():
    raw = {"url": f"{HOST}/page", "output": {"files": [f"{HOST}/x"], "video_url": f"{HOST}/y"}, "extra": VIDEO}
    assert named_files(raw)[0] == f"{HOST}/y"
    assert named_files({"url": f"{HOST}/page", "video_url": f"{HOST}/y"})[0] == f"{HOST}/y"


def test_a_million_addresses_are_not_asked_for():
    assert len(named_files({"urls": [f"{HOST}/{n}.mp4" for n in range(100_000)]})) == 5


async def read(opened) -> bytes:
    async with opened as content:
        return b"".join([chunk async for chunk in content.chunks()])


async def failure(opened) -> RunnerError:
    with pytest.raises(RunnerError) as caught:
        await read(opened)
    return caught.value


def served(wire, content: httpx2.Response, **files: httpx2.Response) -> None:
    """Answer `content` where OpenAI has a video, and files by their names."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        return content if path.endswith("/content") else files.get(path.rpartition("/")[2].partition(".")[0], missing)

    missing = httpx2.Response(404, json={"error": {"message": "no such file"}})
    wire.answer = answer


def file(content: bytes = MP4, kind: str = "video/mp4") -> httpx2.Response:
    return httpx2.Response(200, content=content, headers={"content-type": kind})


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 500, 501, 502, 503])
async def test_the_job_s_address_is_used_where_the_usual_one_fails(wire, connect, config_of, status):
    served(wire, httpx2.Response(status, json={"error": {"message": "Failed to fetch video content"}}), v=file())
    assert await read(connect(config_of()).content(job(video_url=VIDEO))) == MP4


@pytest.mark.parametrize(
    "answer",
    [{"url": VIDEO}, {"data": {"video": {"url": VIDEO}}}, VIDEO, [VIDEO], {"thumbnail_url": f"{HOST}/t", "url": VIDEO}],
    ids=str,
)
@pytest.mark.parametrize("kind", ["application/json", "video/mp4", "text/plain", None])
async def test_json_in_place_of_the_file_is_followed(wire, connect, config_of, answer, kind):
    import json

    headers = {"content-type": kind} if kind else {}
    served(wire, httpx2.Response(200, content=json.dumps(answer).encode(), headers=headers), v=file())
    assert await read(connect(config_of()).content(job())) == MP4
    assert "authorization" not in wire.requests[-1].headers


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/plain", "application/octet-stream", None])
async def test_bytes_outvote_headers(wire, connect, config_of, kind):
    headers = {"content-type": kind} if kind else {}
    served(wire, httpx2.Response(200, content=MP4, headers=headers))
    assert await read(connect(config_of()).content(job())) == MP4


@pytest.mark.parametrize("key", ["b64_json", "video", "data"])
async def test_a_video_in_json_is_handed_on_as_it_is_spelled(wire, connect, config_of, key):
    text = base64.b64encode(MP4).decode()
    served(wire, httpx2.Response(200, json={"status": "completed", key: text}))
    assert await read(connect(config_of()).content(job())) == text.encode()


async def test_a_video_in_the_job_itself_is_used_where_there_is_no_other(wire, connect, config_of):
    text = base64.b64encode(MP4).decode()
    served(wire, httpx2.Response(404))
    assert await read(connect(config_of()).content(job(data=[{"b64_json": text}]))) == text.encode()


async def test_an_empty_answer_is_no_file_where_the_job_names_one(wire, connect, config_of):
    served(wire, file(b""), v=file())
    assert await read(connect(config_of()).content(job(video_url=VIDEO))) == MP4


async def test_the_next_address_is_tried_where_one_fails(wire, connect, config_of):
    served(wire, httpx2.Response(500), w=file())
    assert await read(connect(config_of()).content(job(video_url=VIDEO, files=[f"{HOST}/w.mp4"]))) == MP4


async def test_json_that_names_itself_ends(wire, connect, config_of):
    again = httpx2.Response(200, json={"url": VIDEO})
    served(wire, again, v=again)
    assert isinstance(await failure(connect(config_of()).content(job(url=VIDEO))), RunnerError)
    assert len(wire.requests) < 10


async def test_an_address_whose_time_is_over_does_not_end_what_the_server_may_still_give(wire, connect, config_of):
    served(wire, httpx2.Response(500), v=httpx2.Response(410))
    error = await failure(connect(config_of()).content(job(url=VIDEO)))
    assert type(error) is ServerError
    assert not isinstance(error, ExpiredError)


async def test_too_many_requests_are_no_reason_to_look_elsewhere(wire, connect, config_of):
    served(wire, httpx2.Response(429), v=file())
    assert type(await failure(connect(config_of()).content(job(url=VIDEO)))) is RateLimitError
    assert len(wire.requests) == 1


async def test_blanks_in_an_address_are_escaped(wire, connect, config_of):
    named = job(video_url=f"{HOST}/my first clip.mp4")
    served(wire, httpx2.Response(404, json={"detail": "no"}), **{"my first clip": file()})
    assert await read(connect(config_of()).content(named)) == MP4
    assert str(wire.requests[-1].url) == f"{HOST}/my%20first%20clip.mp4"


async def test_a_thumbnail_is_not_replaced_by_the_video(wire, connect, config_of):
    served(wire, httpx2.Response(404), v=file())
    assert isinstance(await failure(connect(config_of()).content(job(url=VIDEO), "thumbnail")), RunnerError)


@pytest.mark.parametrize("answer", [{"url": f"{HOST}/i.png"}, {"data": [{"image_url": f"{HOST}/i"}]}], ids=str)
async def test_an_image_s_address_may_lead_to_json_that_names_it(wire, connect, config_of, answer):
    served(wire, httpx2.Response(404), i=file(b"\x89PNG", "image/png"), start=httpx2.Response(200, json=answer))
    assert await read(connect(config_of()).fetch(f"{HOST}/start")) == b"\x89PNG"
