"""What keeps blocking work off the event loop: a few threads, and a process that decodes videos."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from runner.artifacts.decoder import Decoder

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """One each for records and directories, which queue behind nothing else; pools for files and media; the decoder."""

    def __init__(self) -> None:
        self.decoder = Decoder()
        self._records = ThreadPoolExecutor(1, thread_name_prefix="runner-records")
        # More than one would take the interpreter from the first requests, and gain nothing.
        self._directories = ThreadPoolExecutor(1, thread_name_prefix="runner-directories")
        # Several that wait for the disk at once take hardly longer than one; decoding wants a core each.
        self._disk = ThreadPoolExecutor(4, thread_name_prefix="runner-disk")
        self._media = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="runner-media")

    def records(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Call a function that keeps records."""
        return _called(self._records, function, *args, **kwargs)

    def directories(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Call a function that makes a directory, behind those asked for before."""
        return _called(self._directories, function, *args, **kwargs)

    def disk(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Call a function that waits for the disk."""
        return _called(self._disk, function, *args, **kwargs)

    def media(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Call a function that decodes or encodes."""
        return _called(self._media, function, *args, **kwargs)

    def close(self) -> None:
        """Drop what has not begun and wait for what has."""
        for pool in (self._records, self._directories, self._disk, self._media):
            pool.shutdown(wait=True, cancel_futures=True)
        self.decoder.close()


def _called(pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(pool, lambda: function(*args, **kwargs))
