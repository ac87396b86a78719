"""Who reads our output: a reader may go away, as `| head` does, and a full disk may take nothing."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from runner.errors import DiskError

_FULL = frozenset({errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC})

_lost: list[OSError] = []
"""Why the output cannot be written, once that is known; a process has one."""


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Go on as if everything had been read; `lost_output` tells at the end whether something could not be written."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        forget_reader()
    except OSError as error:
        _lose(error)


def lost_output() -> DiskError | None:
    """The error for output that could not be written, up to now; a reader that went away is none."""
    with reader_may_leave():
        sys.stdout.flush()
    if not _lost:
        return None
    reason = _lost[0].strerror or _lost[0]
    return DiskError(
        f"the output could not be written: {reason}; what was done is done, and the runs' files are in place",
        hint="python -m runner ls shows them, or print to somewhere else",
    )


def output_refused(error: OSError) -> bool:
    """Whether `error` came from printing, of which no more is tried then; a file's error would name the file."""
    refused = error.filename is None and error.errno in _FULL
    if refused:
        _lose(error)
    return refused


def say(line: str) -> None:
    """Print a line on standard error; where nobody reads it, what is under way goes on."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        forget_reader(sys.stderr)


def forget_reader(stream: TextIO | None = None) -> None:
    """Send what is still to be printed nowhere, so that Python does not complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())


def _lose(error: OSError) -> None:
    _lost.append(error)
    forget_reader()
