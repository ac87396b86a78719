"""Check videos in a process of its own: a file that makes FFmpeg crash costs itself and not the sweep."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import sys
import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from typing import Any

from runner.child import how_ended, start
from runner.errors import ArtifactError

from .picture import Thumbnail
from .probe import Video, probe

_log = logging.getLogger("runner")

_STOP_SECONDS = 2.0
_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(32 << 20), "MALLOC_MMAP_THRESHOLD_": str(4 << 20)}
"""Lets the C library keep a file's frames for the next; it would give them back and be given new, empty pages."""


class Decoder:
    """Check videos for one event loop, in a child that is started when it is needed and again after it died.

    The child also leaves this process the interpreter to itself while it decodes, and knows no key. Files that it had
    in hand when it died are checked once more, each in a child of its own. Where none can be started, threads check.
    """

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._barred = False
        self._alone = asyncio.Lock()

    def start(self) -> None:
        """Start the child, so that it is ready when the first file is."""
        if self._barred or (self._child is not None and not self._child.gone):
            return
        self._child = _born(min(4, os.cpu_count() or 1))
        self._barred = self._child is None

    async def check(self, path: Path, *, thumbnail: bool = False, thorough: bool = False) -> Video:
        """Return what the video at `path` really is, as `probe` finds it, with a thumbnail beside it if wanted.

        Raises `ArtifactError` as `probe` does, and where the file makes the decoder crash.
        """
        self.start()
        child = self._child
        if child is not None and not self._barred:
            try:
                return await asyncio.wrap_future(child.ask(path, thumbnail=thumbnail, thorough=thorough))
            except _DiedError:
                self._barred |= not child.ready
        async with self._alone:
            alone = None if self._barred else _born()
            if alone is not None:
                try:
                    return await asyncio.wrap_future(alone.ask(path, thumbnail=thumbnail, thorough=thorough))
                except _DiedError as error:
                    raise ArtifactError(f"the file makes the decoder crash ({error})") from error
                finally:
                    alone.close()
        return await asyncio.to_thread(probe, path, thumbnail=thumbnail, thorough=thorough)

    def close(self) -> None:
        """End the child; what it still had in hand is left as it is."""
        if self._child is not None:
            self._child.close()
            self._child = None


def _born(at_once: int = 1) -> _Child | None:
    if getattr(sys, "frozen", False) or not sys.executable:
        return None  # a packed program would start itself
    try:
        return _Child(at_once)
    except OSError:
        return None


class _DiedError(Exception):
    """Tell that the child has ended before it answered; the message says how."""


class _Child:
    """Hold one child process and the thread that reads its answers; it always ends with this process."""

    def __init__(self, at_once: int) -> None:
        self.ready = False
        self.gone = False
        self._asked: dict[int, Future[Video]] = {}
        self._number = 0
        self._changing = threading.Lock()
        self._process = start("runner.artifacts.decoding", str(at_once), trusted=False, variables=_MEMORY)
        self._thread = threading.Thread(target=self._listen, name="runner-decoder", daemon=True)
        self._thread.start()

    def ask(self, path: Path, *, thumbnail: bool, thorough: bool) -> Future[Video]:
        """Return what the child will find; a `_DiedError` if it dies meanwhile, or raised if it has died."""
        answer: Future[Video] = Future()
        with self._changing:
            if self.gone:
                raise _DiedError("it had ended")
            self._number += 1
            self._asked[self._number] = answer
            wanted = {"thumbnail": thumbnail, "thorough": thorough}
            order = {"number": self._number, "path": str(path.absolute()), **wanted}
            with suppress(BrokenPipeError, ValueError):  # the thread knows, too, and is about to tell all who wait
                self._stdin.write(json.dumps(order).encode() + b"\n")
                self._stdin.flush()
        return answer

    def close(self) -> None:
        """End the process."""
        self._hang_up()
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            self._process.kill()
            self._thread.join()

    def _hang_up(self) -> None:
        with suppress(BrokenPipeError), self._changing:
            self._stdin.close()

    @property
    def _stdin(self) -> Any:  # Any: a pipe that was asked for
        return self._process.stdin

    def _listen(self) -> None:
        try:
            self._hear()
        except Exception as error:  # noqa: BLE001 - who waits for an answer would wait for ever
            _log.error("the decoder's answers cannot be read", exc_info=error)
            self._process.kill()
        ended = _DiedError(how_ended(self._process.wait()))
        self._hang_up()
        with self._changing:
            self.gone = True
            left, self._asked = self._asked, {}
        for answer in left.values():
            with suppress(InvalidStateError):
                answer.set_exception(ended)

    def _hear(self) -> None:
        """Deliver the child's answers until it has ended."""
        stdout: Any = self._process.stdout  # Any: as above
        with stdout:
            for line in stdout:
                if not line.endswith(b"\n"):
                    break  # it died while it was writing a line
                message = json.loads(line)
                self.ready = True
                if message:
                    _deliver(self._asked.pop(message["number"]), message)


def _deliver(answer: Future[Video], message: dict[str, Any]) -> None:  # Any: JSON
    with suppress(InvalidStateError):  # nobody waits for it any more
        if "video" in message:
            answer.set_result(_video(**message["video"]))
        elif "error" in message:
            answer.set_exception(ArtifactError(message["error"]["message"], code=message["error"]["code"]))
        else:
            _log.error("a video could not be checked:\n%s", message["bug"])
            said = message["bug"].strip().rpartition("\n")[2]
            answer.set_exception(ArtifactError(f"the file could not be checked, by a bug in here: {said}"))


def _video(thumbnail: dict[str, Any] | None, **facts: Any) -> Video:  # Any: JSON
    if thumbnail is None:
        return Video(**facts)
    content = base64.b64decode(thumbnail["content"])
    return Video(**facts, thumbnail=Thumbnail(content, thumbnail["width"], thumbnail["height"]))
