"""An input image: a local file, a data URL, or an address that the server is to fetch."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from runner.errors import ConfigError

FilePart = tuple[str, bytes, str]
"""Name, content and media type, as the SDK takes a file."""

_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"))


@dataclass(frozen=True, slots=True)
class File:
    """An image whose bytes are at hand."""

    name: str
    content: bytes = field(repr=False)
    media_type: str

    @property
    def part(self) -> FilePart:
        """As the SDK sends it."""
        return self.name, self.content, self.media_type

    @property
    def record(self) -> dict[str, str | int]:
        """What tells this image from others, without its content."""
        return {"file": self.name, "bytes": len(self.content), "sha256": hashlib.sha256(self.content).hexdigest()}


@dataclass(frozen=True, slots=True)
class Remote(File):
    """An image that the engine downloads before it is sent; until then it can be described only."""

    url: str

    @property
    def part(self) -> FilePart:
        """Nothing that could be sent."""
        raise ConfigError("the image lies at an address, and an edit uploads it", hint="download it and give its path")

    @property
    def record(self) -> dict[str, str | int]:
        """Where it comes from."""
        return {"url": self.url}


@dataclass(frozen=True, slots=True)
class Address:
    """An image on another machine."""

    url: str


Reference = File | Address


def read(text: str, size: int = -1) -> Reference:
    """The image that a config names, or its first `size` bytes; raises `ConfigError` saying why it cannot be one."""
    scheme = urlsplit(text).scheme.lower() if "://" in text or text[:5].lower() == "data:" else ""
    if scheme in ("http", "https"):
        return Address(text)
    if scheme == "data":
        return named("image", _decode(text))
    if scheme:
        raise ConfigError(f"{scheme}:// is no address an image can come from", hint="a local path, https:// or data:")
    path = Path(text).expanduser()
    try:
        with path.open("rb") as file:
            return named(path.stem, file.read(size), text)
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise ConfigError(f"{text} {reason}", hint=f"paths are relative to {Path.cwd()}") from error


def media_type(content: bytes) -> str | None:
    """PNG, JPEG or WebP by the first bytes: a wrong content type is refused after the upload."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((f"image/{name}" for signature, name in _SIGNATURES if content.startswith(signature)), None)


def named(stem: str, content: bytes, origin: str = "the data URL") -> File:
    """The image that `content` is; raises `ConfigError` if it is of no kind that is taken."""
    kind = media_type(content)
    if kind is None:
        raise ConfigError(f"{origin} is no PNG, JPEG or WebP image", hint="convert it first")
    return File(f"{stem}.{kind.removeprefix('image/')}", content, kind)


def _decode(url: str) -> bytes:
    header, comma, data = url.partition(",")
    if not comma:
        raise ConfigError("a data URL needs a comma before its data", hint="data:image/png;base64,…")
    try:
        return base64.b64decode(data, validate=True) if header.lower().endswith(";base64") else unquote_to_bytes(data)
    except binascii.Error as error:
        raise ConfigError("the data URL's base64 is broken", hint="data:image/png;base64,…") from error
