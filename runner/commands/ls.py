"""List sweeps and runs with state, cost and age, and the command that continues each."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifacts.run_status import RunStatus
from runner.config.estimate import Estimate
from runner.display.line import called, clean
from runner.display.output import print_error, tolerate_broken_pipe
from runner.errors import ConfigError
from runner.ledger.calls import interrupted
from runner.ledger.discover import OUTPUTS
from runner.ledger.outputs_index import OutputsIndex
from runner.ledger.summary import SUMMARY, Summary, summary_of
from runner.results.state import RunState, state_of
from runner.sweeps.external_launcher import not_started

from .catalog import Parser, named_path, refuse_file

if TYPE_CHECKING:
    from runner.engine.batch_record import BatchRecord

_MODELS = 3
"""So many models are named."""

_BATCHES = 3
"""So many batches are told of."""

_LONGEST_WHAT = 90


def main(arguments: Sequence[str]) -> int:
    """Print the table, the latest last; returns 0, or 2 where there is no such directory or it cannot be read."""
    parsed = _parser().parse_args(arguments)
    refuse_file(parsed.outputs, "ls")
    if not parsed.outputs.is_dir():
        hint = "python -m runner makes outputs/ with a first video"
        raise ConfigError(f"there is no directory {parsed.outputs}", hint=hint)
    found, whole = _summaries(parsed.outputs)
    found = sorted([*found, *_not_started(parsed.outputs, found)], key=lambda each: each.changed)
    found = [each for each in found if {*parsed.tag} <= {*each.tags}]
    with tolerate_broken_pipe():
        if parsed.json:
            print(json.dumps([_plain(each) for each in found], indent=2))
        elif found:
            _print(found)
        else:
            tags = " with these tags" * bool(parsed.tag)
            print(f"{parsed.outputs} holds no runs{tags}{'' if whole else ' that can be read'}")
    return 0


def _summaries(root: Path) -> tuple[list[Summary], bool]:
    """Return what is found, and whether that is all, and say what cannot be read; raises why of the `root` itself."""
    index = OutputsIndex(root)
    found = [*map(summary_of, index.entries(SUMMARY)), *interrupted(index.calls)]
    for place, error in index.problems:
        if place == root and not found:
            raise error
        print_error(error)
    return found, not index.problems


def _not_started(root: Path, found: Sequence[Summary]) -> Iterator[Summary]:
    """Yield the runs that a launcher which is not ours never came to: a row for each such sweep."""
    for sweep in sorted({above for each in found for above in each.directory.parents if above.is_relative_to(root)}):
        if left := not_started(sweep):
            runs = [each for each in found if each.directory.is_relative_to(sweep)]
            yield Summary(
                directory=sweep,
                states={RunStatus.PLANNED: left},
                usd=0.0,
                emulated=all(each.emulated for each in runs),
                changed=max(each.changed for each in runs),
                running=next((each.running for each in runs if each.running), None),
                name=next((each.name for each in runs if each.name), None),
                tags=tuple(sorted({tag for each in runs for tag in each.tags})),
            )


def _print(found: Sequence[Summary]) -> None:
    from runner.display.grid import Head, print_grid

    heads = [
        Head("age", right=True),
        Head("cost", right=True),
        Head("runs"),
        Head("where; command to continue; what", whole=True),
    ]
    rows = []
    for each in found:
        command = f"running: {each.running}" if each.running else each.command or ""
        where = "\n".join(filter(None, [clean(str(each.directory), 400), clean(command, 400), _what(each)]))
        cost = "free" if each.emulated else str(Estimate(each.usd or 0.0, complete=each.usd is not None))
        # One that was left before its runs were planned has a ledger, and nothing in it.
        states = ", ".join(f"{count:,} {state}" for state, count in _states(each).items()) or "none planned"
        states = "\n".join([states, *(clean(str(batch), 100) for batch in each.batches[:_BATCHES])])
        rows.append(([_age(time.time() - each.changed), cost, states, where], ""))
    print_grid(heads, rows)
    if any(RunStatus.VERIFIED in each.states for each in found):
        print("done: all files came and were verified; show DIR says if one is missing since")
    if any(each.call for each in found):
        print("what has no ledger is a call of a Python program: resume it once that program has ended")


def _states(each: Summary) -> dict[RunState, int]:
    """Return how many runs are in each state, in the order in which a run comes to them."""
    found: Counter[RunState] = Counter()
    for status, count in each.states.items():
        found[state_of(status, busy=each.running is not None)] += count
    return {state: found[state] for state in RunState if found[state]}


def _what(each: Summary) -> str:
    """Return name and tags, models, and the prompt or how many there are, in one line."""
    models = ", ".join(each.models[:_MODELS]) + ", …" * (len(each.models) > _MODELS)
    prompt = f"{each.prompts:,} prompts" if each.prompts > 1 else each.prompt or ""
    return clean(" · ".join(filter(None, [called(each.name, each.tags), models, prompt])), _LONGEST_WHAT)


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def _plain(each: Summary) -> dict[str, object]:
    return {
        "directory": str(each.directory),
        "states": {state.value: count for state, count in _states(each).items()},
        "runs": {status.value: count for status, count in each.states.items()},
        "usd": each.usd,
        "emulated": each.emulated,
        "changed": dt.datetime.fromtimestamp(each.changed, dt.UTC).isoformat(timespec="seconds"),
        "running": each.running,
        "command": each.command,
        "name": each.name,
        "tags": list(each.tags),
        "models": list(each.models),
        "prompt": each.prompt,
        "prompts": each.prompts,
        "batches": [plain_batch(batch) for batch in each.batches],
    }


def plain_batch(batch: BatchRecord) -> dict[str, object]:
    """Return how far a batch was when it was last heard of, for programs."""
    return batch.model_dump(mode="json", include={"id", "status", "runs", "total", "completed", "failed", "asked_at"})


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner ls",
        allow_abbrev=False,
        description=__doc__,
        epilog="example: python -m runner ls --tag client-x, after python -m runner -m tags=[client-x] …",
    )
    parser.add_argument("outputs", type=named_path, nargs="?", default=OUTPUTS, help="where to look (default: outputs)")
    parser.add_argument("--tag", action="append", default=[], help="only what has this tag; may be repeated")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser
