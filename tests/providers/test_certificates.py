from __future__ import annotations

import datetime as dt
import ipaddress
import ssl

import pytest

from runner.errors import HTTPConnectionError, RunnerError
from runner.providers.base import Job, JobStatus
from runner.providers.registry import create


@pytest.fixture
def own_certificate(tmp_path):
    """A TLS server's context with a certificate for 127.0.0.1 that no authority signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "certificate.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


async def opened(provider) -> bytes:
    job = Job("video_1", JobStatus.COMPLETED, "completed")
    async with provider.content(job) as content:
        return b"".join([chunk async for chunk in content.chunks()])


async def test_a_file_behind_tls_is_verified_also_where_the_endpoint_itself_is_not_encrypted(
    serve, config_of, own_certificate
):
    import asyncio

    async def never(_reader, writer):
        writer.close()

    encrypted = await asyncio.start_server(never, "127.0.0.1", 0, ssl=own_certificate)
    async with encrypted:
        port = encrypted.sockets[0].getsockname()[1]

        async def other_runs(_reader, writer):
            writer.write(
                b"HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1:%d/v.mp4\r\ncontent-length: 0\r\n\r\n" % port
            )

        async with serve(other_runs) as url:
            config = config_of({"base_url": url, "allow_http": True})
            provider = create(config.provider, {"OPENAI_API_KEY": "throw-away"})
            try:
                with pytest.raises(RunnerError) as caught:
                    await opened(provider)
            finally:
                await provider.close()
    assert type(caught.value) is HTTPConnectionError
    assert "TLS failed: self-signed certificate" in str(caught.value)


@pytest.mark.parametrize("trusted", [True, False])
async def test_an_authority_of_one_s_own_counts_for_this_machine_too(
    config_of, own_certificate, tmp_path, monkeypatch, trusted
):
    import asyncio

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"id": "video_1", "status": "queued"}'
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=own_certificate)
    config = config_of({"base_url": f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"})
    provider = create(config.provider, {"OPENAI_API_KEY": "throw-away"})
    try:
        if trusted:
            assert (await provider.retrieve("video_1")).id == "video_1"
            return
        with pytest.raises(HTTPConnectionError, match="TLS failed") as caught:
            await provider.retrieve("video_1")
        assert "SSL_CERT_FILE" in (caught.value.hint or "")
    finally:
        await provider.close()
        server.close()
