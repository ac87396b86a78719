"""Read and extend files of one JSON object a line, which several processes may extend at once and nobody rewrites."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .atomic import ROOM, disk_errors, sync_directory

_HINT = f"{ROOM}, and try again; runs and their files are not affected"

_WAIT = 10.0
"""Seconds to wait for another process that appends just now."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
"""What a file system says that has no locks: there, one write alone keeps lines apart."""

Object = dict[str, Any]
"""Any: JSON."""


def append_lines(path: Path, objects: Sequence[Object]) -> None:
    """Append the objects in one write, and return when they are on the disk; raises `DiskError`.

    A last line that a crash cut short stays as it is, and becomes a line of its own.
    """
    if not objects:
        return
    # As ASCII: a name in it may hold what is no text.
    text = "".join(f"{json.dumps(each, separators=(',', ':'), allow_nan=False)}\n" for each in objects)
    with disk_errors(path, _HINT), _locked(path):
        first = not path.exists()
        with open(path, "ab", buffering=0, opener=_no_link) as file:
            _write(file.fileno(), ("\n" if _is_cut(path) else "") + text)
            os.fsync(file.fileno())
        if first:
            sync_directory(path.parent)


def _no_link(path: str, flags: int) -> int:
    """Open no link: a directory may come from anyone, and what it links to is another file of the user's."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _write(descriptor: int, text: str) -> None:
    content = memoryview(text.encode("ascii"))
    while content:
        content = content[os.write(descriptor, content) :]


def _is_cut(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read(1) not in (b"", b"\n")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=_WAIT)
    try:
        lock.acquire()
    except Timeout as error:
        raise OSError(errno.EAGAIN, "another process has been writing it for too long") from error
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()


class JSONLinesReader:
    """Read a file again and again, each object once, while others append to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[int, int] | None = None
        self._offset = 0
        self._unreadable = 0
        self._cut = False

    @property
    def unreadable(self) -> int:
        """Return how many of the lines read so far are no JSON objects; one that was cut short counts, too."""
        return self._unreadable + self._cut

    def read(self) -> list[Object]:
        """Return the objects that came since the last call, all of them where the file is another one now.

        A file that is not there has none. Raises `OSError` where it cannot be read.
        """
        self._cut = False
        if not self._path.is_file():
            return []
        with self._path.open("rb") as file:
            state = os.fstat(file.fileno())
            known = (state.st_dev, state.st_ino)
            if known != self._known or state.st_size < self._offset:
                self._known, self._offset, self._unreadable = known, 0, 0
            file.seek(self._offset)
            content = file.read()
        whole, _, rest = content.rpartition(b"\n")
        found = [_parsed(line) for line in whole.split(b"\n") if line.strip()]
        self._offset += len(content) - len(rest)
        self._unreadable += found.count(None)
        if rest.strip():
            # What is still being written lacks its last brace. What does not is whole, as an editor may leave it.
            last = _parsed(rest)
            self._cut = last is None
            self._offset += len(rest) if last is not None else 0
            found.append(last)
        return [each for each in found if each is not None]


def _parsed(line: bytes) -> Object | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
