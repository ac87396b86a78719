"""What a user might pick instead, each in a virtual environment of its own below `.venv-bench/`, installed by pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from measurement import REPO

ENVIRONMENTS = Path(os.environ.get("BENCH_VENVS") or REPO / ".venv-bench")
SCRIPTS = Path(__file__).resolve().parent / "peers"
_INSTALLING_SECONDS = 900


class UnavailableError(Exception):
    """A peer cannot be installed here; the message says why."""


@dataclass(frozen=True)
class Peer:
    """Something to compare with: its packages, and the oldest Python that they run on."""

    name: str
    requirements: tuple[str, ...]
    minor: int = 11

    def python(self) -> Path:
        """The interpreter that has the packages, installed now if need be; raises `UnavailableError`."""
        place = ENVIRONMENTS / self.name
        python, stamp, wanted = place / "bin" / "python", place / ".installed", "\n".join(self.requirements)
        if stamp.exists() and stamp.read_text() == wanted:
            return python
        print(f"installing {self.name} into {place} …", file=sys.stderr, flush=True)
        _call([_interpreter(self.minor), "-m", "venv", "--clear", place])
        _call([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.requirements])
        stamp.write_text(wanted)
        return python


TARASH = Peer("tarash-gateway", ("tarash-gateway[all]==0.1.0",), minor=12)
LITELLM = Peer("litellm", ("litellm",))
JOBLIB = Peer("hydra-joblib", ("hydra-core>=1.3.8,<1.4", "hydra-joblib-launcher>=1.2,<2", "openai>=3.54,<4"))


def _interpreter(minor: int) -> str:
    """A Python 3.`minor` or newer; raises `UnavailableError`."""
    found = [each for each in _interpreters(minor) if _is_new_enough(each, minor)]
    if not found:
        raise UnavailableError(f"no Python 3.{minor} or newer was found")
    return found[0]


def _interpreters(minor: int) -> Iterator[str]:
    yield sys.executable
    for number in range(minor, minor + 4):
        yield from filter(None, [shutil.which(f"python3.{number}")])
        root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
        yield from map(str, sorted(root.glob(f"versions/3.{number}.*/bin/python")))


def _is_new_enough(interpreter: str, minor: int) -> bool:
    test = f"import sys; sys.exit(sys.version_info < (3, {minor}))"
    return subprocess.run([interpreter, "-c", test], capture_output=True, check=False).returncode == 0


def _call(command: list[str | Path]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALLING_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise UnavailableError(said[-1][:200] if said else str(error)) from error
