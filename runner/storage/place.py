"""Reach one directory in a storage: write, read back and list its files, and compare them with those here."""

from __future__ import annotations

import base64
import hashlib
import logging
import mimetypes
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.artifacts.atomic import sync_directory

PART = 8 * 2**20
"""Bytes of a part, where a file is sent in several: S3's ETag is made of their sums."""

PIECE = 2**20
"""Bytes that are read at once; a part is a multiple of it."""


@dataclass(frozen=True, slots=True)
class Digests:
    """Hold the size and the checksums of one file.

    Attributes:
        size: in bytes.
        sha256: hexadecimal.
        md5: of the whole.
        parts: the MD5 of each part, of which the last may be shorter.
    """

    size: int
    sha256: str
    md5: bytes
    parts: tuple[bytes, ...]

    @property
    def etag_of_parts(self) -> str:
        """Return the ETag that S3 gives to a file that was sent in parts."""
        return f"{_md5(b''.join(self.parts)).hex()}-{len(self.parts)}"


def digests_of(path: Path) -> Digests:
    """Read a file; raises `OSError`."""
    sha256, part, parts, size = hashlib.sha256(), _new_md5(), list[bytes](), 0
    whole = None  # as the first part, as long as there is one alone
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            if size and size % PART == 0:
                whole = whole or part.copy()
                parts.append(part.digest())
                part = _new_md5()
            for each in filter(None, (sha256, whole, part)):
                each.update(piece)
            size += len(piece)
    return Digests(size, sha256.hexdigest(), (whole or part).digest(), (*parts, part.digest()))


def _new_md5() -> Any:  # Any: hashlib's object has no public name
    return hashlib.md5(usedforsecurity=False)


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def agrees(local: Digests, told: Mapping[str, Any]) -> bool | None:  # Any: what a storage tells of a file
    """Return whether a file in a storage is the local one, by what it tells; None where only its content can say.

    An ETag of S3 that differs says nothing: a bucket that encrypts with a key of its own makes it otherwise.
    """
    if int(told["size"]) != local.size:
        return False
    etag = str(told.get("ETag") or "").strip('"').lower()
    if etag in (local.md5.hex(), local.etag_of_parts):
        return True
    md5 = _told_md5(told)
    return None if md5 is None else md5 == local.md5


def _told_md5(told: Mapping[str, Any]) -> bytes | None:  # Any: as above
    """Return the MD5 sum that Google tells in base64, and Azure in bytes, of a file that was sent in one piece."""
    if isinstance(text := told.get("md5Hash"), str):
        return base64.b64decode(text)
    settings = told.get("content_settings")
    found = settings.get("content_md5") if isinstance(settings, Mapping) else None
    return bytes(found) if found else None


_S3 = frozenset({"s3", "s3a"})
_GOOGLE = frozenset({"gs", "gcs"})
_AZURE = frozenset({"az", "abfs", "abfss"})
_FLAT = _S3 | _GOOGLE | _AZURE | {"memory"}
"""Protocols whose files need no directory to be made first."""

_S3_CONFIG = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 3}}
"""Seconds, and repetitions of one request: a host that does not answer is noticed before a user gives up."""

_TALKATIVE = ("aiobotocore", "botocore", "s3fs", "gcsfs", "adlfs", "azure", "google", "fsspec", "urllib3")
"""Libraries whose finest log would hold signed requests, and whose warnings come again as errors where they matter."""

_TYPES = {".webp": "image/webp", ".webm": "video/webm", ".mp4": "video/mp4", ".jsonl": "application/x-ndjson",
          ".yaml": "application/yaml", ".log": "text/plain", ".csv": "text/csv"}  # fmt: skip
"""What the table of a system may lack: a browser shows no video that is said to be a stream of bytes."""

_LOCAL = frozenset({"file", "local"})

Advance = Callable[[], object]
"""Hears that something has arrived; called in any thread."""


@dataclass(frozen=True, slots=True)
class Place:
    """Reach a directory of a storage; whatever its library raises is raised as it is.

    Attributes:
        url: the directory's address, without a slash at its end.
        root: the same as the library has it.
    """

    url: str
    root: str
    _fs: Any  # Any: fsspec has no annotations
    _protocol: str

    def below(self, name: str) -> Place:
        """Return a directory below this one; itself for an empty name."""
        return replace(self, url=f"{self.url}/{name}", root=f"{self.root}/{name}") if name else self

    @property
    def path(self) -> Path | None:
        """Return the directory of this machine that the place is, with links resolved; None: it lies elsewhere."""
        return Path(os.path.realpath(self.root)) if self._protocol in _LOCAL else None

    def address(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self.url}/{name}"

    def put(self, local: Path, name: str, digests: Digests, advance: Advance) -> None:
        """Send a file; one that is larger than two parts goes in parts."""
        from fsspec.callbacks import Callback

        target = self._made(name)
        if self._protocol in _S3 and digests.size >= 2 * PART:
            from .upload import put_in_parts

            put_in_parts(self._fs, local, target, digests, media_type(name), advance)
            return
        arrived = Callback(hooks={"advance": lambda *_size, **_more: advance()})
        self._fs.put_file(str(local), target, callback=arrived, **self._manner(name))
        if self._protocol in _LOCAL:
            _sync(Path(target))

    def write(self, name: str, data: bytes) -> None:
        """Replace a small file."""
        self._fs.pipe_file(self._made(name), data)

    def read(self, name: str) -> bytes | None:
        """Return a small file's content, None if there is none."""
        try:
            return bytes(self._fs.cat_file(self._path(name)))
        except FileNotFoundError:
            return None

    def get(self, name: str, local: Path) -> None:
        """Fetch a file; raises `FileNotFoundError`."""
        self._fs.get_file(self._path(name), str(local))

    def exists(self, name: str) -> bool:
        """Return whether there is a file of this name."""
        return bool(self._fs.isfile(self._path(name)))

    def told(self, directory: str = "", *, nested: bool = True) -> dict[str, Mapping[str, Any]]:
        """Return what is told of the files of a directory, by their names, in one listing; `nested`: also below it.

        Any: what each storage tells of a file.
        """
        path = self._path(directory)
        try:
            if nested:
                found = self._fs.find(path, detail=True).values()
            else:
                found = [each for each in self._fs.ls(path, detail=True) if each["type"] == "file"]
        except FileNotFoundError:
            return {}
        start = len(self.root.lstrip("/")) + 1
        return {each["name"].lstrip("/")[start:]: each for each in found}

    def sha256(self, name: str) -> str:
        """Read a file back and return its SHA-256 (hexadecimal)."""
        found = hashlib.sha256()
        with self._fs.open(self._path(name), "rb", block_size=PART, cache_type="readahead") as file:
            while piece := file.read(PIECE):
                found.update(piece)
        return found.hexdigest()

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root

    def _made(self, name: str) -> str:
        """Return a file's path, and make its directory where it needs one."""
        path = self._path(name)
        if self._protocol not in _FLAT:
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        return path

    def _manner(self, name: str) -> dict[str, Any]:  # Any: each library's own
        """Return how a file is sent: its type, and how much of it is in memory at once."""
        kind = media_type(name)
        if self._protocol in _S3:
            return {"chunksize": PART, "ContentType": kind}
        if self._protocol in _GOOGLE:
            return {"chunksize": PART, "content_type": kind}
        if self._protocol in _AZURE:
            return {"content_settings": {"content_type": kind}, "max_concurrency": 1}
        return {}


def _sync(path: Path) -> None:
    """Make a file and its name survive a power cut: its original may be removed next."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    sync_directory(path.parent)


def is_local(url: str) -> bool:
    """Return whether an address is that of a directory of this machine."""
    return url.partition("://")[0] in _LOCAL


def reach(url: str) -> Place:
    """Return a directory of a storage by its address; imports its library, for a second, and asks nothing yet."""
    import fsspec

    url = url.rstrip("/")
    protocol = url.partition("://")[0]
    options = {"config_kwargs": _S3_CONFIG} if protocol in _S3 else {}
    fs, root = fsspec.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True, **options)
    return Place(url, root.rstrip("/"), fs, protocol)


def quieten_libraries() -> None:
    """Let the libraries of storages log errors alone; it is process-wide, and so the command line's to ask for."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.ERROR))


def media_type(name: str) -> str:
    """Return the type of a file of this name, as a browser needs it."""
    known = _TYPES.get(Path(name).suffix.lower())
    return known or mimetypes.guess_type(name)[0] or "application/octet-stream"
