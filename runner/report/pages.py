"""Pages of what lies in directories: those that are asked for, and those that a sweep in batches leaves open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from runner.config import Problem
from runner.shell import word

if TYPE_CHECKING:
    from .page import Embedding
    from .reading import Sweep

NAME = "index.html"
"""A sweep's page, in its directory."""

_left: ContextVar[set[Path] | None] = ContextVar("_left", default=None)
"""Sweeps whose sweeper plans as it goes: whether a batch was the last, nobody knows before all is over."""


def write_page(path: Path, sweeps: Sequence[Sweep], embedding: Embedding | None = None) -> None:
    """Write the page of sweeps, of which each has a run; raises `DiskError`."""
    from .page import Shell, encoded_json, page_data
    from .page_model import PageModel

    results = [result for sweep in sweeps for _, result in sweep.runs]
    exhibition = PageModel(sweeps, path.parent, [sweep.runs[0][1].config.budget for sweep in sweeps])
    state = exhibition.state(results, {number for number, sweep in enumerate(sweeps) if sweep.busy})
    cells = (encoded_json(cell) for cell in state.cells(embedding))
    # Under a name of its own before it is whole: the sweep may be writing its page, too.
    Shell(exhibition.title).write(path, page_data(state.heading, cells, state.totals()), part=f".{os.getpid()}.tmp")


def keep_page(directory: Path) -> list[Problem]:
    """Write a sweep's own page; what goes wrong is returned, and costs no run."""
    from .reading import sweeps_of

    try:
        found = sweeps_of([directory])
        write_page(directory / NAME, found.sweeps)
    except Exception as error:  # noqa: BLE001 - neither a full disk nor a bug in a page may fail what was paid
        return [not_written(directory, error)]
    return [not_written(directory, error) for error in found.unreadable]


def leave_open(directory: Path) -> None:
    """Take note of a sweep whose page says that more may come; `whole_pages` brings it to its end."""
    left = _left.get()
    if left is not None:
        left.add(directory)


@contextmanager
def whole_pages(tell: Callable[[list[Problem]], object]) -> Iterator[None]:
    """Bring the pages that are left open meanwhile to their end, however that comes; `tell` hears what goes wrong."""
    left: set[Path] = set()
    token = _left.set(left)
    try:
        yield
    finally:
        _left.reset(token)
        for directory in sorted(left):
            tell(keep_page(directory))


def not_written(directory: Path, error: Exception) -> Problem:
    """That a sweep's page is not up to date, and why."""
    again = f"python -m runner report {word(str(directory))}"
    hint = f"no run is touched by that; {again} makes the page again"
    return Problem("", f"{directory / NAME} is not up to date: {error}", hint, "warning")
