"""Proxies and certificate authorities as the environment names them: honoured alike, and named where they are wrong."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from runner.errors import ConfigError, HTTPConnectionError
from runner.providers.endpoint import check_environment, proxy_of
from runner.providers.preflight import check_endpoint
from runner.providers.registry import create

HERE, THERE = "http://127.0.0.1:8000/v1", "https://gpu.example/v1"
SECRET = "hunter2hunter2"


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No variable of the machine that the tests run on."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            monkeypatch.delenv(name)


def problems(url: str) -> list[tuple[str, str]]:
    found = list(check_environment(url))
    assert SECRET not in repr(found)
    return [(problem.key, problem.severity) for problem in found]


@pytest.mark.parametrize(
    ("variables", "variable"),
    [
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, "HTTPS_PROXY"),
        ({"https_proxy": "proxy.example:3128", "HTTPS_PROXY": "http://other.example"}, "https_proxy"),
        ({"ALL_PROXY": f"http://me:{SECRET}@proxy.example:3128"}, "ALL_PROXY"),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "a.example, gpu.example"}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "no_proxy": ".example"}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "other.example"}, "HTTPS_PROXY"),
    ],
)
def test_a_proxy_is_that_of_the_scheme_unless_no_proxy_names_the_host(monkeypatch, variables, variable):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_of(THERE)
    assert (proxy and proxy.variable) == variable
    assert SECRET not in repr(proxy)
    if proxy is not None:
        assert proxy.place == ("proxy.example", 3128)
        assert SECRET not in proxy.host


def test_no_proxy_takes_networks_and_this_machine_needs_none(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,fd00::/8")
    through = {url: proxy_of(url) is not None for url in ("http://10.1.2.3/", "http://[fd00::1]/", "http://11.1.2.3/")}
    assert list(through.values()) == [False, False, True]
    assert proxy_of(HERE) is None
    assert proxy_of("https://localhost:1/") is None


@pytest.mark.parametrize(
    "value", ["socks4://p:1", "ftp://p", f"socks://{SECRET}@p:1", "http://", "http://p:99999", "http://a b"]
)
def test_a_proxy_that_is_none_is_refused_by_its_variable(monkeypatch, value):
    monkeypatch.setenv("ALL_PROXY", value)
    assert problems(THERE) == [("ALL_PROXY", "error")]
    assert problems(HERE) == []


def test_a_socks_proxy_needs_its_package(monkeypatch):
    from runner.providers import endpoint

    monkeypatch.setenv("HTTPS_PROXY", f"socks5h://me:{SECRET}@proxy.example:1080")
    monkeypatch.setattr(endpoint, "find_spec", lambda _name: None)
    assert problems(THERE) == [("HTTPS_PROXY", "error")]
    monkeypatch.setattr(endpoint, "find_spec", lambda _name: object())
    assert problems(THERE) == []


@pytest.mark.parametrize("broken", ["missing", "empty", "no certificate", "a directory"])
def test_authorities_that_cannot_be_read_are_named(monkeypatch, tmp_path, broken):
    file = tmp_path / "ca.pem"
    if broken == "a directory":
        file.mkdir()
    elif broken != "missing":
        file.write_text("" if broken == "empty" else "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert problems(THERE) == [("SSL_CERT_FILE", "error")]
    # Nothing is encrypted here, except perhaps a file elsewhere.
    assert problems(HERE) == [("SSL_CERT_FILE", "warning")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_authorities_that_may_not_be_read_are_named(monkeypatch, tmp_path):
    file = tmp_path / "ca.pem"
    file.touch(0o000)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert problems(THERE) == [("SSL_CERT_FILE", "error")]


def test_a_directory_of_authorities_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    assert problems(THERE) == [("SSL_CERT_DIR", "error")]
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert problems(THERE) == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("HTTPS_PROXY", "socks4://127.0.0.1:1"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
    ],
)
def test_nothing_of_it_is_a_traceback_where_nothing_was_checked_before(monkeypatch, config_of, variable, value):
    from runner.providers import endpoint

    monkeypatch.setattr(endpoint, "find_spec", lambda _name: None)
    monkeypatch.setenv(variable, value)
    provider = config_of({"base_url": THERE}).provider
    with pytest.raises(ConfigError, match=variable):
        create(provider, {"OPENAI_API_KEY": "sk-canary"})
    assert [problem.key for problem in check_endpoint(provider, {"OPENAI_API_KEY": "sk-canary"})] == [variable]


async def opened(reader, writer):
    """One answer that says what was asked, as the JSON of a job or, of another host, as a file."""
    head = await reader.readuntil(b"\r\n\r\n")
    asked = head.split(b"\r\n")[0]
    kind, body = b"application/json", b'{"id": "video_1", "status": "queued", "asked": "%s"}' % asked
    if b"files.example" in head:
        kind, body = b"video/mp4", b"\0\0\0\x18ftypmp42" + asked
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n" % (kind, len(body)) + body)
    await writer.drain()
    writer.close()


async def test_a_local_endpoint_goes_without_the_proxy_and_a_file_elsewhere_through_it(monkeypatch, config_of):
    proxy = await asyncio.start_server(opened, "127.0.0.1", 0)
    here = await asyncio.start_server(opened, "127.0.0.1", 0)
    ports = [server.sockets[0].getsockname()[1] for server in (proxy, here)]
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{ports[0]}")
    config = config_of({"base_url": f"http://127.0.0.1:{ports[1]}/v1"})
    provider = create(config.provider, {"OPENAI_API_KEY": "sk-canary-123456"})
    try:
        assert (await provider.retrieve("video_1")).raw["asked"] == "GET /v1/videos/video_1 HTTP/1.1"
        async with provider.fetch("http://files.example/v.mp4") as content:
            body = b"".join([chunk async for chunk in content.chunks()])
    finally:
        await provider.close()
        proxy.close()
        here.close()
    assert b"GET http://files.example/v.mp4 HTTP/1.1" in body


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://no-such-proxy.invalid:3128"])
async def test_a_proxy_that_cannot_be_reached_is_named_and_a_wrong_setting(monkeypatch, config_of, address):
    monkeypatch.setenv("HTTPS_PROXY", address.replace("//", f"//me:{SECRET}@"))
    config = config_of({"base_url": THERE})
    provider = create(config.provider, {"OPENAI_API_KEY": "sk-canary"})
    try:
        with pytest.raises(ConfigError, match="HTTPS_PROXY") as refused:
            await provider.submit(config)
        # A job that exists is asked for again: the proxy may be back soon.
        with pytest.raises(HTTPConnectionError, match="HTTPS_PROXY") as waiting:
            await provider.retrieve("video_1")
    finally:
        await provider.close()
    assert "nothing was sent" in str(refused.value)
    assert SECRET not in f"{refused.value} {refused.value.hint} {waiting.value}"


async def test_a_proxy_that_went_away_is_waited_for(monkeypatch, config_of):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    proxy = await asyncio.start_server(opened, "127.0.0.1", port)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    config = config_of({"base_url": "http://gpu.example/v1", "allow_http": True})
    provider = create(config.provider, {"OPENAI_API_KEY": "sk-canary"})
    try:
        await provider.submit(config)
        proxy.close()
        with pytest.raises(HTTPConnectionError) as caught:
            await provider.submit(config)
    finally:
        await provider.close()
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("status", "expected"), [(b"407 Password wanted", ConfigError), (b"503 Later", HTTPConnectionError)]
)
async def test_what_a_proxy_says_is_a_wrong_setting_only_where_it_wants_a_password(
    monkeypatch, config_of, status, expected
):
    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    config = config_of({"base_url": THERE})
    provider = create(config.provider, {"OPENAI_API_KEY": "sk-canary"})
    try:
        with pytest.raises(expected, match="ALL_PROXY"):
            await provider.submit(config)
    finally:
        await provider.close()
        proxy.close()
