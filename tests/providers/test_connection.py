"""Failures of the network: what was provably not sent, and what may have been."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import warnings

import httpx2
import pytest

from runner.errors import BadRequestError, HTTPConnectionError, RunnerError, ServerError, UncertainError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def real(config_of):
    """A provider on the real network stack."""
    from runner.providers.registry import create

    async with contextlib.AsyncExitStack() as stack:

        def build(base_url: str, **keys):
            config = config_of({"base_url": base_url, "allow_http": True, **keys})
            provider = create(config.provider, {"OPENAI_API_KEY": "sk-canary"})
            stack.push_async_callback(provider.close)
            return provider, config

        yield build


async def failure(provider, config, *, paid: bool) -> RunnerError:
    with pytest.raises(RunnerError) as caught:
        await (provider.submit(config) if paid else provider.retrieve("video_1"))
    return caught.value


@pytest.mark.parametrize("paid", [True, False])
async def test_a_refused_connection_was_not_sent_and_names_host_and_port(real, paid):
    port = free_port()
    error = await failure(*real(f"http://127.0.0.1:{port}/v1"), paid=paid)
    assert type(error) is HTTPConnectionError
    assert f"127.0.0.1:{port}" in str(error)
    assert "connection refused" in str(error)
    assert "nothing was sent" in str(error)
    assert error.retryable


async def test_a_name_that_does_not_resolve_was_not_sent(real):
    error = await failure(*real("http://no-such-host.invalid/v1"), paid=True)
    assert type(error) is HTTPConnectionError
    assert "no-such-host.invalid" in str(error)
    assert "does not resolve" in str(error)


async def test_failing_tls_was_not_sent(real, serve):
    async def plain(_reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serve(plain) as url:
        server = url.replace("http://", "https://")
        # A server that speaks plain HTTP on the port, asked in TLS, never completes a line.
        error = await failure(*real(server, timeout=1), paid=True)
        with warnings.catch_warnings():
            # asyncio leaves a socket whose handshake was cancelled to the garbage collector.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    assert type(error) is HTTPConnectionError


@pytest.mark.parametrize("paid", [True, False])
@pytest.mark.parametrize("partial", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"])
async def test_a_dropped_connection_is_uncertain_only_where_it_is_paid(real, serve, partial, paid):
    async def drop(_reader, writer):
        writer.write(partial)

    async with serve(drop) as url:
        error = await failure(*real(url), paid=paid)
    assert type(error) is (UncertainError if paid else ServerError)
    assert "may have been carried out" in str(error) or error.retryable


async def test_a_reset_connection_is_uncertain(real, serve):
    async def reset(_reader, writer):
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with serve(reset) as url:
        assert type(await failure(*real(url), paid=True)) is UncertainError


@pytest.mark.parametrize("paid", [True, False])
async def test_an_answer_that_does_not_come_is_uncertain_only_where_it_is_paid(real, serve, paid):
    async def silence(reader, _writer):
        await reader.read()

    async with serve(silence) as url:
        error = await failure(*real(url, timeout=0.03), paid=paid)
    assert type(error) is (UncertainError if paid else ServerError)
    assert "did not come in time" in str(error)


async def test_an_answer_that_is_no_http_is_uncertain(real, serve):
    async def gibberish(_reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    async with serve(gibberish) as url:
        assert type(await failure(*real(url), paid=True)) is UncertainError


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpx2.ConnectTimeout("slow"), HTTPConnectionError),
        (httpx2.PoolTimeout("busy"), HTTPConnectionError),
        (httpx2.ProxyError("403"), HTTPConnectionError),
        (httpx2.ReadTimeout("slow"), UncertainError),
        (httpx2.WriteTimeout("slow"), UncertainError),
        (httpx2.WriteError("reset"), UncertainError),
        (httpx2.ReadError("reset"), UncertainError),
        (httpx2.RemoteProtocolError("odd"), UncertainError),
        (httpx2.DecodingError("gzip"), UncertainError),
        (httpx2.LocalProtocolError("Illegal header value b'sk-canary'"), BadRequestError),
    ],
)
async def test_each_failure_of_the_transport_is_judged_by_what_was_sent(wire, connect, config_of, raised, expected):
    wire.raises(raised)
    config = config_of()
    error = await failure(connect(config), config, paid=True)
    assert type(error) is expected
    assert "sk-canary" not in str(error)
    assert len(wire.requests) == 1


async def test_tls_trouble_is_named(wire, connect, config_of):
    cause = ssl.SSLCertVerificationError(1, "[SSL] certificate verify failed: self-signed certificate")
    trouble = httpx2.ConnectError("tls")
    trouble.__cause__ = cause
    wire.raises(trouble)
    config = config_of()
    assert "TLS failed" in str(await failure(connect(config), config, paid=True))


async def test_proxies_of_the_environment_are_not_asked_for_this_machine(real, serve, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")

    async def answer(_reader, writer):
        body = b'{"id": "video_1", "status": "queued"}'
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    async with serve(answer) as url:
        provider, _ = real(url)
        assert (await provider.retrieve("video_1")).id == "video_1"
