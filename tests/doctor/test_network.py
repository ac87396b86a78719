"""Names and certificates, against a TLS server of this machine with certificates of its own."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runner.doctor.service import Host, dns, host_of, tls

NOW = dt.datetime.now(dt.UTC)


def certificate(folder: Path, days: float) -> Path:
    """A self-signed certificate for localhost, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=400))
        .not_valid_after(NOW + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    return path


@pytest.fixture
def secured(tmp_path) -> Callable[..., object]:
    """`async with secured(days) as (host, path)`: a TLS server whose certificate lasts so long."""

    @asynccontextmanager
    async def serve(days: float) -> AsyncIterator[tuple[Host, Path]]:
        path = certificate(tmp_path, days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)

        async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(hang_up, "localhost", 0, ssl=context)
        try:
            yield Host("localhost", server.sockets[0].getsockname()[1], encrypted=True), path
        finally:
            server.close()

    return serve


@pytest.mark.parametrize(("days", "status"), [(90, "ok"), (3, "warn")])
async def test_a_trusted_certificate_tells_its_days(secured, monkeypatch, days, status):
    async with secured(days) as (host, path):
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        check = await tls(host, time.time)
    assert check.status == status
    assert f"{days} more days" in check.message


@pytest.mark.parametrize(("days", "trusted", "said"), [(90, False, "self-signed"), (-1, True, "expired")])
async def test_a_certificate_that_is_not_trusted_fails_with_the_reason(secured, monkeypatch, days, trusted, said):
    async with secured(days) as (host, path):
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(path))
        check = await tls(host, time.time)
    assert check.status == "fail"
    assert said in check.message
    assert "SSL_CERT_FILE" in (check.hint or "")


async def test_a_server_without_tls_is_told_from_one_with_a_bad_certificate(emulator):
    port = int(emulator.azure_url.rpartition(":")[2])
    check = await tls(Host("127.0.0.1", port, encrypted=True), time.time)
    assert check.status == "fail"
    assert "certificate" not in check.message


async def test_a_name_resolves_or_not():
    assert (await dns(Host("localhost", 443, encrypted=True))).status == "ok"
    assert (await dns(Host("no-such-host.invalid", 443, encrypted=True))).status == "fail"


async def test_behind_a_proxy_neither_name_nor_certificate_is_this_machine_s_business(monkeypatch):
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@127.0.0.1:{port}")
    host = host_of("https://res.openai.azure.com/openai/v1")
    checks = [await dns(host), await tls(host, time.time)]
    server.close()
    assert [check.status for check in checks] == ["skip", "skip"]
    assert "hunter2" not in repr((host, checks))
    assert host_of("https://localhost/v1").proxy is None


@pytest.mark.parametrize("proxy", ["http://user:hunter2@127.0.0.1:1", "http://user:hunter2@no-such-proxy.invalid:3128"])
async def test_a_proxy_that_cannot_be_reached_fails_with_its_variable(monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    check = await tls(host_of("https://res.openai.azure.com/openai/v1"), time.time)
    assert check.status == "fail"
    assert "HTTPS_PROXY" in check.message
    assert "hunter2" not in repr(check)
