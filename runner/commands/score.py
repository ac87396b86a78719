"""Compute metrics of what was made, or ask a judge (`python -m runner score DIR metrics=[sharpness,judge]`)."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.display.line import clean
from runner.display.output import print_error, print_problems, say, tolerate_broken_pipe
from runner.errors import INTERRUPTED, ConfigError, RunnerError
from runner.shell import command, line

from .advance import Advance
from .catalog import Parser, named_path, refuse_file

if TYPE_CHECKING:
    from runner.config.problem import Problem
    from runner.results.reading import Found, RunGroup
    from runner.results.scoring import Scored

_KEY = "metrics="
_MOST_SECONDS = 1e6
"""Eleven days; a wait of some hundred years is more than the system takes."""
_OVERRIDE = re.compile(r"[+~]*[a-z_][\w./@-]*=")


def main(arguments: Sequence[str]) -> int:
    """Score the files, and bring results files and page up to date; returns 0, 130 after Ctrl-C, or as a judge ended.

    Raises `ConfigError` for names that are no metrics, and where there is nothing to score.
    """
    parsed = _parser().parse_intermixed_args(arguments)
    directories, names, overrides = _parted(parsed.words)
    for each in directories:
        refuse_file(each, "score")
    if not 0 < parsed.seconds <= _MOST_SECONDS:
        raise ConfigError(f"--seconds {parsed.seconds:g} is not allowed; nothing was scored", hint="--seconds 60")
    from runner.config.judge import JUDGE

    judges = JUDGE in names
    _refuse_unread(parsed, overrides, judges=judges)
    computed = [name for name in names if name != JUDGE]
    from runner.metrics.catalog import problems_of, unusable
    from runner.results.reading import sweeps_of

    _refuse(problems_of(computed))
    _refuse(unusable(computed))
    config = None
    if judges:
        from .score_judge import judge_config  # the other metrics need no config

        config = judge_config([*overrides, *(["--config-dir", parsed.config_dir] if parsed.config_dir else [])])
    found = sweeps_of(directories)
    for error in found.unreadable:
        print_error(error)
    if config is None or (computed and not config.dry_run):
        for sweep in found.sweeps:
            if _compute(sweep, computed, parsed.seconds):
                return INTERRUPTED
    if config is None:
        return 0
    from .score_judge import AskAgain, ask_judge

    typed = line(["python", "-m", "runner", "score", *arguments])
    again = AskAgain(retry_failed=parsed.retry_failed, resubmit_uncertain=parsed.resubmit_uncertain)
    return ask_judge(found.sweeps, config, again, typed=typed, renew=_renew)


def _compute(sweep: RunGroup, names: Sequence[str], seconds: float) -> bool:
    """Compute the metrics of a sweep's files; returns whether that was interrupted."""
    from runner.artifacts.run_status import RunStatus
    from runner.metrics.catalog import BUILT_IN, problems_of

    done = [run for run in sweep.runs if run[1].status is RunStatus.VERIFIED]
    wanted = names or _configured(sweep) or [name for name in BUILT_IN if not problems_of([name])]
    _refuse([] if wanted else problems_of(BUILT_IN))
    for place, runs in _by_place(sweep, done).items():
        interrupted = _score(place, runs, wanted, seconds)
        _renew(place)
        if interrupted:
            return True
    return False


def _parted(words: Sequence[str]) -> tuple[list[Path], list[str], list[str]]:
    """Return the directories, the metrics' names, and overrides of what a judge is asked with."""
    listed = [word.removeprefix(_KEY) for word in words if word.startswith(_KEY)]
    rest = [word for word in words if not word.startswith(_KEY)]
    overrides = [word for word in rest if _OVERRIDE.match(word) and not os.path.isdir(word)]  # noqa: PTH112 - a long one raises OSError with pathlib
    directories = [_directory(word) for word in rest if word not in overrides]
    names = [name.strip().strip("'\"") for text in listed for name in text.strip("[]").split(",")]
    if not directories:
        raise ConfigError("score takes a directory; nothing was scored", hint="python -m runner ls names them")
    return directories, [name for name in dict.fromkeys(names) if name], overrides


def _directory(word: str) -> Path:
    try:
        return named_path(word)
    except argparse.ArgumentTypeError as error:
        raise ConfigError(f"{error}; nothing was scored", hint="python -m runner ls names them") from error


def _refuse_unread(parsed: argparse.Namespace, overrides: Sequence[str], *, judges: bool) -> None:
    """Raise `ConfigError` for what only asking a judge reads."""
    flags = {"--retry-failed": parsed.retry_failed, "--resubmit-uncertain": parsed.resubmit_uncertain}
    unread = [*overrides, *(flag for flag, given in flags.items() if given)]
    if unread and not judges:
        hint = line(["python", "-m", "runner", "score", *parsed.words, "metrics=[judge]"])
        raise ConfigError(f"{unread[0]} is read by metrics=[judge] alone; nothing was scored", hint=hint)


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        hint = "\n".join(dict.fromkeys(line for each in problems for line in (each.hint or "").splitlines()))
        raise ConfigError(f"{'; '.join(each.message for each in problems)}; nothing was scored", hint=hint)


def _configured(sweep: RunGroup) -> list[str]:
    """Return the metrics that the runs' own configs ask for."""
    return [*dict.fromkeys(name for _, result in sweep.runs for name in result.config.scored)]


def _by_place(sweep: RunGroup, runs: Sequence[Found]) -> dict[Path, list[Found]]:
    """Return the runs by the directory whose `scores.jsonl` has their scores."""
    found: dict[Path, list[Found]] = {}
    for where, result in runs:
        found.setdefault(sweep.resumed_by(where), []).append((where, result))
    return found


def _score(place: Path, runs: Sequence[Found], names: Sequence[str], seconds: float) -> bool:
    """Score the runs and say what came of it; returns whether that was interrupted."""
    from runner.metrics.measurer import MeasuringError
    from runner.results.scoring import score_runs

    try:
        scored = score_runs(place, runs, names, seconds=seconds, advance=Advance("files", f"{place}: "))
    except MeasuringError as error:
        raise RunnerError(f"nothing was scored: {error}") from error
    print_problems(scored.problems)
    with tolerate_broken_pipe():
        print(_summary(place, scored))
    if scored.interrupted:
        say(f"interrupted; what was computed is kept, and the same command goes on: {command('score', place)}")
    return scored.interrupted


def _summary(place: Path, scored: Scored) -> str:
    from runner.metrics.scores import NAME

    files = f"{scored.files:,} file{'s' * (scored.files != 1)}"
    numbers = f"{scored.computed:,} number{'s' * (scored.computed != 1)} computed, {scored.known:,} known before"
    return f"{clean(str(place / NAME), 400)}  ({files}: {numbers})"


def _renew(place: Path) -> None:
    """Bring the results files and the page of a sweep up to date, where it has any."""
    from runner.ledger.lock import at_work
    from runner.report.live_page import NAME as PAGE
    from runner.report.live_page import keep_page
    from runner.results.files import CSV, write_results
    from runner.results.reading import sweep_at

    if at_work(place):
        say(f"{place} is at work: its results files and page get the scores when it ends")
        return
    if (place / CSV).is_file():
        print_problems(write_results(place, sweep_at(place).runs))
    if (place / PAGE).is_file():
        print_problems(keep_page(place))


_EPILOG = """examples:
  python -m runner score outputs/multirun/DATE/TIME-x7k2 metrics=[sharpness,motion]
  python -m runner score outputs/multirun/DATE/TIME-x7k2 metrics=[judge] provider=openai judge.votes=3 dry_run=true

Without metrics=…: those that the runs' own config asks for, else all that can be computed here. A metric of your own is
module:function, with a function from a file's path to a number. metrics=[judge] asks a vision model, which costs money
except with provider=emulator, the default: provider, judge, budget, dry_run and yes are set as for a run.
python -m runner keys judge lists them, docs/metrics.md tells what each means."""


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner score",
        allow_abbrev=False,
        description="Compute metrics of the files of sweeps and runs, in a process that knows no key, or ask a vision "
        "model to judge them. What is known is not computed, nor asked and paid, again. Numbers go to scores.jsonl, "
        "results.csv and the page.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "words", nargs="+", metavar="DIR… [metrics=[NAME,…]] [key=value]", help="sweeps, runs, or what they lie in"
    )
    parser.add_argument(
        "--seconds", type=float, default=300.0, metavar="N", help="that one file may take, at most (default: 300)"
    )
    parser.add_argument(
        "--retry-failed",
        action="store_true",
        help="ask and pay a judge again who refused, or whose answer is unreadable",
    )
    parser.add_argument(
        "--resubmit-uncertain",
        action="store_true",
        help="ask and pay a judge again whose answer was lost, at the risk of paying twice",
    )
    parser.add_argument("--config-dir", metavar="DIR", help="of your own: DIR/judge/NAME.yaml for judge=NAME")
    return parser
