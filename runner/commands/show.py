"""`python -m runner show DIR`: a run or a sweep as it stands now, printed as it was at its end; also while it runs."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ConfigError

if TYPE_CHECKING:
    from runner.artifacts.result import Result
    from runner.report.reading import Sweep

_DOCUMENT = """with --json, one document:
  version        1; grows with any change that would break a reader
  directory      what was looked at
  running        who is at work on it, null if nobody
  runs           how many are in each status
  never_begun    how many runs another launcher than our own never came to
  command        what goes on with it, null if nothing does or someone is at it
  emulated       whether all of it was free
  usd            what all attempts count as spent; null if that of one is unknown
  estimated_usd  list price of all runs; null if that of one is unknown
  budget_usd     budget.max_usd, null if there is none
  saved_usd      what runs would have cost that were reused
  failures       each reason once, the commonest first: type, code, message, hint, runs (their numbers)
  files          paths of those that are there: csv, jsonl, page
  results        the rows of results.jsonl: what varies first, then what came of each run
"""

_FILES = {"csv": "results.csv", "jsonl": "results.jsonl", "page": "index.html"}


def main(arguments: Sequence[str]) -> int:
    """Print it, or with `--json` one document; returns 0, or 2 where there is neither a run nor a sweep."""
    parsed = _parser().parse_args(arguments)
    sweep = _found(parsed.dir)
    resumed_by, running = _surroundings(sweep)
    from runner.display import print_closing, print_error, reader_may_leave
    from runner.sweep.foreign import NotBegunError, never_begun

    with reader_may_leave():
        if parsed.json:
            print(json.dumps(document(sweep, resumed_by, running), indent=2, default=str))
            return 0
        place = sweep.runs[0][0] if len(sweep.runs) == 1 else sweep.directory
        print_closing([result for _, result in sweep.runs], place, resumed_by=resumed_by, running=running)
    if left := never_begun(sweep.directory):
        print_error(NotBegunError(sweep.directory, left))
    return 0


def document(sweep: Sweep, resumed_by: Path, running: str | None) -> dict[str, object]:
    """Everything that is known, for programs; `--help` tells what each key means."""
    from runner.display.money import how_to_go_on
    from runner.report.results import result_rows
    from runner.sweep.foreign import never_begun

    results = [result for _, result in sweep.runs]
    return {
        "version": 1,
        "directory": os.fspath(sweep.directory),
        "running": running,
        "runs": dict(Counter(result.status.value for result in results)),
        "never_begun": never_begun(sweep.directory),
        "command": None if running else how_to_go_on(results, resumed_by),
        **_money(results),
        "failures": _failures(results),
        "files": {
            key: os.fspath(sweep.directory / name) for key, name in _FILES.items() if (sweep.directory / name).is_file()
        },
        "results": result_rows(sweep.directory, sweep.runs),
    }


def _money(results: Sequence[Result]) -> dict[str, object]:
    return {
        "emulated": all(result.provider == "emulator" for result in results),
        "usd": _sum([result.spent_usd for result in results]),
        "estimated_usd": _sum([result.cost.estimated_usd for result in results]),
        "budget_usd": results[0].config.budget.max_usd,
        "saved_usd": _sum([result.saved_usd for result in results if result.reused_from is not None]),
    }


def _sum(amounts: Sequence[float | None]) -> float | None:
    return None if None in amounts else round(sum(usd or 0.0 for usd in amounts), 6)


def _failures(results: Sequence[Result]) -> list[dict[str, object]]:
    from runner.display.reason import groups

    return [
        {
            "type": group.error.type,
            "code": group.error.code,
            "message": group.message,
            "hint": group.error.hint,
            "runs": list(group.runs),
        }
        for group in groups(results)
    ]


def _found(directory: Path) -> Sweep:
    """The one sweep or run that `directory` is; raises `ConfigError`."""
    if not directory.is_dir():
        raise ConfigError(f"there is no directory {directory}", hint="python -m runner ls")
    _require_one(directory)
    from runner.report.reading import sweeps_of

    return sweeps_of([directory])[0]


def _require_one(directory: Path) -> None:
    from runner.artifacts.result_file import NAME as RESULT
    from runner.ledger import has_ledger, shelved

    names = (RESULT, "multirun.yaml")
    if has_ledger(directory) or any((directory / name).is_file() for name in names):
        return
    if next(shelved(directory), None) is not None:
        raise ConfigError(
            f"{directory} is neither a run nor a sweep, but holds some",
            hint=f"python -m runner ls {shlex.quote(os.fspath(directory))} names them",
        )
    if next(directory.glob(f"*/{RESULT}"), None) is None:
        raise ConfigError(f"{directory} holds no sweep and no run", hint="python -m runner ls")


def _surroundings(sweep: Sweep) -> tuple[Path, str | None]:
    """What `resume` is to be given, and who is at work: for one run of a sweep, on the whole sweep."""
    from runner.ledger import Acquaintance
    from runner.ledger.lock import at_work
    from runner.report.reading import shown

    owner = None
    if len(sweep.runs) == 1:
        owner = Acquaintance().find(Path(os.path.abspath(sweep.directory)))  # noqa: PTH100 - as ledgers name them
    place = sweep.directory if owner is None else _unless_same(shown(owner[0]), sweep.directory)
    at = (at_work(each) for each in dict.fromkeys([place, *(where for where, _ in sweep.runs)]))
    return place, next((who for who in at if who), None)


def _unless_same(place: Path, typed: Path) -> Path:
    return typed if place.resolve() == typed.resolve() else place


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runner show",
        allow_abbrev=False,
        description=__doc__,
        epilog=_DOCUMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dir", type=Path, help="a run's or sweep's directory, as in outputs/multirun/DATE/TIME-x7k2")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser
