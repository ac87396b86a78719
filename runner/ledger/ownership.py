"""Know which process may pay by a ledger, and of which directory a copied one is a copy."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from runner.errors import ConfigError
from runner.shell import command

from .discover import NAME
from .ledger import Ledger, LedgerError, Original
from .lock import LockedError, is_alive, is_local, named, this_process

Facts = dict[str, Any]
"""JSON: what a ledger tells of itself."""


@contextmanager
def owned(ledger: Ledger) -> Iterator[None]:
    """Make this process the one that may write the ledger; raises `LockedError` if another one, still alive, is it.

    `ledger.copy_of` then tells of what directory this one is a copy, if it is.
    """
    mine = {**this_process(), "token": uuid.uuid4().hex, "inode": _inode(ledger)}
    with ledger.facts() as facts:
        _refuse_other(ledger, facts.get("owner"))
        facts["owner"] = mine
        ledger.copy_of = _settled(ledger, facts)
    ledger.token = str(mine["token"])
    try:
        yield
    finally:
        # Whoever has taken it over meanwhile keeps it.
        with suppress(Exception), ledger.facts() as facts:
            del facts["owner"]


def keep_copy(ledger: Ledger) -> None:
    """Make a copied ledger one of its own, which pays for what it has not finished."""
    with ledger.facts() as facts:
        facts["place"] = _place(ledger, uuid.uuid4().hex)
    ledger.copy_of = None


def refuse_owner(directory: Path) -> None:
    """Raise `LockedError` if a living process owns the ledger in `directory`, whatever else is wrong with it."""
    with suppress(LedgerError, OSError), Ledger(directory, readonly=True) as ledger:
        _refuse_other(ledger, ledger.known_facts().get("owner"))


class CopyError(ConfigError):
    """Tell that a directory was copied, and its original may have paid for the same runs meanwhile."""

    def __init__(self, directory: Path, original: Original, count: int) -> None:
        runs, them = ("1 run", "it") if count == 1 else (f"{count:,} runs", "them")
        super().__init__(
            f"{directory} is a copy of {original}, which may have paid for {runs} since; nothing was sent for {them}",
            hint=f"{command('resume', original.directory)} goes on in the original{' there' if original.host else ''}\n"
            f"{command('resume', directory, '--copied')} pays for {them} here, too",
        )


def _refuse_other(ledger: Ledger, owner: object) -> None:
    # One that was copied along owns the ledger that this is a copy of.
    if not isinstance(owner, dict) or owner.get("inode") != _inode(ledger):
        return
    if is_local(owner) and os.name != "nt" and is_alive(owner):
        raise LockedError(ledger.directory, f"{named(owner)}, though its lock file was removed or replaced")


def _settled(ledger: Ledger, facts: Facts) -> Original | None:
    """See to it that the ledger says where it lies; what it is a copy of, if nobody has agreed to that yet."""
    place = facts.get("place")
    if not isinstance(place, dict) or not {"id", "path", "inode", "host"} <= place.keys():
        facts["place"] = _place(ledger, uuid.uuid4().hex)
        return None
    original = _original(ledger, place)
    if original is None:
        facts["place"] = _place(ledger, str(place["id"]))
    return original


def _original(ledger: Ledger, place: Facts) -> Original | None:
    """Return the directory that the ledger was copied from; None if it lies where it was, or was moved."""
    here, there = ledger.directory.resolve() / NAME, Path(str(place["path"]))
    same_file, same_host = place["inode"] == _inode(ledger), place["host"] == socket.gethostname()
    if there == here:
        return None if same_file or same_host else Original(there.parent, str(place["host"]))
    with suppress(OSError, ValueError):
        if there.exists():
            copied = not there.samefile(here) and _id_of(there.parent) in (place["id"], None)
            return Original(there.parent) if copied else None
    if same_file:
        return None
    if not same_host:
        return Original(there.parent, str(place["host"]))
    others = (path for path in here.parent.parent.glob(f"*/{NAME}") if path != here)
    return next((Original(other.parent) for other in others if _id_of(other.parent) == place["id"]), None)


def _id_of(directory: Path) -> str | None:
    """Return the name that tells a ledger from others, None if it cannot be read."""
    with suppress(LedgerError, OSError), Ledger(directory, readonly=True) as ledger:
        place = ledger.known_facts().get("place")
        return str(place["id"]) if isinstance(place, dict) and "id" in place else ""
    return None


def _place(ledger: Ledger, name: str) -> Facts:
    path = ledger.directory.resolve() / NAME
    return {"id": name, "path": os.fspath(path), "inode": _inode(ledger), "host": socket.gethostname()}


def _inode(ledger: Ledger) -> int:
    return (ledger.directory / NAME).stat().st_ino
