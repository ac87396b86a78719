"""Find ledgers below a directory, and where a ledger's runs may lie; nothing is read."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

from runner.artifacts.result_file import NAME as RESULT

NAME = "ledger.sqlite3"

LOG = f"{NAME}-wal"
"""SQLite's log of what is not in the ledger's own file yet."""

STORAGE = "storage"
"""The fact of a ledger that tells where its runs were uploaded to; `uploads.py` has the rest."""

LEVELS = 4
"""How deep below its sweep's directory a run's may lie, as `hydra.sweep.subdir` may name several folders."""

OUTPUTS = Path("outputs")
"""Where runs go unless they are told otherwise."""


def has_ledger(directory: Path) -> bool:
    """Return whether `directory` holds a ledger."""
    return os.path.isfile(directory / NAME)  # noqa: PTH113 - Path.is_file raises on names too long


_NOTHING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
"""What is said of a path at which nobody has anything."""

_OF_THE_DISK = "lost+found"
"""A folder of the file system's own, where a disk is mounted; only root may look into it."""

_COMPOSED = ".hydra"
"""Where the command line writes the config of a run."""

Unreadable = Callable[[Path, OSError], object]
"""Hears of a directory that cannot be looked into, and why."""


def _nothing(_place: str) -> None:
    """Hear of a directory in which nobody is interested."""


def find_ledgers(
    root: Path,
    levels: int | None = None,
    unreadable: Unreadable = lambda _place, _error: None,
    call: Callable[[str], object] = _nothing,
) -> Iterator[Path]:
    """Yield the directories at or below `root` that have a ledger, those of a sweep's own runs not included.

    `root` itself may be a run's directory and that of all others too. Results may lie behind a link. With `levels`,
    what lies deeper below `root` is not looked for, and `unreadable` hears nothing of what other users have there.
    `call` hears of each directory on the way that a single call of the Python API has written, unless `root` has a
    ledger: what lies below is its own.
    """

    def pass_over(place: str, error: OSError) -> None:
        if error.errno not in _NOTHING and (levels is None or _is_own(place)):
            unreadable(Path(place), error)

    seen: set[tuple[int, int]] = set()
    waiting = [(os.fspath(root), 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            if not _first_seen(place, seen):
                continue
            # Looked for by its name: a sweep's directory with its thousands of runs is not listed for it.
            there = _has_ledger(place)
        except OSError as error:
            pass_over(place, error)
            continue
        if there:
            yield Path(place)
            if depth:
                continue
            call = _nothing
        if depth != levels:
            below = sorted(_folders(place, pass_over, call), reverse=True)
            waiting += [(os.path.join(place, name), depth + 1) for name in below]  # noqa: PTH118 - text, as above


def _has_ledger(place: str) -> bool:
    try:
        return not stat.S_ISDIR(os.lstat(os.path.join(place, NAME)).st_mode)  # noqa: PTH118 - text, as above
    except FileNotFoundError:
        return False


def _folders(place: str, pass_over: Callable[[str, OSError], None], call: Callable[[str], object]) -> Iterator[str]:
    """Yield the names of the folders in a directory, those behind links included and hidden ones not.

    `call` is that of `find_ledgers`: a result lies there, and no config of the command line.
    """
    told = composed = False
    try:
        with os.scandir(place) as found:
            for each in found:
                composed = composed or each.name == _COMPOSED
                if each.name.startswith(".") or each.name == _OF_THE_DISK:
                    continue
                try:
                    if each.is_dir():
                        yield each.name
                    elif each.name == RESULT:
                        told = each.is_file(follow_symlinks=False)
                except OSError as error:  # of what a link leads to
                    pass_over(each.path, error)
    except OSError as error:
        pass_over(place, error)
    if told and not composed:
        call(place)


def _is_own(place: str) -> bool:
    """Return whether a directory is this user's, or nobody can say whose."""
    try:
        return not hasattr(os, "geteuid") or os.lstat(place).st_uid == os.geteuid()
    except OSError:
        return True


def hidden_with(place: Path, own: Collection[Path]) -> Path | None:
    """Return a ledger's directory that a new ledger in `place` would be hidden by, or would hide.

    Below one no other is found, unless a search begins there: at `outputs/`, here or above. Those in `own` directories
    do not count.
    """
    here = Path.cwd()
    begins = {here / OUTPUTS, here, *here.parents}
    if has_ledger(place):
        return None
    above = next((each for each in place.parents if each not in begins and has_ledger(each)), None)
    if above is not None or place in begins or not os.path.isdir(place):  # noqa: PTH112 - too long a name is none
        return above
    return next((each for each in find_ledgers(place) if each not in own), None)


def run_directory(told: object) -> str:
    """Return the directory that a ledger tells of a run; raises `ValueError` if it does not lie in the ledger's own.

    A ledger may come from anyone, and must not lead anywhere else.
    """
    if not isinstance(told, str) or not told or "\0" in told:
        raise ValueError(f"{told!r} is no run's directory")
    if told.isdecimal():
        return told  # as most are, and tens of thousands are looked at
    path = Path(told)
    if path.drive or path.root or ".." in path.parts:
        raise ValueError(f"{told!r} lies outside of the directory of the ledger")
    return told


_SHARD = re.compile(r"shard-(\d+)-of-(\d+)")


def shards_of(directory: Path) -> list[Path]:
    """Return the parts of a sweep that was divided by `shard=K/N`, in order; none where it has a ledger of its own."""
    if (directory / NAME).is_file():
        return []
    parts = [
        (found, place.parent)
        for place in directory.glob(f"shard-*/{NAME}")
        if (found := _SHARD.fullmatch(place.parent.name))
    ]
    return [place for _, place in sorted(parts, key=lambda part: (int(part[0][2]), int(part[0][1])))]


def walk(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk as `os.walk` does, through links too and past hidden folders, into each directory once."""
    seen: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(root, followlinks=True):
        first = False
        with suppress(OSError):  # a link may lead back to where one is
            first = _first_seen(place, seen)
        if first:
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield place, folders, files
        else:
            folders.clear()


def _first_seen(place: str, seen: set[tuple[int, int]]) -> bool:
    state = os.stat(place)  # noqa: PTH116 - text, as os.walk gives it
    known = (state.st_dev, state.st_ino)
    first = known not in seen
    seen.add(known)
    return first


def ledger_files(directory: str | Path) -> list[os.stat_result]:
    """Return the states of the ledger in `directory` and of its log, as far as they are there and not empty.

    They are not opened for that: closing a file would let go of the locks that SQLite has on it in this process.
    """
    found = []
    for name in (NAME, LOG):
        # Whoever closes the ledger just now removes its log; who only reads may leave an empty one.
        with suppress(OSError):
            state = os.stat(os.path.join(directory, name))  # noqa: PTH116, PTH118 - text, for thousands of them
            found += [state] if state.st_size else []
    return found


def written_at(directory: Path) -> float:
    """Return when the ledger in `directory` was last written, in Unix seconds; 0 if it is gone."""
    return max((each.st_mtime for each in ledger_files(directory)), default=0.0)
