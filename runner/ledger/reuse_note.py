"""Note in a run's directory which files of another run are put there, until the ledger has the run as done.

Whoever finds them without a record must not take them for paid.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.artifacts.atomic import discard, write_text
from runner.artifacts.file_sum import has_sum
from runner.artifacts.result import Artifact

NAME = ".reused.json"
"""Has the SHA-256 (hexadecimal) of each file by its name."""


def write_note(directory: Path, artifacts: Iterable[Artifact]) -> None:
    """Note files before any of them is put in place; raises `DiskError`."""
    write_text(directory / NAME, json.dumps({each.path: each.sha256 for each in artifacts}))


def noted_files(directory: Path) -> set[str]:
    """Return the names of files that are there as they were noted, and of what was to become one of them."""
    return set(_noted(directory))


def remove_note(directory: Path) -> None:
    """Remove the note: the ledger has the run as done, or nothing of it is there."""
    discard(directory / NAME)


def remove_noted_files(directory: Path) -> None:
    """Remove what was put in place for a run that will make files of its own, and the note."""
    for name in _noted(directory):
        discard(directory / name)
    remove_note(directory)


def _noted(directory: Path) -> Iterator[str]:
    try:
        told = json.loads((directory / NAME).read_bytes())
    except (OSError, ValueError):
        return
    for name, sha256 in told.items() if isinstance(told, dict) else ():
        if name != Path(name).name:  # the directory may come from anyone
            continue
        if has_sum(directory / name, sha256):
            yield name
        yield f"{name}.part"
