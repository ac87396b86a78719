"""What ran: versions and the commit, found without importing or starting anything."""

from __future__ import annotations

import functools
import platform
import re
from importlib import metadata
from pathlib import Path

import runner

from .result import Environment

_COMMIT = re.compile(r"^[0-9a-f]{40}([0-9a-f]{24})?$")


@functools.cache
def environment(directory: Path | None = None) -> Environment:
    """Return the versions in use, and the commit of the checkout that `directory` (default: where we are) lies in."""
    return Environment(
        runner=runner.__version__,
        openai=_version("openai"),
        python=platform.python_version(),
        git_commit=git_commit((directory or Path.cwd()).absolute()),
    )


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def git_commit(directory: Path) -> str | None:
    """Return the commit checked out in `directory` or above it; None outside a checkout."""
    for folder in (directory, *directory.parents):
        if (folder / ".git").exists():
            try:
                return _head(_git_directory(folder / ".git"))
            except (OSError, UnicodeDecodeError):
                return None
    return None


def _git_directory(dot_git: Path) -> Path:
    """Return the repository itself; in a worktree or submodule `.git` is a file that names it."""
    if dot_git.is_dir():
        return dot_git
    return dot_git.parent / dot_git.read_text().removeprefix("gitdir:").strip()


def _head(git: Path) -> str | None:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return _commit(head)
    name = head.removeprefix("ref:").strip()
    common = git / "commondir"
    roots = [git, git / common.read_text().strip()] if common.exists() else [git]
    for root in roots:
        if (root / name).is_file():
            return _commit((root / name).read_text())
    return next((commit for root in roots if (commit := _packed(root / "packed-refs", name))), None)


def _packed(packed_refs: Path, name: str) -> str | None:
    if not packed_refs.is_file():
        return None
    lines = (line.split() for line in packed_refs.read_text().splitlines())
    return next((_commit(words[0]) for words in lines if words[1:] == [name]), None)


def _commit(text: str) -> str | None:
    return text.strip() if _COMMIT.match(text.strip()) else None
