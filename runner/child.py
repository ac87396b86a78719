"""Start Python processes of our own: children that run a module of this package and end with this process."""

from __future__ import annotations

import os
import re
import signal
import site
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_HARMLESS = re.compile(
    "PATH|HOME|LANG|TZ|TMP|TEMP|TMPDIR|SYSTEMROOT|WINDIR|VIRTUAL_ENV|(PYTHON|LC_|LD_|DYLD_|MALLOC_).*", re.IGNORECASE
)
"""What Python and the system's libraries are found and set up by."""


def start(
    module: str,
    *arguments: str,
    trusted: bool = True,
    variables: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child that is talked to over its stdin and stdout; it has to end when its stdin does.

    The system sees to that even after kill -9. The child has a session of its own: a Ctrl-C reaches only this process.
    One that is not `trusted` gets no environment variable that could hold a key.
    """
    inherited = {name: value for name, value in _environment().items() if trusted or _HARMLESS.fullmatch(name)}
    return subprocess.Popen(  # noqa: S603 - this interpreter, and a module of ours
        [sys.executable, "-P", "-m", module, *arguments],  # -P keeps a stranger's ./runner out of its path
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**inherited, "PYTHONIOENCODING": "utf-8", **(variables or {})},  # both ends of its pipes agree
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    # A checkout that is not installed must be put into the child's path.
    installed = {Path(folder).resolve() for folder in (*site.getsitepackages(), site.getusersitepackages())}
    if ROOT in installed:
        return dict(os.environ)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def how_ended(status: int) -> str:
    """Return how a child ended, by the status that `Popen.wait` gives, as in `exit code 1` or `SIGSEGV`."""
    if status >= 0:
        return f"exit code {status}"
    with suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"
