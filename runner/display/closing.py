"""What stands on the terminal when all is over: what came of each run, what it cost, what to type next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from runner.artifacts.result import Artifact, Result
from runner.config import Estimate

from .line import clean
from .money import cost, how_to_go_on, money

_ROWS = 40


def print_closing(
    results: Sequence[Result], directory: Path, labels: Sequence[str] = (), *, resumed_by: Path | None = None
) -> None:
    """Print one run's outcome in full, or a sweep's as a table with its sums; `labels` tell the runs apart.

    `resumed_by` is the directory to resume, where that is another, as for a sweep of one run.
    """
    if len(results) == 1:
        _print_single(results[0], directory, resumed_by or directory)
    elif results:
        _print_sweep(results, directory, labels)


def _print_single(result: Result, directory: Path, resumed_by: Path) -> None:
    for artifact in result.artifacts:
        print(f"{directory / artifact.path}  {_facts(artifact)}")
    if result.error is not None:
        print(f"{result.status}: {clean(result.error.message, 400)}")
        for line in (result.error.hint or "").splitlines():
            print(f"  {line}")
    elif result.status.unfinished:
        state = f"job {result.job_id} goes on at the provider" if result.job_id else "nothing was sent"
        print(f"{result.status}: {state}")
    if command := how_to_go_on([result], resumed_by):
        print(f"  {command}")
    if not result.artifacts:
        print(f"  details: {directory / 'result.json'}")
    if result.artifacts:
        print(f"{money([result])}  ·  python -m runner repeat {directory}")


def _facts(artifact: Artifact) -> str:
    parts = [f"{artifact.width}x{artifact.height}" if artifact.width else ""]
    if artifact.duration_seconds:
        parts.append(f"{artifact.duration_seconds:.1f} s at {artifact.fps or 0:g} fps")
    parts += ["+".join(filter(None, (artifact.video_codec, artifact.audio_codec))), _size(artifact.bytes)]
    return "  ".join(part for part in parts if part)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _print_sweep(results: Sequence[Result], directory: Path, labels: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in ("run", "status", "s", "cost", "parameters"):
        table.add_column(
            name, justify="right" if name in ("run", "s", "cost") else "left", no_wrap=name != "parameters"
        )
    texts = dict(zip((result.index for result in results), labels, strict=False))
    for result in _shown(results):
        style = "red" if result.status.failed else "yellow" if result.status.unfinished else ""
        row = [str(result.index), result.status.value, _seconds(result), str(Estimate.total([cost(result)]))]
        table.add_row(*row, Text(clean(texts.get(result.index, " ".join(result.overrides)), 120)), style=style)
    console = Console(highlight=False)
    console.print(table)
    if len(results) > _ROWS:
        console.print(f"… {len(results) - _ROWS} more in {directory / 'results.csv'}", markup=False)
    _print_totals(results, directory)


def _shown(results: Sequence[Result]) -> list[Result]:
    troubled = [r for r in results if r.error is not None]
    return sorted({r.index: r for r in [*troubled, *results][:_ROWS]}.values(), key=lambda r: r.index)


def _seconds(result: Result) -> str:
    times = result.timestamps
    begin = times.get("submitting")
    return f"{(max(times.values()) - begin).total_seconds():.1f}" if begin else ""


def _print_totals(results: Sequence[Result], directory: Path) -> None:
    counts = Counter("succeeded" if r.status == "verified" else r.status.value for r in results)
    print(" · ".join(f"{count} {name}" for name, count in counts.most_common()) + f" · {money(results)}")
    reasons = Counter((clean(r.error.message, 300), r.error.hint or "") for r in results if r.error is not None)
    for (reason, hint), count in reasons.most_common(10):
        print(f"  {count} × {reason}")
        for line in hint.splitlines():
            print(f"      {line}")
    if command := how_to_go_on(results, directory):
        print(f"  {command}")
    print(f"{directory}  (results.csv, results.jsonl)")
