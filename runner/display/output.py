"""Write to the terminal or a pipe, and show errors and problems: what happened, what is safe, what to type next."""

from __future__ import annotations

import codecs
import errno
import io
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from runner.errors import DiskError, RunnerError

from .line import clean, columns_of, in_ascii, unbroken

if TYPE_CHECKING:
    from runner.config.problem import Problem


_GONE = frozenset({errno.EBADF, errno.EPIPE})
_FULL = frozenset({errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC})

_lost: list[OSError] = []
"""Why the output cannot be written, once that is known; a process has one."""


def open_streams() -> None:
    """Make standard input and output usable whatever the shell has made of them; called once, by the process's entry.

    A stream that the shell has closed (`>&-`) becomes the null device: the next file that is opened, as the ledger,
    would else get its number. What an encoding lacks, as ascii in cron, is replaced, and never an error.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: the one that was closed
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    codecs.register_error("runner.replace", _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="runner.replace")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = in_ascii(error.object[error.start : error.end])
    return "".join(char if char.isascii() else "?" for char in lacking), error.end


@contextmanager
def tolerate_broken_pipe() -> Iterator[None]:
    """Go on as if everything had been read; `lost_output` tells at the end whether something could not be written."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        _lose(error)


def lost_output() -> DiskError | None:
    """Return the error for output that could not be written, up to now; a reader that went away is none."""
    with tolerate_broken_pipe():
        sys.stdout.flush()
    if not _lost:
        return None
    reason = _lost[0].strerror or _lost[0]
    return DiskError(
        f"the output could not be written: {reason}; what was done is done, and the runs' files are in place",
        hint="python -m runner ls shows them, or print to somewhere else",
    )


def output_refused(error: OSError) -> bool:
    """Return whether `error` came from printing, of which no more is tried then; a file's error would name the file."""
    refused = error.filename is None and error.errno in _FULL | _GONE
    if refused:
        _lose(error)
    return refused


class Notice:
    """Say on a terminal what is at work; it is gone once anything else is said.

    Attributes:
        open: whether it has begun, shown or not, and nothing else was said since.
    """

    def __init__(self) -> None:
        self._shown = False
        self.open = False

    def begin(self, text: str) -> None:
        """Show `text`; nothing where standard error is no terminal."""
        self.open = True
        self._shown = sys.stderr.isatty()
        if self._shown:
            with tolerate_closed_stderr():
                sys.stderr.write(text)
                sys.stderr.flush()

    def end(self) -> None:
        """Take the notice away."""
        self.open = False
        if self._shown:
            self._shown = False
            with tolerate_closed_stderr():
                sys.stderr.write("\r\x1b[2K" if os.environ.get("TERM") not in DUMB else "\n")
                sys.stderr.flush()


notice = Notice()
"""The process's own."""

DUMB = ("dumb", "unknown")
"""Terminals whose cursor cannot be moved."""


def say(line: str) -> None:
    """Print a line on standard error; if it is closed, do nothing, so that runs under way continue."""
    notice.end()
    columns = columns_of(sys.stderr)
    with tolerate_closed_stderr():
        print(line if columns is None else unbroken(line, columns), file=sys.stderr, flush=True)


@contextmanager
def tolerate_closed_stderr() -> Iterator[None]:
    """Go on where standard error cannot be written; nothing more is printed there then."""
    try:
        yield
    except OSError:
        discard_output(sys.stderr)


def discard_output(stream: TextIO | None = None) -> None:
    """Send what is still to be printed nowhere, so that Python does not complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())


def _lose(error: OSError) -> None:
    if not _gone(error):
        _lost.append(error)
    discard_output()


def _gone(error: OSError) -> bool:
    """Return whether there is nobody to print to: that is no loss, as it is where a disk does not take the output."""
    closed_terminal = error.errno == errno.EIO and stat.S_ISCHR(os.fstat(sys.stdout.fileno()).st_mode)
    return error.errno in _GONE or closed_terminal


_LONGEST_LINE = 4000
"""Messages quote what a server or a file said."""


def print_error(error: RunnerError) -> None:
    """Say the error on standard error, its hint on the lines below."""
    _say(f"error: {error.message}", error.hint)


def print_problems(problems: Iterable[Problem]) -> None:
    """Print one line for each on standard error; the hint stands below."""
    for problem in problems:
        _say(f"{problem.severity}: {problem.text}", problem.hint)


def _say(text: str, hint: str | None) -> None:
    for line in (*_lines(text), *(f"  {line}" for line in _lines(hint or ""))):
        say(line)


def _lines(text: str) -> Iterator[str]:
    """Return the lines of our own text; other line breaks came with what it quotes."""
    return (clean(line, _LONGEST_LINE) for line in text.split("\n") if line)


def answered(question: str) -> bool | None:
    """Ask at the terminal and return whether the answer is yes; None where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    notice.end()
    sys.stderr.write(unbroken(f"{question} [y/N] ", columns_of(sys.stderr) or 80))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class Advance:
    """Say every few seconds how many are done."""

    def __init__(self, what: str, before: str = "", *, seconds: float = 2.0) -> None:
        """Take the plural of what is counted, what stands before it on each line, and the time between two lines."""
        self._what = what
        self._before = before
        self._seconds = seconds
        self._said = time.monotonic()

    def __call__(self, done: int, count: int) -> None:
        """Take how many are done, of how many."""
        if done < count and time.monotonic() - self._said > self._seconds:
            self._said = time.monotonic()
            say(f"{self._before}{done:,} of {count:,} {self._what}")
