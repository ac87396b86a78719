"""The directory that a call writes to, and how long it stays."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import weakref
from datetime import datetime
from pathlib import Path

from runner.artifacts.atomic import disk_errors


class Folder:
    """A new directory: below `parent` for good, else a temporary one that goes with the last who refers to it."""

    def __init__(self, parent: Path | None) -> None:
        self._finalizer: weakref.finalize[[Path, int], Folder] | None = None
        if parent is None:
            with disk_errors(Path(tempfile.gettempdir())):
                self.path = Path(tempfile.mkdtemp(prefix="runner-"))
            self._finalizer = weakref.finalize(self, _remove, self.path, os.getpid())
        else:
            self.path = parent.expanduser().absolute() / _name()
            with disk_errors(self.path):
                self.path.mkdir(parents=True)

    def keep(self) -> None:
        """Let a temporary directory stay: something in it is not finished."""
        if self._finalizer is not None:
            self._finalizer.detach()

    def remove(self) -> None:
        """Delete a temporary directory now."""
        if self._finalizer is not None:
            self._finalizer()

    def discard(self) -> None:
        """Delete the directory, wherever it is: nothing was sent, so that nothing in it matters."""
        self.keep()
        shutil.rmtree(self.path, ignore_errors=True)


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # a fork that ends must not take its parent's files along
        shutil.rmtree(path, ignore_errors=True)


def _name() -> str:
    return f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}-{secrets.token_hex(3)}"
