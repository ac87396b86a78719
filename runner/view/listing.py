"""Know the sweeps and runs that are served, by names that stand in addresses, and list them, the latest first."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runner.artifacts.run_status import RunStatus
from runner.display.line import called
from runner.errors import ConfigError
from runner.judging.ratings_file import read_ratings
from runner.ledger.discover import has_ledger
from runner.ledger.ledger import Ledger
from runner.ledger.summary import summary
from runner.report.page import ICON
from runner.results.reading import sweep_places, sweeps_of


@dataclass(frozen=True, slots=True)
class Entry:
    """Name a sweep's directory, or a run's that is of none; the name is the same in every process."""

    name: str
    directory: Path


class Catalogue:
    """Find the sweeps at or below directories; new ones are found while others are looked at."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = directories
        self._known: dict[str, Entry] = {}

    def entries(self) -> list[Entry]:
        """Return all that are there now."""
        found = [_entry(place) for directory in self.directories for place in sweep_places(directory)]
        self._known = {each.name: each for each in found}
        return [*self._known.values()]

    def find(self, name: str) -> Entry | None:
        """Return the one of this name, if there is one."""
        if name not in self._known:
            self.entries()
        return self._known.get(name)


def _entry(directory: Path) -> Entry:
    return Entry(hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:12], directory)


_PROMPT = 160
"""Characters of a prompt."""


@dataclass(frozen=True, slots=True)
class Line:
    """Hold what is said of a sweep or run; one that cannot be read has a `problem`."""

    name: str
    directory: str
    changed: float = 0.0
    called: str = ""
    models: str = ""
    prompt: str = ""
    states: str = ""
    running: bool = False
    records: int = 0
    problem: str = ""

    @property
    def when(self) -> str:
        """Return the day and time of the last change."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.changed)) if self.changed else ""


def listing(entries: Sequence[Entry], together: str | None) -> bytes:
    """Return the page; `together` names the one of all sweeps, if there is one."""
    lines = sorted((_line(each) for each in entries), key=lambda line: -line.changed)
    text: str = _template().render(lines=lines, together=together if len(lines) > 1 else None, icon=ICON)
    return text.encode("utf-8", "xmlcharrefreplace")  # a directory's name need not be text


def _line(entry: Entry) -> Line:
    place = str(entry.directory)
    try:
        facts = dict(_facts(entry.directory))
    except ConfigError as error:
        return Line(entry.name, place, problem=str(error))
    return Line(entry.name, place, records=len(read_ratings({entry.directory: ()}).records), **facts)


def _facts(directory: Path) -> Iterator[tuple[str, Any]]:  # Any: what a line's fields hold
    if has_ledger(directory):
        with Ledger(directory, readonly=True) as ledger:
            known = summary(ledger)
        counts = {status: count for status, count in known.states.items() if count}
        yield "changed", known.changed
        yield "called", called(known.name, known.tags)
        yield "models", ", ".join(known.models)
        yield "prompt", f"{known.prompts:,} prompts" if known.prompts > 1 else _short(known.prompt or "")
        yield "running", known.running is not None
    else:
        results = [result for group in sweeps_of([directory]).sweeps for _, result in group.runs]
        counts = {}
        for result in results:
            counts[result.status] = counts.get(result.status, 0) + 1
        prompts = {result.config.request.prompt for result in results}
        yield "changed", max(result.last_change for result in results)
        yield "models", ", ".join(sorted({result.model for result in results}))
        yield "prompt", f"{len(prompts):,} prompts" if len(prompts) > 1 else _short(next(iter(prompts), ""))
    yield "states", _states(counts)


def _states(counts: dict[RunStatus, int]) -> str:
    return ", ".join(f"{count:,} {status.value}" for status, count in counts.items())


def _short(text: str) -> str:
    return text if len(text) <= _PROMPT else f"{text[: _PROMPT - 1]}…"


@cache
def _template() -> Any:  # Any: jinja2 is imported late
    from jinja2 import Environment, StrictUndefined

    text = Path(__file__).with_name("listing.html.j2").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(text)
