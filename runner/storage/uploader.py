"""Upload directories as their runs end, a few at a time, in threads beside the sweep."""

from __future__ import annotations

import errno
import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from runner.artifacts.redaction import without_credentials
from runner.ledger.ledger import LedgerError

from .address import StorageError
from .upload import DamagedError, DirectoryFiles, LostError

Send = Callable[[DirectoryFiles, Callable[[], object]], object]
"""Brings a directory's files to their place; its second argument is called as it gets on."""

_SETTLE = 2.0
"""Seconds from a run's end until its files are sent: the last lines of its log are written meanwhile."""

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
"""Seconds until something is sent again after an error, twice as long after each that follows."""

_MOST_IN_VAIN = 5
"""How often, at the end of a sweep, a directory may fail after some of it was sent."""

_SILENT_SECONDS = 2.0
"""How long the end of a sweep waits before it says what for."""

_ALONE = (DamagedError, LostError)

_FULL = re.compile(r"StorageFull|QuotaExceeded|InsufficientStorage|\b507\b")
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

_log = logging.getLogger("runner")


class _LeftError(Exception):
    """Raised when nobody waits for an upload any more."""


def is_lasting(error: Exception) -> bool:
    """Return whether an error is likely to be the same a minute later: no right, no bucket, no room."""
    if isinstance(error, (PermissionError, FileNotFoundError, LedgerError, StorageError, *_ALONE)):
        return True
    return (isinstance(error, OSError) and error.errno in DISK_FULL) or bool(_FULL.search(str(error)))


def concerns_one(error: Exception) -> bool:
    """Return whether something is wrong with one file alone, and nothing with the storage."""
    return isinstance(error, _ALONE)


def reason_of(error: BaseException) -> str:
    """Return an error in one line, without what may be a credential."""
    said = next(iter(str(error).splitlines()), "") or "it does not say why"
    return f"{type(error).__name__}: {without_credentials(said)[:300]}"


class Uploader:
    """Send directories in threads of its own; must be closed or left.

    What fails is sent again as long as the sweep goes on, and at its end as long as something gets on.
    """

    def __init__(self, send: Send, concurrency: int) -> None:
        """Take what sends a directory, and how many are sent at the same time."""
        self._send = send
        self._concurrency = concurrency
        self._turn = threading.Condition()
        self._waiting: dict[Path, tuple[float, DirectoryFiles]] = {}
        self._failed: dict[Path, Exception] = {}
        self._vain: Counter[Path] = Counter()
        self._busy: set[Path] = set()
        self._threads: list[threading.Thread] = []
        self._not_before = 0.0
        self._pause = _FIRST_WAIT
        self._closing = self._left = False
        self._steps = 0
        self.error: Exception | None = None
        """What went wrong last; None where all that was sent since went well."""

    @property
    def failure(self) -> Exception | None:
        """Return why something is not uploaded, as far as anything went wrong."""
        return self.error or next(iter(self._failed.values()), None)

    @property
    def lost(self) -> bool:
        """Return whether a file of a run is nowhere any more."""
        return any(isinstance(each, LostError) for each in self._failed.values())

    @property
    def idle(self) -> bool:
        """Return whether nothing waits and nothing is under way."""
        with self._turn:
            return not self._waiting and not self._busy

    def post(self, files: DirectoryFiles) -> None:
        """Let a directory be sent as soon as there is a turn; never waits."""
        with self._turn:
            self._failed.pop(files.directory, None)
            self._waiting[files.directory] = (time.monotonic() + _SETTLE, files)
            if len(self._threads) < min(self._concurrency, len(self._waiting) + len(self._busy)):
                # A daemon: a library that hangs must not keep the process.
                self._threads.append(threading.Thread(target=self._work, name="upload", daemon=True))
                self._threads[-1].start()
            self._turn.notify()

    def close(self, patience: float, say: Callable[[str], object]) -> bool:
        """Wait until all is sent; return whether nobody interrupted that by Ctrl-C.

        It ends after `patience` seconds in which nothing gets on. `say` hears what is waited for.
        """
        with self._turn:
            self._closing = True
            self._not_before, self._pause = 0.0, _FIRST_WAIT
            self._turn.notify_all()
        try:
            self._wait(patience, say)
        except KeyboardInterrupt:
            return False
        finally:
            self.leave()
        return True

    def leave(self) -> None:
        """Begin nothing more, and wait for nothing: what is under way is not taken for uploaded."""
        with self._turn:
            self._left = True
            self._turn.notify_all()

    def _wait(self, patience: float, say: Callable[[str], object]) -> None:
        began, seen, since = time.monotonic(), self._steps, time.monotonic()
        said = False
        while True:
            with self._turn:
                if self._left or (not self._waiting and not self._busy):
                    return
                self._turn.wait(0.2)
                count = len(self._waiting) + len(self._busy)
            now = time.monotonic()
            if seen != self._steps:
                seen, since = self._steps, now
            elif now - since >= patience:
                return
            if not said and now - began >= _SILENT_SECONDS:
                said = True
                say(f"uploading: {count:,} left; Ctrl-C leaves them to resume")

    def _work(self) -> None:
        while (files := self._next()) is not None:
            error, got_on = self._tried(files)
            with self._turn:
                self._busy.discard(files.directory)
                if error is None:
                    self._steps += 1
                    self._not_before, self._pause, self.error = 0.0, _FIRST_WAIT, None
                else:
                    self._vain[files.directory] += self._closing and got_on
                    self._put_back(files, error)
                self._turn.notify_all()

    def _tried(self, files: DirectoryFiles) -> tuple[Exception | None, bool]:
        """Send a directory; return what went wrong, and whether some of it was sent."""
        got_on = False

        def advance() -> None:
            nonlocal got_on
            got_on = True
            self._advance()

        try:
            self._send(files, advance)
        except Exception as caught:  # noqa: BLE001 - whatever a library raises is no run's failure
            return caught, got_on
        return None, got_on

    def _next(self) -> DirectoryFiles | None:
        """Return what is sent next, once it is time; None when there is nothing more to do."""
        with self._turn:
            while not self._left:
                wait: float | None = None
                # One that is under way, and was posted again, has its turn when it is back.
                directory = next((each for each in self._waiting if each not in self._busy), None)
                if directory is not None:
                    due, files = self._waiting[directory]
                    wait = (0.0 if self._closing else due) - time.monotonic()
                    wait = max(wait, self._not_before - time.monotonic())
                    if wait <= 0:
                        del self._waiting[directory]
                        self._busy.add(directory)
                        return files
                elif self._closing and not self._waiting and not self._busy:
                    return None
                self._turn.wait(wait)
        return None

    def _put_back(self, files: DirectoryFiles, error: Exception) -> None:
        """Keep what could not be sent for another try, unless that would be as the one before."""
        if not concerns_one(error):
            if self.error is None and not self._left:
                _log.warning("an upload failed, and is tried again: %s", reason_of(error))
            self._not_before = time.monotonic() + (0.0 if self._closing and is_lasting(error) else self._pause)
            self._pause = min(self._pause * 2, _LONGEST_WAIT)
            self.error = error
        # What gets on each time and fails each time would else be sent again for ever.
        vain = self._vain[files.directory] >= _MOST_IN_VAIN
        if vain or concerns_one(error) or (self._closing and is_lasting(error)):
            self._failed[files.directory] = error
        elif files.directory not in self._waiting:
            self._waiting[files.directory] = (0.0, files)

    def _advance(self) -> None:
        """Take note that something gets on; raises `_LeftError` where nobody waits for it any more."""
        self._steps += 1
        if self._left:
            raise _LeftError
