"""Print a run or a sweep as it stands now, as at its end; also while it runs."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ConfigError

from .catalog import Parser, directory_or_address, refuse_file

if TYPE_CHECKING:
    from runner.artifacts.result import Result
    from runner.engine.batch_record import BatchRecord
    from runner.results.reading import RunGroup

_LONGEST_PROMPT = 1_000

_DOCUMENT = """example: python -m runner show outputs/multirun/DATE/TIME-x7k2

with --json, one document:
  version        1; grows with any change that would break a reader
  directory      what was looked at
  name           what its user calls it, null if nothing
  tags           words to find it by
  running        who is at work on it, null if nobody
  states         how many runs are queued, generating, downloading, done, failed, uncertain
  runs           how many are in each status of their records
  never_begun    how many runs another launcher than our own never came to
  command        what resumes it, null if nothing does or a process is working on it
  emulated       whether all of it was free
  usd            what all attempts count as spent; null if that of one is unknown
  estimated_usd  list price of all runs; null if that of one is unknown
  budget_usd     budget.max_usd, null if there is none
  saved_usd      what runs would have cost that were reused
  failures       each reason once, the commonest first: type, code, message, hint, runs (their numbers)
  stored         what of the runs lies in a storage, in words; null where nothing was uploaded
  files          paths of those that are there: csv, jsonl, page
  missing        paths of media of finished runs that are gone, or not as large as they were
  batches        those that may still go on at the provider, as they were last heard of
  results        the rows of results.jsonl: what varies first, then what came of each run
"""


def main(arguments: Sequence[str]) -> int:
    """Print it, or with `--json` one document; returns 0, or 2 where there is neither a run nor a sweep."""
    parsed = _parser().parse_args(arguments)
    refuse_file(parsed.dir, "show")
    if isinstance(parsed.dir, str):
        from runner.results.reading import remote
        from runner.storage.place import quieten_libraries

        quieten_libraries()
        with remote(parsed.dir) as found:
            return _show(found.sweep(), as_json=parsed.json)
    if not parsed.dir.is_dir():
        raise ConfigError(f"there is no directory {parsed.dir}", hint="python -m runner ls names them")
    from runner.results.reading import sweep_at

    return _show(sweep_at(parsed.dir), as_json=parsed.json)


def _show(sweep: RunGroup, *, as_json: bool) -> int:
    from runner.display.closing import print_closing
    from runner.display.output import print_error, tolerate_broken_pipe
    from runner.results.files import finite
    from runner.sweeps.external_launcher import NotStartedError, not_started

    with tolerate_broken_pipe():
        if as_json:
            print(json.dumps(finite(document(sweep)), indent=2, default=str, allow_nan=False))
            return 0
        place, results = _place(sweep), [result for _, result in sweep.runs]
        print("\n".join([_asked(results), *(str(batch) for batch in _batches(sweep.directory))]))
        print_closing(
            results,
            place,
            resumed_by=sweep.resumed_by(place),
            running=sweep.running,
            stored=sweep.stored,
            url=_address(sweep, place),
            missing=_missing(sweep),
        )
    if not sweep.url and (left := not_started(sweep.directory)):
        print_error(NotStartedError(sweep.directory, left))
    return 0


def _missing(sweep: RunGroup) -> list[Path]:
    """Return the files that are gone or changed; none where they may lie in a storage."""
    from runner.results.reading import missing_files

    return [] if sweep.url or sweep.stored else missing_files(sweep.runs)


def _asked(results: Sequence[Result]) -> str:
    """Return name and tags, models, the row of a table, and the prompt where all runs share it, in a line or two."""
    from runner.display.line import called, clean

    config = results[0].config
    models = ", ".join(dict.fromkeys(result.config.model.name for result in results))
    prompts = {result.config.request.prompt for result in results}
    prompt = f"{len(prompts):,} prompts" if len(prompts) > 1 else clean(config.request.prompt, _LONGEST_PROMPT)
    row = clean(config.run.text, 200) if len(results) == 1 else ""
    first = " · ".join(filter(None, [called(config.name, config.tags), clean(models, 200), row]))
    return "\n".join(filter(None, [first, prompt]))


def document(sweep: RunGroup) -> dict[str, object]:
    """Return everything that is known, for programs; `--help` tells what each key means."""
    from runner.report.live_page import NAME
    from runner.results.files import CSV, JSONL, result_rows
    from runner.results.state import state_of
    from runner.results.totals import resume_command_for
    from runner.sweeps.external_launcher import not_started

    from .ls import plain_batch

    files = {"csv": CSV, "jsonl": JSONL, "page": NAME}
    results = [result for _, result in sweep.runs]
    return {
        "version": 1,
        "directory": sweep.url or os.fspath(sweep.directory),
        "name": results[0].config.name,
        "tags": list(results[0].config.tags),
        "running": sweep.running,
        "states": dict(Counter(state_of(result.status, busy=sweep.busy).value for result in results)),
        "runs": dict(Counter(result.status.value for result in results)),
        "never_begun": 0 if sweep.url else not_started(sweep.directory),
        "command": None if sweep.running or sweep.url else resume_command_for(results, sweep.resumed_by(_place(sweep))),
        **_money(results),
        "failures": _failures(results),
        "stored": sweep.stored or None,
        "files": {
            key: os.fspath(sweep.directory / name) for key, name in files.items() if (sweep.directory / name).is_file()
        },
        "missing": [*map(os.fspath, _missing(sweep))],
        "batches": [plain_batch(batch) for batch in _batches(sweep.directory)],
        "results": result_rows(sweep.directory, sweep.runs, busy=sweep.busy),
    }


def _batches(directory: Path) -> list[BatchRecord]:
    """Return the batches that may still go on at the provider, as they were last heard of."""
    from runner.ledger.discover import has_ledger
    from runner.ledger.ledger import Ledger, waited_for

    if not has_ledger(directory):
        return []
    with Ledger(directory, readonly=True) as ledger:
        return waited_for(ledger)


def _place(sweep: RunGroup) -> Path:
    """Return where one run's files are, also if it was a sweep of one."""
    return sweep.runs[0][0] if len(sweep.runs) == 1 else sweep.directory


def _address(sweep: RunGroup, place: Path) -> str:
    """Return the address of a place that was read from a storage; empty where it lies here."""
    return "/".join([sweep.url, *place.relative_to(sweep.directory).parts]) if sweep.url else ""


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
    from runner.display.closing import groups

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


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner show",
        allow_abbrev=False,
        description=__doc__,
        epilog=_DOCUMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "dir",
        type=directory_or_address,
        help="a run's or sweep's directory, as in outputs/multirun/DATE/TIME-x7k2, or its address in a storage",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser
