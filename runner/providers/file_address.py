"""Find where a server says that a finished file is, and allow no address into this machine or its networks.

The exception is a network on which the endpoint itself is. What is left to chance: behind a proxy it is the proxy that
resolves a name, and this machine's own public addresses are like any other.
"""

from __future__ import annotations

import asyncio
import re
import socket
import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urljoin, urlsplit

from runner.artifacts.download import begins_like_a_file
from runner.config.request import VideoRequest
from runner.config.run import RunConfig
from runner.errors import (
    BadRequestError,
    ExpiredError,
    HTTPConnectionError,
    JobNotFoundError,
    ServerError,
    UnexpectedAnswerError,
)

from .base import FORBIDDEN, Job, JobStatus
from .call import Call
from .endpoint import is_loopback, origin, proxy_of, split
from .json_answer import parsed

IP = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_MOST_ADDRESSES = 4


class Zone(Enum):
    """Describe where an IP address leads."""

    PUBLIC = "the internet"
    PRIVATE = "the private network"
    LOOPBACK = "this machine"
    LOCAL = "the local link"


_NETWORKS = {
    Zone.LOOPBACK: ("127.0.0.0/8", "0.0.0.0/8", "::/127"),
    # Multicast, and the metadata services of clouds, wherever they are: they answer only to the machine itself.
    Zone.LOCAL: ("169.254.0.0/16", "fe80::/10", "224.0.0.0/4", "ff00::/8", "255.255.255.255/32", "192.0.0.0/24",
                 "168.63.129.16/32", "100.100.100.200/32", "fd00:ec2::/32", "fd20:ce::/32"),
    Zone.PRIVATE: ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10",
                   "64:ff9b:1::/48"),
}  # fmt: skip
_ZONES = tuple((ip_network(text), zone) for zone, texts in _NETWORKS.items() for text in texts)
_NAT64 = ip_network("64:ff9b::/96")
_NOBODY = ip_network("::/127")


def zone_of(address: IP) -> Zone:
    """Return where an IP address leads, an IPv4 address inside an IPv6 one included."""
    inner = _embedded(address)
    if inner is not None:
        return zone_of(inner)
    return next((zone for network, zone in _ZONES if address in network), Zone.PUBLIC)


def _embedded(address: IP) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _NAT64 or (int(address) < 2**32 and address not in _NOBODY):
        return last
    return address.ipv4_mapped or address.sixtofour


def ip_of(host: str) -> IP | None:
    """Return the IP address that `host` spells, also as 127.1, 2130706433, 0x7f.1 or 0177.0.0.1; None for a name."""
    # As the HTTP client and resolvers read digits and dots of other scripts.
    text = unicodedata.normalize("NFKC", host).replace("\u3002", ".").strip("[]").rstrip(".")
    try:
        return ip_address(text)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(text)) if text and text.isascii() else None
    except (OSError, ValueError):
        return None


async def look_up(host: str, port: int) -> Sequence[str]:
    """Return the IP addresses of a name; raises `OSError` if it does not resolve."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Reach:
    """Decide what a server at `home` may name; `resolve` looks names up (None: no name is looked up)."""

    def __init__(self, home: str, resolve: Resolve | None = look_up) -> None:
        self._home = _parsed(home)
        self._resolve = resolve
        self._home_zone: Zone | None = None

    async def addresses(self, url: str) -> Sequence[str]:
        """Return the IP addresses to connect to for `url`; none: its name is for the proxy to resolve, or the home's.

        Raises `UnexpectedAnswerError` unless the address may be asked, and `OSError` if its name does not resolve.
        """
        parts = _parsed(url)
        if origin(parts) == origin(self._home):
            return ()
        await self._check_scheme(parts)
        host, here = parts.hostname or "", self._home.hostname or ""
        if host.lower() == here.lower():
            return ()
        spelled = ip_of(host)
        if spelled is not None:
            await self._check_zone(zone_of(spelled), host)
            return () if proxy_of(url) else (str(spelled),)
        if is_loopback(host):
            await self._check_zone(Zone.LOOPBACK, host)
        if self._resolve is None or proxy_of(url) is not None:
            return ()
        found = await self._resolve(host, parts.port or 443)
        for address in found:
            await self._check_zone(zone_of(ip_address(address.partition("%")[0])), host)
        return found[:_MOST_ADDRESSES]

    async def _check_scheme(self, parts: SplitResult) -> None:
        if parts.scheme == "https" or self._home.scheme == "http":
            return
        if await self._zone_of_home() not in (Zone.LOOPBACK, Zone.PRIVATE):
            raise UnexpectedAnswerError(f"the server named an unencrypted address at {parts.hostname}",
                                        hint="only https addresses are fetched", code=FORBIDDEN)  # fmt: skip

    async def _check_zone(self, zone: Zone, host: str) -> None:
        if zone is Zone.PUBLIC or (zone is not Zone.LOCAL and zone is await self._zone_of_home()):
            return
        raise UnexpectedAnswerError(
            f"the server named an address at {host}, which leads into {zone.value}; it is not fetched",
            hint="a server may name such an address only if it is there itself; if you trust it, get the file by hand",
            code=FORBIDDEN,
        )

    async def _zone_of_home(self) -> Zone:
        if self._home_zone is None:
            # A name that does not resolve may do so later.
            self._home_zone = await self._look_home_up()
        return self._home_zone or Zone.PUBLIC

    async def _look_home_up(self) -> Zone | None:
        """Return where the home leads; None where its name does not resolve."""
        host = self._home.hostname or ""
        spelled = ip_of(host)
        if spelled is not None:
            return zone_of(spelled)
        if is_loopback(host):
            return Zone.LOOPBACK
        if self._resolve is None or proxy_of(self._home.geturl()) is not None:
            return Zone.PUBLIC
        try:
            found = await self._resolve(host, self._home.port or 443)
        except OSError:
            return None
        zones = {zone_of(ip_address(address.partition("%")[0])) for address in found}
        return zones.pop() if len(zones) == 1 else Zone.PUBLIC


def host_of(address: str) -> str:
    """Return host and port of an address that may be anything, without user and password; '' for none."""
    try:
        return urlsplit(address).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def joined(base: str, address: str) -> str:
    """Return `address`, which may be relative to `base`, as an absolute one; raises `UnexpectedAnswerError`."""
    try:
        if address.strip():
            # Some servers name files with blanks in their names, and do not escape them.
            return urljoin(base, address.strip().replace(" ", "%20"))
    except ValueError:
        pass
    raise UnexpectedAnswerError("the server named an address that cannot be read", code=FORBIDDEN)


def _parsed(url: str) -> SplitResult:
    try:
        parts = split(url)
    except ValueError as error:
        raise UnexpectedAnswerError(f"the server named an address that {error}", code=FORBIDDEN) from None
    if "@" in parts.netloc or "\\" in url:
        raise UnexpectedAnswerError(f"the server named an address with a user or password at {parts.hostname}",
                                    hint="it is not fetched: the HTTP client would sign in there",
                                    code=FORBIDDEN)  # fmt: skip
    return parts


_MOST = 5
"""Addresses of one answer that are tried."""
_DEEPEST = 12

_WORD = re.compile(r"b64|base64|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VIDEO = _words("video videos movie clip animation mp4 webm")
_IMAGE = _words("image images img picture png webp")
_FILE = _words(
    "url urls uri uris href link address download file files output outputs result results content contents asset "
    "assets artifact artifacts media generation generations b64 base64 data"
)
_OTHER = _words(
    "thumbnail thumbnails thumb thumbs cover covers poster posters preview spritesheet sprite frame frames input "
    "inputs source reference references init mask prompt webhook callback notify status cancel get self next "
    "previous poll polling log logs stream web page docs help error errors audio subtitle subtitles caption avatar "
    "icon logo user request param params parameters delete"
)
"""Words of keys whose address is another file, or a route of the API."""
_VIDEO_ENDINGS = _words("mp4 m4v mov webm mkv avi ts mpg mpeg flv ogv gif")
_IMAGE_ENDINGS = _words("png jpg jpeg webp avif gif svg heic bmp tif tiff")
_OTHER_ENDINGS = _words("json html htm txt srt vtt mp3 wav m4a aac zip md pdf css js")
_SHORTEST_FILE = 64


def named_files(raw: object, *, picture: bool = False) -> list[str]:
    """Return the addresses of a finished video (or `picture`) that JSON names, or files that it holds as text.

    The likeliest comes first; what is named as a thumbnail, an input, or a route of the API is left out.
    """
    scored = [(score, text) for keys, text in _texts(raw, (), 0) if (score := _score(keys, text, picture=picture))]
    best = sorted(scored, key=lambda found: -found[0])
    return list(dict.fromkeys(text for _, text in best))[:_MOST]


def holds_file(text: str) -> bool:
    """Return whether `text` is a file itself, as a data URL or base64."""
    return text[:5].lower() == "data:" or (len(text) > _SHORTEST_FILE and begins_like_a_file(text))


def _texts(value: Any, keys: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], str]]:  # Any: JSON
    if isinstance(value, str):
        # Some servers write a job's metadata as a text that is JSON itself.
        inner = parsed(value) if depth < _DEEPEST and value.lstrip()[:1] in ("{", "[") else None
        yield from _texts(inner, keys, depth + 1) if inner is not None else [(keys, value.strip())]
    elif depth < _DEEPEST and isinstance(value, list):
        for child in value:
            yield from _texts(child, keys, depth + 1)
    elif depth < _DEEPEST and isinstance(value, dict):
        for key, child in value.items():
            yield from _texts(child, (*keys, str(key)), depth + 1)


def _score(keys: tuple[str, ...], text: str, *, picture: bool) -> int:
    """Return how much `text`, which stands below `keys`, looks like the file's address; 0: not at all."""
    words = [{word.lower() for word in _WORD.findall(key)} for key in keys]
    everything = frozenset[str]().union(*words)
    wanted, unwanted = (_IMAGE, _VIDEO) if picture else (_VIDEO, _IMAGE)
    if everything & _OTHER or not text:
        return 0
    last = words[-1] if words else set()
    said = 4 * bool(last & wanted) + 2 * bool(everything & wanted) + bool(last & _FILE) + bool(everything & _FILE)
    if holds_file(text):
        return max(said, 1)
    plain = keys == ("url",)
    if not _is_address(text, relative=bool(last & (_FILE | wanted)), anyhow=plain):
        return 0
    suffix = PurePosixPath(unquote(urlsplit(text).path)).suffix[1:].lower()
    if suffix in (_IMAGE_ENDINGS if picture else _VIDEO_ENDINGS):
        return said + 8
    if suffix in _OTHER_ENDINGS | _VIDEO_ENDINGS | _IMAGE_ENDINGS or everything & unwanted:
        return int(plain)  # the one key that a server documents
    return said


def _is_address(text: str, *, relative: bool, anyhow: bool) -> bool:
    blank = " " in text  # as in a file's name that was not escaped
    if any(char.isspace() for char in text.replace(" ", "")) or len(text) > 16_384:
        return False
    try:
        scheme = urlsplit(text).scheme.lower()
    except ValueError:
        return False
    if scheme or blank:
        return scheme in ("http", "https")
    return anyhow or (relative and text[:1] == "/" and len(text) > 1)


_UNPAID = "nothing was sent or paid"
_ANOTHER = "request.video=ID, or =DIR of its run, of a finished video of the same endpoint and account"


@contextmanager
def hidden(address: str, secrets: list[str]) -> Iterator[None]:
    """Hold an address, and its parts without and with what signs it, among `secrets` while it is being sent.

    It opens for everybody, so no answer may repeat it.
    """
    place, _, signature = address.partition("?")
    parts = [address, place, signature, *(value for _, value in parse_qsl(signature))]
    secrets += parts
    try:
        yield
    finally:
        for part in parts:
            secrets.remove(part)


async def find_address(
    ask: Callable[[str], Awaitable[Job]],
    config: RunConfig,
    call: Call,
    lengths: Mapping[str, tuple[float, float]],
) -> str:
    """Return where the video of the job `call.source` lies now.

    `lengths` are the least and most seconds of a source by what is made of it. Raises `BadRequestError` where there is
    no such video, or it is of another length, `HTTPConnectionError` where that cannot be told at present, and what
    else `ask` does: whatever it is, nothing was paid.
    """
    host, name = call.place.host, call.source or ""
    try:
        job = await ask(name)
    except (JobNotFoundError, ExpiredError) as error:
        message = f"{host} has no video {name} to start from: {error.message}; {_UNPAID}"
        raise BadRequestError(message, hint=_ANOTHER, code=error.code, **call.details) from error
    except ServerError as error:
        message = f"{host} does not tell where the video {name} lies to start from: {error.message}; {_UNPAID}"
        raise HTTPConnectionError(message, hint="try again later", code=error.code, **call.details) from error
    if job.status is not JobStatus.COMPLETED:
        said = job.raw_status or job.status.value
        words = f" ({job.error_message})" if job.error_message else ""
        message = f"the job {name} is {said}{words}, and has no video to start from; {_UNPAID}"
        raise BadRequestError(message, hint=_ANOTHER, **call.details)
    if not job.signed:
        message = f"{host} names no file of {name} at present; {_UNPAID}"
        raise HTTPConnectionError(message, hint="try again later", **call.details)
    if config.model.validation == "strict":
        _check_length(job, config, call, lengths)
    return job.signed[0]


def _check_length(job: Job, config: RunConfig, call: Call, lengths: Mapping[str, tuple[float, float]]) -> None:
    video = job.raw.get("video")
    seconds = video.get("duration") if isinstance(video, dict) else None
    made_by = config.request.made_by if isinstance(config.request, VideoRequest) else ""
    if made_by not in lengths or not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return
    least, most = lengths[made_by]
    if not least <= seconds <= most:
        bounds = f"{least:g} to {most:g} s" if least else f"at most {most:g} s"
        raise BadRequestError(
            f"the video {job.id} is {seconds:g} s long; {call.place.host} can {made_by} videos of {bounds}; {_UNPAID}",
            hint="another request.video, or model.validation=warn to let the host decide",
            **call.details,
        )
