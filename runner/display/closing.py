"""Say on the terminal, when all is over, what came of each run, why, what it cost and what to type next."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from runner.artifacts.result import Artifact, ErrorRecord, Result
from runner.artifacts.run_status import RunStatus
from runner.config.problem import ranges
from runner.config.provider import server_names, servers_of
from runner.results.state import RunState, state_of
from runner.results.totals import money, resume_command_for
from runner.shell import command

from .grid import Line, print_lines
from .line import clean
from .table import by_model, table
from .tally import name_of

_NUMBERED = re.compile(r"[^\s,;:()'\"]*\d[^\s,;:()'\"]*")
"""Job ids, prices, indices: what makes the same text another for each run."""

_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Group:
    """Hold the runs with one reason; `message` is safe to print, with a … for what differs between them."""

    error: ErrorRecord
    message: str
    runs: tuple[int, ...]


class Reasons:
    """Count texts by their kind, and tell of each how often it has come.

    Attributes:
        texts: each kind's first text, by its key.
        counts: how often each kind came.
        first: who came with it first.
        printed: how many of them were printed.
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.first: dict[str, int] = {}
        self.printed = 0

    def count(self, text: str, run: int) -> tuple[str, int]:
        """Take in what `run` came with; the key of its kind, and how many have come with that by now."""
        key = kind(text)
        if key not in self.texts:
            self.texts[key], self.first[key] = text, run
        self.counts[key] += 1
        return key, self.counts[key]


def kind(text: str) -> str:
    """Return what is left of a text without what has a digit in it."""
    return _NUMBERED.sub("#", text[:_LONGEST])


def groups(results: Sequence[Result]) -> list[Group]:
    """Return why runs did not succeed, the commonest reason first."""
    found: dict[tuple[str, str | None, str], list[tuple[ErrorRecord, int]]] = {}
    for result in results:
        if (error := result.error) is not None:
            found.setdefault((error.type, error.code, kind(error.message)), []).append((error, result.index))
    return [
        Group(each[0][0], clean(_common([error.message for error, _ in each]), _LONGEST), tuple(run for _, run in each))
        for each in sorted(found.values(), key=len, reverse=True)
    ]


def warned(results: Sequence[Result]) -> list[tuple[str, tuple[int, ...]]]:
    """Return what runs were warned of, safe to print, with the runs' numbers; the commonest first."""
    found: dict[str, list[tuple[str, int]]] = {}
    for result in results:
        for key, text in {kind(text): text for text in result.warnings}.items():
            found.setdefault(key, []).append((text, result.index))
    return [
        (clean(_common([text for text, _ in each]), _LONGEST), tuple(run for _, run in each))
        for each in sorted(found.values(), key=len, reverse=True)
    ]


def _common(messages: Sequence[str]) -> str:
    """Return the first of messages of one kind, without those of its numbers that others have not."""
    first, *others = [_NUMBERED.findall(message[:_LONGEST]) for message in dict.fromkeys(messages)]
    same = iter([all(other[place] == number for other in others) for place, number in enumerate(first)])
    return _NUMBERED.sub(lambda match: match.group() if next(same, True) else "…", messages[0])


PAGE = "index.html"
"""Where a sweep's results are looked at."""

_ROWS = 40

_REASONS = 10

_WARNINGS = 5

_MISSING = 3
"""So many files that are not there are named."""

_LONGEST_LINE = 4000

_FILES = ("results.csv", "results.jsonl")


def print_closing(
    results: Sequence[Result],
    directory: Path,
    *,
    resumed_by: Path | None = None,
    running: str | None = None,
    interrupted: int | None = None,
    stored: str = "",
    url: str = "",
    missing: Collection[Path] = (),
) -> None:
    """Print one run's outcome in full, or a sweep's as a table with its sums, reasons, files and next command.

    `resumed_by` is the directory to resume, where that is another, as for a sweep of one run. `running` says who is
    still at work on it: then nothing is to be resumed. `interrupted` is the number of the signal that ended it.
    `stored` says what lies in a storage; `url` is the address in one that all was read from, as nothing lies here.
    `missing` are files of theirs that are no longer there, or not as they were.
    """
    if len(results) == 1:
        lines = _single(results[0], directory, resumed_by or directory, running, interrupted, url, missing)
    else:
        lines = _sweep(results, directory, running, interrupted, url, missing) if results else iter(())
    if stored and not url:
        lines = chain(lines, [Line(stored)])
    print_lines(Line(clean(text, _LONGEST_LINE), style) for text, style in lines)


def _single(
    result: Result,
    directory: Path,
    resumed_by: Path,
    running: str | None,
    interrupted: int | None,
    url: str,
    missing: Collection[Path],
) -> Iterator[Line]:
    for artifact in result.artifacts:
        gone = directory / artifact.path in missing
        facts = f"is missing or changed; it was {_facts(artifact)}" if gone else _facts(artifact)
        yield Line(f"{_at(directory, url, artifact.path)}  {facts}", "yellow" * gone)
    yield from (Line(f"warning: {clean(text, 400)}", "yellow") for text in result.warnings[:_REASONS])
    state = state_of(result.status, busy=bool(running))
    yield from _interruption([result], interrupted)
    if result.error is not None:
        yield Line(f"{state}: {clean(result.error.message, 400)}", "red")
        yield from (Line(f"  {line}") for line in (result.error.hint or "").splitlines())
    elif result.status.unfinished:
        yield Line(f"{state}: {status_text(result, running=bool(running))}", "yellow")
    yield from () if url else _next([result], resumed_by, running)
    if not result.artifacts:
        yield Line(f"details: {_at(directory, url, 'result.json')}")
    # A run that was never sent has nothing to sum up.
    if result.artifacts or result.attempts:
        latency = None if result.latency_seconds is None else f"{result.latency_seconds:.1f} s"
        yield Line(" · ".join(filter(None, [result.model, state.value, latency, money([result])])))
    if result.artifacts and not url:
        yield Line(f"once more: {command('repeat', directory)}")
    yield from _page(resumed_by)


def _at(directory: Path, url: str, name: str) -> str:
    """Return where a file is: here, or at its address in a storage."""
    return f"{url}/{name}" if url else str(directory / name)


def _interruption(results: Sequence[Result], interrupted: int | None) -> Iterator[Line]:
    """Yield what an interrupt has left, and what of that goes on."""
    if interrupted is None:
        return
    states = Counter(state_of(result.status, busy=False) for result in results)
    parts = [f"interrupted by {name_of(interrupted)}"]
    if count := states[RunState.GENERATING]:
        parts.append(f"{count:,} {'is' if count == 1 else 'are'} being made at the provider, also while nobody waits")
    if count := states[RunState.DOWNLOADING]:
        parts.append(f"{count:,} {'is' if count == 1 else 'are'} made and not here yet")
    if count := states[RunState.UNCERTAIN]:
        parts.append(f"{count:,} may have been paid")
    if count := states[RunState.QUEUED]:
        parts.append(f"{count:,} {'was' if count == 1 else 'were'} not sent and cost{'s' * (count == 1)} nothing")
    yield Line("; ".join(parts), "bold yellow")


def _next(results: Sequence[Result], directory: Path, running: str | None) -> Iterator[Line]:
    if running:
        yield Line(f"  running: {running}")
    elif resume := resume_command_for(results, directory):
        yield Line(f"  {resume}", "bold")
    batches = {result.job_id for result in results if result.status is RunStatus.SUBMITTED and _batched(result)}
    if batches:
        what = "a batch is" if len(batches) == 1 else f"{len(batches):,} batches are"
        ends = f"{command('cancel', directory)} stops what is not done"
        yield Line(f"  {what} at the provider, under way also while nobody waits, or done; {ends}")


def _batched(result: Result) -> bool:
    return any(attempt.batch and attempt.job_id == result.job_id for attempt in result.attempts)


def _facts(artifact: Artifact) -> str:
    parts = [f"{artifact.width}x{artifact.height}" if artifact.width else ""]
    if artifact.duration_seconds:
        parts.append(f"{artifact.duration_seconds:.1f} s at {artifact.fps or 0:g} fps")
    parts += ["+".join(filter(None, (artifact.video_codec, artifact.audio_codec))), _size(artifact.bytes)]
    return "  ".join(part for part in parts if part)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _sweep(
    results: Sequence[Result],
    directory: Path,
    running: str | None,
    interrupted: int | None,
    url: str,
    missing: Collection[Path],
) -> Iterator[Line]:
    rows = _shown(results)
    columns = shutil.get_terminal_size().columns
    yield from table(results, rows, columns, busy=bool(running))
    if len(results) > len(rows):
        yield Line(f"… {len(results) - len(rows):,} more in {_at(directory, url, 'results.csv')}", "dim")
    yield from _reasons(results)
    yield from _warnings(results)
    yield Line("")
    yield from by_model(results, columns, busy=bool(running))
    counts = Counter(state_of(result.status, busy=bool(running)) for result in results)
    yield Line(" · ".join([*(f"{counts[state]:,} {state}" for state in RunState if counts[state]), money(results)]))
    if missing:
        more = f" and {len(missing) - _MISSING:,} more" * (len(missing) > _MISSING)
        yield Line(f"missing or changed: {', '.join(map(str, [*missing][:_MISSING]))}{more}", "yellow")
    yield from _spread(results)
    yield from _interruption(results, interrupted)
    if url:
        yield Line(url)
        return
    yield from _next(results, directory, running)
    yield from _places(directory)


def _spread(results: Sequence[Result]) -> Iterator[Line]:
    """Yield how many runs went to each server, where their provider names several; also to which none went."""
    sent = [result for result in results if servers_of(result.config.provider) and result.attempts]
    if not sent:
        return
    from runner.providers.endpoint import resolve  # few have a pool

    providers = {id(result.config.provider): result.config.provider for result in sent}.values()
    counts = Counter({resolve(each).identity: 0 for provider in providers for each in servers_of(provider)})
    counts.update(result.endpoint for result in sent)
    names = server_names(counts)
    parts = [f"{count or 'none'} at {names[server]}" for server, count in sorted(counts.items())]
    yield Line("spread: " + " · ".join(parts))


def _shown(results: Sequence[Result]) -> list[int]:
    """Return the positions of the runs that are shown: those in trouble before the others."""
    troubled = [row for row, result in enumerate(results) if result.error is not None]
    return sorted([*dict.fromkeys([*troubled, *range(len(results))])][:_ROWS])


def _reasons(results: Sequence[Result]) -> Iterator[Line]:
    found = groups(results)
    for group in found[:_REASONS]:
        yield Line(f"  {len(group.runs):,} × {group.message}{_whose(group.runs)}", "red")
        yield from (Line(f"      {line}") for line in (group.error.hint or "").splitlines())
    if len(found) > _REASONS:
        yield Line(f"  … and {len(found) - _REASONS:,} more reasons", "dim")


def _warnings(results: Sequence[Result]) -> Iterator[Line]:
    found = warned(results)
    for text, runs in found[:_WARNINGS]:
        yield Line(f"  {len(runs):,} × warning: {text}{_whose(runs)}", "yellow")
    if len(found) > _WARNINGS:
        yield Line(f"  … and {len(found) - _WARNINGS:,} more kinds of warnings", "dim")


def _whose(runs: Sequence[int]) -> str:
    numbers = ranges(runs)
    return f"  (run{'s' * (len(runs) > 1)} {numbers if len(numbers) <= 60 else f'{numbers[:60]}…'})"


def _places(directory: Path) -> Iterator[Line]:
    there = [name for name in _FILES if (directory / name).is_file()]
    yield Line(f"{directory}  ({', '.join(there)})" if there else str(directory))
    yield from _page(directory)


def _page(directory: Path) -> Iterator[Line]:
    """Yield the address of the page, which terminals open in a browser."""
    if (directory / PAGE).is_file():
        yield Line((directory / PAGE).absolute().as_uri())


def status_text(result: Result, *, running: bool = False) -> str:
    """Return what was sent and what is safe; `running`: whether a process is at work on it just now."""
    if result.status.lost:
        waited = "a paid request was sent, and its answer is awaited"
        return waited if running else "a request was sent and its answer was lost: it may have been paid"
    if result.status.paid:
        if result.job_id is None:
            return "what was paid for has arrived and is not checked yet"
        if _batched(result):
            return f"{result.job_id} is at the provider, under way or done"
        return f"job {result.job_id} goes on at the provider"
    if result.attempts:
        return "not begun again; nothing more was sent"
    return "not begun; nothing was sent"
