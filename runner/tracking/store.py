"""Rely on a store that keeps runs: what it is told of them, and what `tracking.jsonl` knows that it has."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from runner.artifacts.result import Result
from runner.artifacts.result_file import NAME as RESULT
from runner.artifacts.run_status import RunStatus
from runner.config.run import Files, RunConfig
from runner.report.cell import HOW, ConfigDiff
from runner.results.state import state_of
from runner.results.totals import totals

Value = str | int | float | bool


class End(Enum):
    """Describe how a run, or a sweep's own, ended."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    OPEN = "open"
    """The run did not end: `resume` continues it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Describe what is recorded of a run, or of a sweep as a whole.

    Attributes:
        params: its resolved config, dotted keys to plain values.
        metrics: numbers to compare by; money in US dollars, times in seconds.
        tags: what is said of it; None: it has nothing of the kind (any more).
        files: what is uploaded.
        began: Unix seconds.
        ended: Unix seconds, None if it did not end.
    """

    name: str
    params: Mapping[str, Value]
    metrics: Mapping[str, float]
    tags: Mapping[str, str | None]
    files: tuple[Path, ...] = ()
    end: End = End.OPEN
    began: float | None = None
    ended: float | None = None


class TrackingStore(Protocol):
    """Keep runs at a tracking service; used by one thread. What a method raises ends the tracking and nothing else."""

    @property
    def place(self) -> str:
        """Return where it is, without credentials: ids are of no use in another."""

    def begin(self, sweep: Facts, known: str | None) -> str:
        """Begin the sweep's own run, or go on with the one of the `known` id if it is still there; returns its id.

        What its runs have in common is not known before its end: a sweeper may come with others.
        """

    def record(self, run: Facts, parent: str | None, known: str | None) -> Iterator[str]:
        """Record an ended run, below `parent` if it is of a sweep, or bring the one of the `known` id up to date.

        Yields its id as soon as it has one, and again whenever something was done, as a file that is uploaded.
        """

    def end(self, parent: str, sweep: Facts) -> None:
        """End the sweep's own run, with what its runs have in common and what they amount to."""


NAME = "tracking.jsonl"


class TrackedRun(NamedTuple):
    """Describe a recorded run.

    Attributes:
        id: the store's.
        state: how far the run had come and when, as it is recorded; empty: recording it was begun.
    """

    id: str
    state: str


class Register:
    """Append one line for each event: a line that a crash cut short is one run that is recorded anew."""

    def __init__(self, directory: Path, place: str) -> None:
        """Read what the file in `directory` says of the store at `place`; raises `OSError` if it cannot be read."""
        self._path = directory / NAME
        self._place = place
        self.parent: str | None = None
        self._runs: dict[int, TrackedRun] = {}
        self._cut = False
        with suppress(FileNotFoundError):
            self._read()

    def known(self, number: int) -> TrackedRun | None:
        """Return the run of this number, if recording it was begun."""
        return self._runs.get(number)

    def begin(self, parent: str | None) -> None:
        """Keep the sweep's own run (None: a run alone); those recorded below another are of no use any more."""
        if parent != self.parent or not self._path.is_file():
            self.parent, self._runs = parent, {}
            self._append({"place": self._place, "parent": parent})

    def keep(self, number: int, known: TrackedRun) -> None:
        """Keep a run that was recorded, or begun to be."""
        self._runs[number] = known
        self._append({"run": number, **known._asdict()})

    def _append(self, line: dict[str, object]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._cut + json.dumps(line) + "\n")
        self._cut = False

    def _read(self) -> None:
        here = False
        whole = self._path.read_text(encoding="utf-8", errors="replace")
        self._cut = bool(whole) and not whole.endswith("\n")
        for text in whole.splitlines():
            with suppress(ValueError, KeyError, TypeError):
                line = json.loads(text)
                if "place" in line:
                    here = line["place"] == self._place
                    self.parent, self._runs = (line["parent"], {}) if here else (None, {})
                elif here:
                    self._runs[int(line["run"])] = TrackedRun(str(line["id"]), str(line["state"]))


_FREE = "emulator"
_MONEY = ("actual_usd", "spent_usd")
"""What was paid, which at the emulator is nothing; its list prices are estimates."""

_EMPTY: tuple[object, ...] = (None, "", [], {})
_MEASURES = ("bytes", "duration_seconds", "fps", "width", "height")


def run_facts(
    result: Result, directory: Path, name: str, files: Files, told: Mapping[str, float] | None = None
) -> Facts:
    """Return one run's facts; `directory` is its own, `name` what it is called, `told` what people and metrics say."""
    began, ended = _span(result)
    return Facts(
        name=_text(name),
        params=params(result.config),
        metrics={**dict(_metrics(result)), **(told or {})},
        tags={f"runner.{key}": _text(value) if value else None for key, value in _tags(result, directory)},
        files=tuple(_files(result, directory, files)),
        end=_end(result.status),
        began=began,
        ended=ended,
    )


def sweep_facts(directory: Path, configs: Sequence[RunConfig], results: Sequence[Result]) -> Facts:
    """Return the sweep as a whole: what its runs have in common, and what they amount to."""
    began = [result.begun for result in results]
    ends = [moment for result in results if (moment := _span(result)[1]) is not None]
    return Facts(
        name=_text((configs[0].name if configs else None) or directory.name),
        params=params(*configs),
        metrics=dict(_sums(results)),
        tags={
            "runner.directory": _text(str(directory)),
            "runner.runs": str(len(configs)),
            "runner.tags": _text(", ".join(configs[0].tags)) if configs and configs[0].tags else None,
        },
        end=_overall([result.status for result in results], len(configs)),
        began=min(began, default=None),
        ended=max(ends, default=None),
    )


def params(*configs: RunConfig) -> dict[str, Value]:
    """Return what the configs have in common by dotted keys, credential-like values masked; no empty ones."""
    found = ConfigDiff(configs).shared.items()
    return {key: _plain(value) for key, value in found if value not in _EMPTY and key.partition(".")[0] not in HOW}


def _plain(value: Any) -> Value:  # Any: JSON
    if isinstance(value, bool | int | float):
        return value
    return _text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _text(value: str) -> str:
    """Return the text as any database takes it: no half of a surrogate pair, no NUL."""
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _span(result: Result) -> tuple[float | None, float | None]:
    """Return when its request left and when it ended, in Unix seconds."""
    begin, ended = result.span
    return (begin.timestamp() if begin else result.begun), (ended.timestamp() if ended else None)


def _metrics(result: Result) -> Iterator[tuple[str, float]]:
    artifact = result.artifacts[0] if result.artifacts else None
    found: dict[str, float | None] = {
        "estimated_usd": result.cost.estimated_usd,
        "actual_usd": result.cost.actual_usd,
        "spent_usd": result.spent_usd,
        "saved_usd": result.saved_usd,
        "latency_seconds": result.latency_seconds,
        "attempts": len(result.attempts),
        "polls": result.polls,
        **{name: getattr(artifact, name, None) for name in _MEASURES},
        **(dict.fromkeys(_MONEY) if result.provider == _FREE else {}),
    }
    yield from ((key, float(value)) for key, value in found.items() if value is not None and math.isfinite(value))


def _tags(result: Result, directory: Path) -> Iterator[tuple[str, str | None]]:
    first = result.artifacts[0] if result.artifacts else None
    yield "status", result.status.value
    yield "number", str(result.index)
    yield "provider", result.provider
    yield "model", result.model
    yield "deployment", result.deployment
    yield "job_id", result.job_id
    yield "sha256", first.sha256 if first else None
    yield "reused_from", result.reused_from
    yield "directory", str(directory)
    yield "tags", ", ".join(result.config.tags) or None
    error = result.error
    yield "error_type", error.type if error else None
    yield "error_code", error.code if error else None
    yield "error", error.message if error else None


def _files(result: Result, directory: Path, files: Files) -> Iterator[Path]:
    """Yield what is uploaded, of what is there."""
    if files == "none":
        return
    names = [
        artifact.path
        for artifact in result.artifacts
        if files == "all" or Path(artifact.path).stem.endswith("thumbnail")
    ]
    yield from (directory / name for name in [*dict.fromkeys(names), RESULT] if (directory / name).is_file())


def _end(status: RunStatus) -> End:
    if status is RunStatus.CANCELLED:
        return End.CANCELLED
    if status.unfinished:
        return End.OPEN
    return End.FAILED if status.failed else End.DONE


def _overall(statuses: Sequence[RunStatus], expected: int) -> End:
    if len(statuses) < expected or any(status.unfinished for status in statuses):
        return End.OPEN
    return End.FAILED if any(status.failed for status in statuses) else End.DONE


def _sums(results: Sequence[Result]) -> Iterator[tuple[str, float]]:
    sums = totals(results, [state_of(result.status, busy=False) for result in results], None)
    paid = totals([result for result in results if result.provider != _FREE], [], None)
    sums |= {key: paid[key] for key in _MONEY}
    yield from ((key, float(value)) for key, value in sums.items() if isinstance(value, int | float))
