"""A server's word never makes this machine ask itself or its private networks."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest

from runner.errors import HTTPConnectionError, RunnerError, UnexpectedAnswerError
from runner.providers.base import Job, JobStatus
from runner.providers.file_address import Reach, Zone, zone_of
from runner.providers.registry import create

PUBLIC, LOOPBACK, PRIVATE = "https://api.example/v1", "http://127.0.0.1:8000/v1", "http://10.1.2.3:8000/v1"
NAMES = {
    "localhost": ["::1", "127.0.0.1"],
    "a.localhost": ["127.0.0.1"],
    "api.example": ["93.184.216.34"],
    "cdn.example": ["93.184.216.35", "2606:2800:220:1::1"],
    "inside.example": ["10.0.0.7"],
    "both.example": ["93.184.216.36", "192.168.1.1"],
    "myself.example": ["127.0.0.1"],
    "myself6.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "gpu.internal": ["10.9.9.9"],
    "minio.internal": ["10.9.9.10"],
    "fake.example": ["198.18.0.7"],
}

LOOPBACKS = [
    "127.0.0.1", "127.1", "127.8.9.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0.0.0.0",
    "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "localhost", "LOCALHOST.", "a.localhost", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021",
    "myself.example", "myself6.example", "mapped.example",
]  # fmt: skip
PRIVATES = [
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "167772161", "0xa000001", "012.0.0.1",
    "10.1", "[fc00::1]", "[fd12:3456::1]", "[fec0::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "inside.example",
    "both.example",
]  # fmt: skip
LOCALS = [
    "169.254.169.254", "169.254.1.1", "2852039166", "0xa9fea9fe", "[fe80::1]", "[::ffff:169.254.169.254]", "224.0.0.1",
    "[ff02::1]", "255.255.255.255", "168.63.129.16", "100.100.100.200", "192.0.0.192", "[fd00:ec2::254]",
    "metadata.example",
]  # fmt: skip
EVERYWHERE = ["cdn.example", "93.184.216.35", "172.32.0.1", "100.128.0.1", "[2606:2800:220:1::1]", "fake.example"]


async def resolve(host: str, port: int) -> list[str]:
    del port
    name = host.rstrip(".").lower()
    if name.isascii() and name in NAMES:
        return NAMES[name]
    try:
        return [str(ipaddress.ip_address(name.encode("idna").decode()))]
    except ValueError:
        raise socket.gaierror(socket.EAI_NONAME, "unknown") from None


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def allowed(home: str, host: str) -> bool:
    try:
        await Reach(home, resolve).addresses(f"https://{host}/v.mp4")
    except UnexpectedAnswerError as error:
        return "not fetched" not in str(error)
    return True


@pytest.mark.parametrize("host", LOOPBACKS)
async def test_this_machine_is_named_only_by_itself(host):
    assert [await allowed(home, host) for home in (PUBLIC, PRIVATE, LOOPBACK)] == [False, False, True]


@pytest.mark.parametrize("host", PRIVATES)
async def test_a_private_network_is_named_only_by_who_is_in_one(host):
    mixed = host == "both.example"
    assert [await allowed(home, host) for home in (PUBLIC, LOOPBACK)] == [False, False]
    assert await allowed(PRIVATE, host) or mixed
    assert await allowed("https://gpu.internal/v1", host) or mixed


@pytest.mark.parametrize("host", LOCALS)
async def test_the_local_link_and_metadata_services_are_named_by_nobody(host):
    assert not any([await allowed(home, host) for home in (PUBLIC, PRIVATE, LOOPBACK)])


@pytest.mark.parametrize("host", EVERYWHERE)
async def test_the_rest_of_the_world_is_open(host):
    assert all([await allowed(home, host) for home in (PUBLIC, PRIVATE, LOOPBACK)])


@pytest.mark.parametrize(
    "home", ["https://metadata.example/v1", "https://myself.example/v1", "http://169.254.7.7:80/v1"]
)
async def test_the_endpoint_s_own_host_is_always_open(home):
    host = home.split("/")[2].partition(":")[0]
    scheme = home.partition(":")[0]
    for port in ("", ":9000"):
        assert list(await Reach(home, resolve).addresses(f"{scheme}://{host}{port}/v.mp4")) == []


async def test_an_endpoint_whose_name_is_private_may_name_its_network_unencrypted():
    assert await Reach("https://gpu.internal/v1", resolve).addresses("http://minio.internal:9000/v") == ["10.9.9.10"]
    with pytest.raises(UnexpectedAnswerError, match="unencrypted"):
        await Reach(PUBLIC, resolve).addresses("http://cdn.example/v.mp4")


async def test_a_name_is_looked_up_once_and_where_it_leads_is_what_is_connected_to():
    assert await Reach(PUBLIC, resolve).addresses("https://cdn.example/v") == NAMES["cdn.example"]
    with pytest.raises(OSError, match="unknown"):
        await Reach(PUBLIC, resolve).addresses("https://nowhere.example/v")


async def test_an_endpoint_whose_name_did_not_resolve_once_is_looked_up_again():
    answers = [OSError("try again"), ["10.9.9.9"]]

    async def unsteady(host: str, port: int):
        if host != "gpu.internal":
            return ["10.9.9.10"]
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    reach = Reach("https://gpu.internal/v1", unsteady)
    with pytest.raises(UnexpectedAnswerError, match="not fetched"):
        await reach.addresses("https://minio.internal/v")
    assert await reach.addresses("https://minio.internal/v") == ["10.9.9.10"]


def test_documentation_and_fake_addresses_of_proxies_are_like_any_other():
    for text in ("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "2001:db8::1"):
        assert zone_of(ipaddress.ip_address(text)) is Zone.PUBLIC


async def fetched(provider, address: str, **options: bool) -> bytes:
    async with provider.fetch(address, **options) as content:
        return b"".join([chunk async for chunk in content.chunks()])


@pytest.fixture
def dns(monkeypatch):
    """Names of the test's own; what it was asked for."""
    real, table, asked = socket.getaddrinfo, {}, []

    def getaddrinfo(host, *rest, **options):
        asked.append(host)
        if isinstance(host, str) and host.endswith(".example"):
            if not table.get(host):
                raise socket.gaierror(socket.EAI_NONAME, "unknown")
            host = table[host].pop(0) if len(table[host]) > 1 else table[host][0]
        return real(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return table, asked


class Site:
    """What a server of this machine was asked, head by head, and where its paths redirect to."""

    def __init__(self) -> None:
        self.port = 0
        self.heads: list[bytes] = []
        self.targets: dict[bytes, str] = {}

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        target = self.targets.get(head.split()[1])
        status = b"302 Found\r\nlocation: " + target.encode() if target else b"200 OK\r\ncontent-type: video/mp4"
        body = b"" if target else b"mp4"
        writer.write(b"HTTP/1.1 " + status + b"\r\nset-cookie: a=b\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def site():
    made = Site()
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest.fixture
async def client(site, config_of):
    provider = create(
        config_of({"base_url": f"http://127.0.0.1:{site.port}/v1"}).provider, {"OPENAI_API_KEY": "sk-canary-123456"}
    )
    yield provider
    await provider.close()


async def test_a_name_that_leads_elsewhere_when_asked_again_is_asked_once(site, client, dns):
    table, asked = dns
    table["files.example"] = ["127.0.0.1", "10.0.0.1"]
    assert await fetched(client, f"http://files.example:{site.port}/v.mp4") == b"mp4"
    assert asked.count("files.example") == 1
    (head,) = site.heads
    assert f"host: files.example:{site.port}".encode() in head.lower()
    assert b"sk-canary" not in head


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "http://10.0.0.1/v", "http://inside.example/v"])
async def test_a_redirect_into_another_network_is_not_followed(site, client, dns, target):
    dns[0]["inside.example"] = ["192.168.3.3"]
    site.targets[b"/start"] = target
    with pytest.raises(UnexpectedAnswerError, match="not fetched"):
        await fetched(client, f"http://127.0.0.1:{site.port}/start")
    site.targets[b"/v1/videos/video_1/content?variant=video"] = target
    with pytest.raises(RunnerError, match="not fetched"):
        async with client.content(Job("video_1", JobStatus.COMPLETED, "completed")):
            pass
    assert len(site.heads) == 2


async def test_a_host_that_refuses_is_asked_at_its_next_address(site, client, monkeypatch):
    def two(host, port):
        # Nothing listens at the first.
        found = ("127.0.0.2", "127.0.0.1") if host == "files.example" else (host,)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(
        asyncio.get_running_loop(), "getaddrinfo", lambda *args, **options: asyncio.to_thread(two, *args)
    )
    assert await fetched(client, f"http://files.example:{site.port}/v.mp4") == b"mp4"


async def test_a_name_that_does_not_resolve_is_worth_another_try(client, dns):
    with pytest.raises(HTTPConnectionError, match="does not resolve") as caught:
        await fetched(client, "https://nowhere.example/v.mp4")
    assert caught.value.retryable


async def test_what_a_user_names_may_be_on_this_machine_but_leads_nowhere_else(site, config_of):
    config = config_of({"base_url": "https://api.openai.com/v1"})
    provider = create(config.provider, {"OPENAI_API_KEY": "sk-canary-123456"})
    try:
        assert await fetched(provider, f"http://127.0.0.1:{site.port}/a.png", by_user=True) == b"mp4"
        with pytest.raises(UnexpectedAnswerError):
            await fetched(provider, f"http://127.0.0.1:{site.port}/a.png")
        site.targets[b"/b.png"] = "http://10.0.0.1/b.png"
        with pytest.raises(UnexpectedAnswerError):
            await fetched(provider, f"http://127.0.0.1:{site.port}/b.png", by_user=True)
    finally:
        await provider.close()
    assert len(site.heads) == 2
    assert b"sk-canary" not in b"".join(site.heads)
