"""A generated file: its bytes, with what they are and where they lie."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Self, SupportsIndex, overload

from runner.artifacts.atomic import disk_errors

from .folder import Folder


class Media(bytes):
    """A file's content as bytes.

    Attributes:
        content_type: as in video/mp4.
        path: the file that the bytes were read from.

    `media["content"]` and `media["content_type"]` are there for code that knows media as a mapping.
    """

    content_type: str
    path: Path
    _folder: Folder

    @classmethod
    def read(cls, path: Path, content_type: str, folder: Folder) -> Self:
        """The file's content; the folder stays as long as this object does."""
        with disk_errors(path):
            media = cls(path.read_bytes())
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

    def __repr__(self) -> str:
        # Megabytes of escapes help nobody who prints a response.
        return f"<{self.content_type}, {len(self):,} bytes, {self.path}>"

    __str__ = __repr__


def copy(source: Path, target: str | Path) -> Path:
    """Copy a file piece by piece to `target`, or into it where that is a directory; returns where it is now."""
    path = Path(target).expanduser()
    path = path / source.name if path.is_dir() else path
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
    return path
