"""Name what a run starts from: an input image anywhere, or a finished video by its job or run directory."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from runner.artifacts.picture import Look, look
from runner.artifacts.result_file import read_result
from runner.config.provider import servers_of
from runner.config.run import RunConfig
from runner.errors import ConfigError

from . import endpoint

if TYPE_CHECKING:
    from runner.artifacts.result import Result


FilePart = tuple[str, bytes, str]
"""Name, content and media type, as the SDK takes a file."""

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"), (b"BM", "bmp"),
    (b"II*\0", "tiff"), (b"MM\0*", "tiff"),
)  # fmt: skip
_MOST_BYTES = 512 * 1024 * 1024
"""Far beyond any picture that could be sent."""
_HEAD = re.compile(r'([^,"]*(?:"[^"]*"[^,"]*)*),')
"""What stands before a data URL's data; a quoted parameter may hold a comma of its own."""
_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class File:
    """Describe an image whose bytes are at hand."""

    name: str
    content: bytes = field(repr=False)
    media_type: str

    @property
    def part(self) -> FilePart:
        """Return the file as the SDK sends it."""
        return self.name, self.content, self.media_type

    @property
    def url(self) -> str:
        """Return the file as a data URL."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"

    @property
    def record(self) -> dict[str, str | int]:
        """Return what tells this image from others, without its content."""
        return {"file": self.name, "bytes": len(self.content), "sha256": hashlib.sha256(self.content).hexdigest()}


@dataclass(frozen=True, slots=True)
class Address:
    """Describe an image on another machine; the engine downloads it before it is uploaded."""

    url: str

    @property
    def part(self) -> FilePart:
        """Return nothing that could be sent."""
        raise ConfigError("the image lies at an address, and an edit uploads it", hint="download it and give its path")

    @property
    def record(self) -> dict[str, str | int]:
        """Return where it comes from."""
        return {"url": self.url}


Reference = File | Address


def read(text: str, size: int = -1) -> Reference:
    """Return the image that a config names, or its first `size` bytes; raises `ConfigError` with the reason if none."""
    scheme = text.partition(":")[0].lower() if "://" in text or text[:5].lower() == "data:" else ""
    if scheme in ("http", "https"):
        return Address(text)
    if scheme == "data":
        return named("image", _decode(text))
    if scheme:
        raise ConfigError(f"{scheme}:// is no address an image can come from", hint="a local path, https:// or data:")
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises where there is no such user
    try:
        with path.open("rb") as file:
            return named(path.stem, file.read(size), text)
    except ValueError as error:  # a zero byte, or half a character
        raise ConfigError(f"{text!r} is no path", hint=f"paths are relative to {Path.cwd()}") from error
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise ConfigError(f"{text} {reason}", hint=f"paths are relative to {Path.cwd()}") from error


def media_type(content: bytes) -> str | None:
    """Return the media type by the first bytes, None for no image; what servers do not take is converted first."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((f"image/{name}" for signature, name in _SIGNATURES if content.startswith(signature)), None)


def named(stem: str, content: bytes, origin: str = "the data URL") -> File:
    """Return the image that `content` is; raises `ConfigError` if it is of no kind that is taken."""
    kind = media_type(content)
    if kind is None:
        raise ConfigError(f"{origin} is no PNG, JPEG or WebP image", hint="convert it first")
    return File(f"{stem}.{kind.removeprefix('image/')}", content, kind)


def look_at(image: str) -> Look | None:
    """Return what is known of an image at hand, which is decoded once for all runs; None where it lies at an address.

    Raises `ConfigError` if it cannot be read whole.
    """
    if isinstance(read(image, 16), Address):
        return None
    if image[:5].lower() == "data:":
        return _look_at_data(image)
    path = Path(os.path.expanduser(image))  # noqa: PTH111 - as in `read`
    about = path.stat()
    return _look_at_file(path, about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=1024)
def _look_at_file(path: Path, _changed: int, size: int) -> Look:
    if size > _MOST_BYTES:
        raise ConfigError(f"{path} has {size:,} bytes, which is too large for an input image", hint="scale it down")
    return look(path.read_bytes())


@functools.lru_cache(maxsize=64)
def _look_at_data(url: str) -> Look:
    return look(_decode(url))


def from_base64(text: str | bytes) -> bytes:
    """Decode base64 as programs write it: wrapped, unpadded, URL-safe or percent-encoded; raises `ValueError`."""
    data = b"".join(unquote_to_bytes(text).split()).translate(_FROM_URL_SAFE).rstrip(b"=")
    return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)


def _decode(url: str) -> bytes:
    found = _HEAD.match(url)
    if found is None:
        raise ConfigError("a data URL needs a comma before its data", hint="data:image/png;base64,…")
    data, parameters = url[found.end() :], [part.strip().lower() for part in found[1].split(";")]
    try:
        return from_base64(data)
    except ValueError as error:
        if "base64" not in parameters:  # some programs leave the word out
            return unquote_to_bytes(data)
        raise ConfigError("the data URL's base64 is broken", hint="data:image/png;base64,…") from error


_PATHS = (".", "~", os.sep)
"""How a path begins that cannot be an id."""
_ID = "video_"
"""How ids begin, which may be base64 and hold a slash."""


def source_id(config: RunConfig, video: str) -> str:
    """Return the id of the job that made `video`; raises `ConfigError` where the run cannot start from it."""
    if (directory := _directory(video)) is not None:
        return _job_of(config, directory, read_result(directory))
    if video.startswith(_PATHS) or (os.sep in video and not video.startswith(_ID)):
        raise ConfigError(
            f"{video} is no directory", hint="a job's id, or the directory of the run that made the video"
        )
    if servers_of(config.provider):
        raise ConfigError(
            f"an id ({video}) does not tell which server of provider.base_urls has the video",
            hint="give the directory of the run that made it, or provider.base_urls=[] provider.base_url=URL",
        )
    return video


def source_place(video: str) -> str | None:
    """Return the endpoint that keeps `video`, where it is given by the directory of its run."""
    directory = _directory(video)
    return None if directory is None else read_result(directory).endpoint


def _directory(video: str) -> Path | None:
    is_one = Path(video).is_absolute() and os.path.isdir(video)  # noqa: PTH112 - an id may be longer than a name may be
    return Path(video) if is_one else None


def _job_of(config: RunConfig, directory: Path, result: Result) -> str:
    from runner.artifacts.run_status import RunStatus  # most videos are made from nothing

    finished = (RunStatus.COMPLETED, RunStatus.DOWNLOADED, RunStatus.VERIFIED)
    if result.job_id is None or result.status not in finished:
        raise ConfigError(f"{directory} holds no finished video: its run is {result.status.value}")
    if result.remote_deleted:
        raise ConfigError(f"the video of {directory} was deleted at its provider, where it would have to be")
    servers = servers_of(config.provider) or (config.provider,)
    here = [endpoint.resolve(server).identity for server in servers]
    if result.endpoint not in here:
        raise ConfigError(f"the video of {directory} is at {result.endpoint}, and this run goes to {' or '.join(here)}",
                          hint=f"provider={result.provider}, as for that run")  # fmt: skip
    return result.job_id
