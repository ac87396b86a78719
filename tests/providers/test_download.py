from __future__ import annotations

import httpx2
import pytest

from runner.errors import (
    AuthenticationError,
    ExpiredError,
    HTTPConnectionError,
    JobNotFoundError,
    RateLimitError,
    RunnerError,
    ServerError,
    UnexpectedAnswerError,
)
from runner.providers.base import Job, JobStatus
from runner.providers.registry import create

FAR_AWAY = 1e12
NOON = 1_795_953_600.0
DATE = {"date": "Sun, 29 Nov 2026 12:00:00 GMT"}


def job(expires_at: float | None = None, created_at: float | None = None) -> Job:
    return Job("video_1", JobStatus.COMPLETED, "completed", expires_at=expires_at, created_at=created_at)


async def read(opened) -> bytes:
    async with opened as content:
        return b"".join([chunk async for chunk in content.chunks()])


async def failure(opened) -> RunnerError:
    with pytest.raises(RunnerError) as caught:
        await read(opened)
    return caught.value


@pytest.mark.parametrize("variant", ["video", "thumbnail", "spritesheet"])
async def test_a_file_is_streamed_with_its_type_and_length(wire, connect, config_of, variant):
    wire.replies(200, content=b"0123456789", headers={"content-type": "video/mp4; codecs=avc1"})
    async with connect(config_of()).content(job(), variant) as content:
        assert content.length == 10
        assert b"".join([chunk async for chunk in content.chunks()]) == b"0123456789"
    assert wire.sent.url.params["variant"] == variant
    assert wire.sent.headers["accept-encoding"] == "identity"


async def test_a_length_that_counts_compressed_bytes_is_not_told(wire, connect, config_of):
    import gzip

    packed = gzip.compress(b"0" * 1000)
    wire.replies(200, content=packed, headers={"content-type": "video/mp4", "content-encoding": "gzip"})
    async with connect(config_of()).content(job()) as content:
        assert content.length is None
        assert len(b"".join([chunk async for chunk in content.chunks()])) == 1000


@pytest.mark.parametrize(("status", "kind"), [(404, JobNotFoundError), (409, ServerError), (410, JobNotFoundError)])
@pytest.mark.parametrize("expires_at", [FAR_AWAY, NOON, NOON - 9000, 0.0, None])
async def test_a_file_that_is_not_there_yet_is_worth_another_try(wire, connect, config_of, status, kind, expires_at):
    wire.replies(status, json={"error": {"code": "not_ready", "message": "video is not ready"}}, headers=DATE)
    error = await failure(connect(config_of()).content(job(expires_at)))
    assert type(error) is kind
    assert error.retryable
    assert "not there yet" in str(error)


async def test_when_the_server_missed_a_file_is_told_with_it(wire, connect, config_of):
    wire.replies(404, json={"error": {"message": "not found"}}, headers=DATE)
    assert (await failure(connect(config_of()).content(job(NOON)))).server_time == NOON
    wire.replies(404, json={"error": {"message": "not found"}})
    assert (await failure(connect(config_of()).content(job(NOON)))).server_time is None


@pytest.mark.parametrize(("status", "code"), [(404, "video_expired"), (409, "expired")])
async def test_a_file_of_which_the_server_says_that_it_expired_is(wire, connect, config_of, status, code):
    wire.replies(status, json={"error": {"code": code, "message": "gone"}}, headers=DATE)
    assert type(await failure(connect(config_of()).content(job(FAR_AWAY)))) is ExpiredError


@pytest.mark.parametrize(("status", "expected"), [(429, RateLimitError), (500, ServerError), (502, ServerError)])
async def test_a_server_in_trouble_is_asked_again(wire, connect, config_of, status, expected):
    wire.replies(status, json={"error": {"message": "busy"}})
    error = await failure(connect(config_of()).content(job()))
    assert type(error) is expected
    assert error.retryable


async def test_a_page_is_no_video(wire, connect, config_of):
    wire.replies(200, text="<html><title>Sign in</title></html>", headers={"content-type": "text/html"})
    error = await failure(connect(config_of()).content(job()))
    assert type(error) is UnexpectedAnswerError
    assert "Sign in" in str(error)


async def test_a_page_is_read_in_the_charset_that_it_names(wire, connect, config_of):
    page = "<html><title>Zugang gesperrt für Gäste</title></html>".encode("latin-1")
    wire.replies(200, content=page, headers={"content-type": "text/html; charset=iso-8859-1"})
    assert "Zugang gesperrt für Gäste" in str(await failure(connect(config_of()).content(job())))


async def test_json_is_no_video(wire, connect, config_of):
    wire.replies(200, json={"status": "in_progress"})
    assert type(await failure(connect(config_of()).content(job()))) is ServerError


async def test_a_body_that_breaks_off_is_an_error_of_ours(serve, config_of):
    async def cut(_reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()

    async with serve(cut) as url:
        provider = create(config_of({"base_url": url}).provider, {"OPENAI_API_KEY": "sk-canary"})
        error = await failure(provider.content(job()))
        await provider.close()
    assert type(error) is ServerError
    assert error.job_id == "video_1"


async def test_a_stalled_body_is_an_error_of_ours(serve, config_of):
    async def stall(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        await reader.read()

    async with serve(stall) as url:
        provider = create(config_of({"base_url": url, "timeout": 0.03}).provider, {"OPENAI_API_KEY": "sk-canary"})
        assert type(await failure(provider.content(job()))) is ServerError
        await provider.close()


async def test_a_redirected_download_is_fetched_without_the_key(wire, connect, config_of):
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "cdn.example":
            return httpx2.Response(200, content=b"mp4", headers={"content-type": "video/mp4"})
        return httpx2.Response(302, headers={"location": "https://cdn.example/v.mp4?sig=1"})

    wire.answer = answer
    azure = {"kind": "azure_openai", "base_url": "https://res.openai.azure.com"}
    assert await read(connect(config_of(azure)).content(job())) == b"mp4"
    first, second = wire.requests
    assert "api-key" in first.headers
    assert "api-key" not in second.headers
    assert "authorization" not in second.headers


async def test_an_address_is_fetched_without_the_key(wire, connect, config_of):
    wire.replies(200, content=b"png", headers={"content-type": "image/png"})
    async with connect(config_of()).fetch("https://images.example/1.png") as content:
        assert b"".join([chunk async for chunk in content.chunks()]) == b"png"
    assert not {"authorization", "api-key", "cookie"} & set(wire.sent.headers)


@pytest.mark.parametrize(
    "url",
    [
        "http://images.example/1.png",
        "ftp://images.example/1.png",
        "file:///etc/passwd",
        "https://[::1/1.png",
        "",
        "data:,x",
        "http://localhost.evil.example/1.png",
        "http://evil.localhost/1.png",
        "http://127.0.0.1.evil.example/1.png",
        "http://127.0.0.1@evil.example/1.png",
        "http://127.1/1.png",
        "http://2130706433/1.png",
        "http://0.0.0.0/1.png",
        "http://[::ffff:10.0.0.1]/1.png",
        "http://[::]/1.png",
        "http://[fe80::1%25lo]/1.png",
        "http://api.openai.com/1.png",
        "https://user:hunter2@images.example/1.png",
        "https://api.openai.com@evil.example/1.png",
        "http://user@127.0.0.1:9/1.png",
        "https://images.example\\@evil.example/1.png",
    ],
)
async def test_other_than_https_is_not_fetched(wire, connect, config_of, url):
    error = await failure(connect(config_of()).fetch(url))
    assert type(error) is UnexpectedAnswerError
    assert "hunter2" not in f"{error} {error.hint}"
    assert wire.requests == []


@pytest.mark.parametrize(
    ("home", "url"),
    [
        ("http://gpu.example:8000/v1", "http://gpu.example:8000/1.png"),
        ("http://gpu.example:8000/v1", "http://files.example/1.png"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:9/1.png"),
        ("http://127.0.0.1:8000/v1", "http://localhost:9/1.png"),
        ("https://localhost:8000/v1", "http://[::1]:9/1.png"),
        ("https://10.0.0.5/v1", "http://10.0.0.6:9000/1.png"),
        ("https://100.64.0.5/v1", "http://192.168.7.7/1.png"),
    ],
)
async def test_what_is_on_the_endpoint_s_own_network_may_be_unencrypted(wire, connect, config_of, home, url):
    wire.replies(200, content=b"png")
    config = config_of({"base_url": home, "allow_http": True})
    assert await read(connect(config).fetch(url)) == b"png"


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("/v1/files/1.png?a=b", "https://gw.example:8443/v1/files/1.png?a=b"),
        ("files/1.png", "https://gw.example:8443/team/v1/files/1.png"),
        ("https://gw.example:8443/1.png", "https://gw.example:8443/1.png"),
        ("HTTPS://GW.example:8443/1.png", "https://gw.example:8443/1.png"),
    ],
)
async def test_an_address_on_the_endpoint_itself_is_asked_with_the_key(wire, connect, config_of, key, address, asked):
    wire.replies(200, content=b"png")
    config = config_of({"base_url": "https://gw.example:8443/team/v1"})
    assert await read(connect(config).fetch(address)) == b"png"
    named = Job("video_1", JobStatus.COMPLETED, "completed", raw={"url": address})
    missing, there = httpx2.Response(404), httpx2.Response(200, content=b"mp4")
    wire.answer = lambda request: missing if request.url.path.endswith("/content") else there
    await read(connect(config).content(named))
    assert [str(request.url) for request in (wire.requests[0], wire.requests[-1])] == [asked, asked]
    assert {request.headers["authorization"] for request in wire.requests} == {f"Bearer {key}"}


@pytest.mark.parametrize(
    "address",
    [
        "https://gw.example/1.png",
        "https://gw.example:8444/1.png",
        "//files.example/1.png",
        "https://files.example:8443/1",
    ],
)
async def test_another_port_or_host_is_asked_without_the_key(wire, connect, config_of, address):
    wire.replies(200, content=b"png")
    assert await read(connect(config_of({"base_url": "https://gw.example:8443/v1"})).fetch(address)) == b"png"
    assert not {"authorization", "api-key", "cookie"} & set(wire.sent.headers)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_the_endpoint_refuses_for_a_file_is_no_end_of_the_file(wire, connect, config_of, status):
    wire.replies(status, json={"error": {"message": "no"}})
    assert type(await failure(connect(config_of()).fetch("/v1/files/1.png"))) is AuthenticationError


async def test_a_page_that_refuses_a_file_of_the_endpoint_itself_is_not_about_the_api(wire, connect, config_of):
    wire.replies(403, text="<Error><Code>AccessDenied</Code></Error>")
    error = await failure(connect(config_of()).fetch("/v1/files/1.png"))
    assert type(error) is ServerError
    assert "the address that the server gave" in error.message


async def test_a_redirect_may_be_relative_and_keeps_the_key_only_on_the_endpoint_itself(wire, connect, config_of):
    targets = {"/v1/videos/video_1/content": "../files/a", "/v1/videos/files/a": "https://cdn.example/b", "/b": "c"}

    def answer(request: httpx2.Request) -> httpx2.Response:
        target = targets.get(request.url.path)
        headers = {"content-type": "video/mp4", "set-cookie": "session=1"} | ({"location": target} if target else {})
        return httpx2.Response(307 if target else 200, content=b"" if target else b"mp4", headers=headers)

    wire.answer = answer
    assert await read(connect(config_of()).content(job())) == b"mp4"
    assert [str(request.url) for request in wire.requests] == [
        "https://api.openai.com/v1/videos/video_1/content?variant=video", "https://api.openai.com/v1/videos/files/a",
        "https://cdn.example/b", "https://cdn.example/c",
    ]  # fmt: skip
    assert ["authorization" in request.headers for request in wire.requests] == [True, True, False, False]
    assert not any("cookie" in request.headers for request in wire.requests[2:])


@pytest.mark.parametrize(
    "target", ["http://images.example/1.png", "file:///etc/passwd", "http://127.0.0.1/1.png", "https://[::1"]
)
async def test_a_redirect_leads_to_nothing_unencrypted(wire, connect, config_of, target):
    wire.replies(302, headers={"location": target})
    assert type(await failure(connect(config_of()).fetch("https://images.example/1.png"))) is UnexpectedAnswerError
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    "target", ["http://evil.example/v", "http://127.0.0.1.evil.example/v", "https://a:b@evil.example/v", "file:///etc"]
)
async def test_a_job_s_file_is_not_followed_to_where_nobody_may_go(wire, connect, config_of, target):
    redirect = httpx2.Response(302, headers={"location": target})
    wire.answer = lambda request: redirect if request.url.host == "api.openai.com" else httpx2.Response(200)
    assert isinstance(await failure(connect(config_of()).content(job())), RunnerError)
    wire.replies(404, json={"error": {"message": "elsewhere"}})
    named = Job("video_1", JobStatus.COMPLETED, "completed", raw={"url": target})
    assert isinstance(await failure(connect(config_of()).content(named)), RunnerError)
    assert {request.url.host for request in wire.requests} == {"api.openai.com"}


@pytest.mark.parametrize("host", ["cdn.example", "api.openai.com.evil.example", "openai.com"])
async def test_no_other_host_that_a_server_names_gets_the_key(wire, connect, config_of, host):
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/file":
            return httpx2.Response(307, headers={"location": f"https://again.{host}/file2"})
        if request.url.path == "/file2":
            return httpx2.Response(200, content=b"mp4", headers={"content-type": "video/mp4"})
        return httpx2.Response(400, json={"detail": "it is elsewhere"}, headers={"set-cookie": "session=1"})

    wire.answer = answer
    named = Job("video_1", JobStatus.COMPLETED, "completed", raw={"url": f"https://{host}/file"})
    assert await read(connect(config_of()).content(named)) == b"mp4"
    first, *others = wire.requests
    assert "authorization" in first.headers
    assert len(others) == 2
    assert not any({"authorization", "api-key"} & set(request.headers) for request in others)


async def test_a_redirect_to_nowhere_is_no_success(wire, connect, config_of):
    wire.replies(302)
    assert type(await failure(connect(config_of()).fetch("https://images.example/1.png"))) is UnexpectedAnswerError
    assert type(await failure(connect(config_of()).content(job()))) is UnexpectedAnswerError


async def test_redirects_end(wire, connect, config_of):
    wire.replies(302, headers={"location": "/again"})
    error = await failure(connect(config_of()).fetch("https://images.example/1.png"))
    assert "without end" in str(error)
    assert len(wire.requests) == 5


NOW = {"date": "Mon, 30 Nov 2026 12:00:00 GMT"}
OVER = [
    "X-Amz-Date=20261130T100000Z&X-Amz-Expires=3600",
    "Expires=1796000000",
    "sv=2024&se=2026-11-30T11%3A00%3A00Z&sig=x",
    "se=2026-11-30",
]
HOLDS = [
    "X-Amz-Date=20261130T110100Z&X-Amz-Expires=3600",
    "Expires=1896000000",
    "se=2026-12-01",
    "Expires=never",
    "x=1",
]


@pytest.mark.parametrize("query", OVER)
@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_signed_address_whose_time_is_over_is_expired_and_stops_nothing_else(
    wire, connect, config_of, status, query
):
    wire.replies(status, text="<Error>Request has expired</Error>", headers=NOW)
    error = await failure(connect(config_of()).fetch(f"https://images.example/1.png?{query}"))
    assert type(error) is ExpiredError
    assert not error.shared


@pytest.mark.parametrize("status", [403, 410])
async def test_a_video_s_address_whose_time_is_over_is_not_the_video_s_end(wire, connect, config_of, status):
    def answer(request: httpx2.Request) -> httpx2.Response:
        at_home = request.url.host == "api.openai.com"
        return httpx2.Response(400, json={}) if at_home else httpx2.Response(status, text="over", headers=NOW)

    wire.answer = answer
    named = Job("video_1", JobStatus.COMPLETED, "completed", raw={"url": f"https://files.example/1.mp4?{OVER[0]}"})
    assert type(await failure(connect(config_of()).content(named))) is ServerError


@pytest.mark.parametrize("query", HOLDS)
@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_an_address_that_may_still_lead_to_the_file_is_worth_another_try(wire, connect, config_of, status, query):
    wire.replies(status, text="<Error>Signature not valid in the specified time frame</Error>", headers=NOW)
    error = await failure(connect(config_of()).fetch(f"https://images.example/1.png?{query}"))
    assert type(error) is ServerError
    assert error.retryable


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/files/1.png", "https://api.openai.com/files/1.png"),
        ("files/1.png", "https://api.openai.com/v1/files/1.png"),
        ("//images.example/1.png", "https://images.example/1.png"),
        (" https://images.example/1.png\n", "https://images.example/1.png"),
    ],
)
async def test_an_address_may_be_relative_to_the_endpoint(wire, connect, config_of, address, expected):
    wire.replies(200, content=b"png")
    assert await read(connect(config_of()).fetch(address)) == b"png"
    assert str(wire.sent.url) == expected


@pytest.mark.parametrize("raised", [httpx2.ConnectError("down"), httpx2.ReadTimeout("slow")])
async def test_a_fetch_that_fails_does_not_repeat_the_address_s_signature(wire, connect, config_of, raised):
    wire.raises(raised)
    error = await failure(connect(config_of()).fetch("https://images.example/1.png?sig=hunter2"))
    assert isinstance(error, HTTPConnectionError | ServerError)
    assert "images.example" in str(error)
    assert "hunter2" not in f"{error} {error.hint}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("target", ["/v1/elsewhere", "https://cdn.example/videos"])
async def test_a_paid_request_is_never_sent_on_to_where_it_is_redirected(wire, connect, config_of, status, target):
    wire.replies(status, headers={"location": target})
    config = config_of()
    with pytest.raises(RunnerError):
        await connect(config).submit(config)
    assert [str(request.url) for request in wire.requests] == ["https://api.openai.com/v1/videos"]
