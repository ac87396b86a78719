"""Give a generated file: its bytes, what they are, the directory where they lie and how long that stays."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self, SupportsIndex, overload

from pydantic import ConfigDict
from typing_extensions import TypedDict

from runner.artifacts.atomic import output_errors
from runner.errors import RunnerError
from runner.providers.reference import from_base64


class Folder:
    """Make a directory: a lasting one below `parent`, else a temporary one, deleted with the last reference to it."""

    def __init__(self, parent: Path | None) -> None:
        self._owner: int | None = None
        self._finalizer: weakref.finalize[[Path, int], Folder] | None = None
        if parent is None:
            with output_errors(Path(tempfile.gettempdir())):
                self.path = Path(tempfile.mkdtemp(prefix="runner-"))
            self._owner = os.getpid()
            self._finalizer = weakref.finalize(self, _remove, self.path, self._owner)
        else:
            started = f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}"
            self.path = parent.expanduser().absolute() / f"{started}-{secrets.token_hex(3)}"
            with output_errors(self.path):
                self.path.mkdir(parents=True)

    def keep(self) -> None:
        """Let a temporary directory stay: something in it is not finished, or somebody else has it now."""
        self._owner = None
        if self._finalizer is not None:
            self._finalizer.detach()

    def remove(self) -> None:
        """Delete a temporary directory now."""
        if self._owner is not None:
            _remove(self.path, self._owner)

    def discard(self) -> None:
        """Delete the directory, wherever it is: nothing was sent, so that nothing in it matters."""
        self.keep()
        shutil.rmtree(self.path, ignore_errors=True)

    def __getstate__(self) -> dict[str, Any]:  # Any: one value per name
        """Let a temporary directory stay, as another process may have it now; what is loaded there may `remove` it."""
        state = {"path": self.path, "temporary": self._owner is not None}
        self.keep()
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:  # Any: as above
        self.path, self._finalizer = state["path"], None
        self._owner = os.getpid() if state["temporary"] else None

    def __deepcopy__(self, _memo: object) -> Self:
        return self  # the directory goes with the last reference to it, of a copy too


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # a fork that ends must not take its parent's files along
        shutil.rmtree(path, ignore_errors=True)


class MediaContent(TypedDict):
    """Hold bytes with their content type."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # how pydantic closes a TypedDict

    content: bytes
    content_type: str


MediaType = str | bytes | MediaContent
"""A video or an image: an address, a data URL, base64 text, or bytes."""

_KEYS = ("content", "content_type")


class Media(bytes):
    """Hold a file's content as bytes.

    Attributes:
        content_type: as in video/mp4.
        path: the file that the bytes were read from.

    It is a mapping, too, for code that knows media as one: `"content" in media`, `media["content_type"]`,
    `media.get("content")`, `dict(media)`.
    """

    content_type: str
    path: Path
    _folder: Folder

    @classmethod
    def read(cls, path: Path, content_type: str, folder: Folder) -> Self:
        """Return the file's content; the folder stays as long as this object does."""
        try:
            media = cls(path.read_bytes())
        except OSError as error:
            raise _gone(path, error) from error
        media.content_type, media.path, media._folder = content_type, path, folder
        return media

    @overload
    def __getitem__(self, key: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> bytes: ...
    @overload
    def __getitem__(self, key: str) -> Any: ...  # Any: bytes or text, by key
    def __getitem__(self, key: SupportsIndex | slice | str) -> Any:  # Any: as above
        if isinstance(key, str):
            return {"content": bytes(self), "content_type": self.content_type}[key]
        return super().__getitem__(key)

    def __contains__(self, item: object) -> bool:
        return item in _KEYS if isinstance(item, str) else super().__contains__(item)  # type: ignore[operator]  # bytes say what they cannot contain

    def __eq__(self, other: object) -> bool:
        return dict(self.items()) == other if isinstance(other, Mapping) else super().__eq__(other)

    __hash__ = bytes.__hash__

    def get(self, key: str, default: Any = None) -> Any:  # Any: as above
        """Return the content or its type, as a mapping does."""
        return self[key] if key in _KEYS else default

    def keys(self) -> tuple[str, ...]:
        """Return what a mapping's keys are here: content and content_type."""
        return _KEYS

    def values(self) -> tuple[Any, ...]:  # Any: as above
        """Return the content and its type."""
        return tuple(self[key] for key in _KEYS)

    def items(self) -> tuple[tuple[str, Any], ...]:  # Any: as above
        """Return the content and its type, each with its key."""
        return tuple(zip(_KEYS, self.values(), strict=True))

    def __repr__(self) -> str:
        # Megabytes of escapes help nobody who prints a response.
        return f"<{self.content_type}, {len(self):,} bytes, {self.path}>"

    __str__ = __repr__


def _gone(path: Path, error: OSError) -> RunnerError:
    """Return the error about a file of a response that cannot be read any more."""
    if isinstance(error, FileNotFoundError):
        message = f"{path} is gone: the response was closed, its process ended, or its directory was removed"
        return RunnerError(message, hint="save(path) before close(), or an output_dir, keeps the files")
    return RunnerError(f"{path} cannot be read: {error.strerror or error}")


def copy(source: Path, target: str | Path) -> Path:
    """Copy a file piece by piece to `target`, or into it where that is a directory; returns where it is now."""
    path = _place(source.name, target)
    try:
        source.stat()
    except OSError as error:
        raise _gone(source, error) from error
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(shutil.SameFileError):
            shutil.copyfile(source, path)
    return path


def write(media: MediaType, name: str, target: str | Path) -> Path:
    """Write media that were given by hand to `target`, or into it as `name`; raises `RunnerError` for an address."""
    content = _content(media)
    if content is None:
        raise RunnerError("this response holds an address, not a file", hint="download it from there")
    path = _place(name, target)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path


def as_json(media: MediaType) -> str | dict[str, str]:
    """Return media that were given by hand as JSON can have them: bytes in base64."""
    match media:
        case str():
            return media
        case bytes():
            return base64.b64encode(media).decode()
    return {"content": base64.b64encode(media["content"]).decode(), "content_type": media["content_type"]}


def _place(name: str, target: str | Path) -> Path:
    path = Path(target).expanduser()
    return path / name if path.is_dir() else path


def _content(media: MediaType) -> bytes | None:
    match media:
        case bytes():
            return bytes(media)
        case str():
            try:
                return from_base64(media.partition(",")[2] if media.startswith("data:") else media)
            except ValueError:
                return None
    return media["content"]
