"""Compute metrics of what was made, or ask a judge (`python -m runner score DIR metrics=[sharpness,judge]`)."""

from __future__ import annotations

import argparse
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifacts.run_status import RunStatus
from runner.config.estimate import Estimate
from runner.config.problem import Problem
from runner.config.run import passes
from runner.display.line import clean
from runner.display.output import Advance, answered, print_error, print_problems, say, tolerate_broken_pipe
from runner.errors import INTERRUPTED, BudgetError, ConfigError, RunnerError
from runner.ledger.budget import rounded_up
from runner.shell import command, line

from .catalog import Parser, named_path, refuse_file

if TYPE_CHECKING:
    from runner.config.judge import ScoreConfig
    from runner.model_judge.asking import Outcome
    from runner.model_judge.plan import JudgePlan
    from runner.model_judge.vote import Vote
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


_NAMED = 5
"""So many files are named of those that share a reason."""

_UNCERTAIN = 4
"""The exit code where something was sent and its answer lost."""

_PRICE = (
    "judge.usd_per_million_tokens='{text_in: 0.75, text_out: 4.5}' gives its price\n"
    "budget.assume_usd_per_run=0.01 counts each request as that many dollars, 0 as free"
)


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Say what its user wants asked again: what failed although it was paid, and what may have been paid."""

    retry_failed: bool = False
    resubmit_uncertain: bool = False


def judge_config(arguments: Sequence[str]) -> ScoreConfig:
    """Return what a judge is asked with, of overrides and flags; raises `ConfigError`, also where no key is set."""
    from runner.cli.composed import composed_score
    from runner.config.provider import servers_of
    from runner.providers.preflight import check_endpoint

    config = composed_score(arguments)
    if servers_of(config.provider):
        raise ConfigError(
            "a judge is asked at one server, and provider.base_urls names several",
            hint="provider.base_urls=[] provider.base_url=URL",
        )
    problems = check_endpoint(config.provider, os.environ)
    print_problems([problem for problem in problems if problem.severity == "warning"])
    for problem in problems:
        if problem.severity == "error":
            raise ConfigError(f"{problem.text}; nothing was sent", hint=problem.hint)
    return config


def ask_judge(
    groups: Sequence[RunGroup],
    config: ScoreConfig,
    again: AskAgain,
    *,
    typed: str,
    renew: Callable[[Path], object],
) -> int:
    """Ask what is left, keep what was answered, and return the exit code.

    `typed` is the command that goes on, `renew` brings results files and page of a directory up to date. Raises
    `ConfigError` and `BudgetError` before anything is sent.
    """
    from runner.model_judge.plan import plan

    wanted = {"retry_failed": again.retry_failed, "resubmit_uncertain": again.resubmit_uncertain}
    made = plan(groups, config, **wanted)
    print_problems(made.problems)
    for each in _announced(made, config):
        say(each)
    if config.dry_run:
        _check(made, config)
        return 0
    _agree(made, config)
    outcome = _ask(made, config) if made.left or made.reread or made.unkept else None
    return _conclude(groups, made, config, outcome, typed=typed, renew=renew)


def _announced(made: JudgePlan, config: ScoreConfig) -> Iterator[str]:
    """Yield what is about to be asked, and what it costs at most."""
    votes = f"{len(made.votes):,} question{'s' * (len(made.votes) != 1)} to {config.judge.sent_model}"
    left = f"{len(made.left):,} to ask, {len(made.votes) - len(made.left):,} asked before"
    price = Estimate(made.most, complete=not made.unknown)
    free = " (emulated: free)" if made.left and not config.budget.counts(config.provider) else ""
    yield f"{votes}: {left}; at most {price}{free}" if made.left else f"{votes}: {left}"
    if made.skipped:
        yield f"{made.skipped:,} more pairs are left out: judge.max_pairs={config.judge.max_pairs + made.skipped}"
    if config.provider.kind == "emulator":
        yield "note: the emulator judges by sharpness and colours alone; provider=openai asks a vision model"


def _check(made: JudgePlan, config: ScoreConfig) -> None:
    """Raise what keeps the questions from being asked: an unknown price, or a limit that they would pass."""
    if made.unknown and config.budget.counts(config.provider):
        where = config.provider.kind
        raise ConfigError(
            f"no source gives the price of {config.judge.model} at {where}; nothing was sent", hint=_PRICE
        )
    most = config.budget.max_usd_per_run
    if passes(made.dearest, most):
        raise BudgetError(
            f"a request would cost at most {Estimate(made.dearest)}, above budget.max_usd_per_run={most:g}; "
            "nothing was sent",
            hint=f"budget.max_usd_per_run={rounded_up(made.dearest)} is enough",
            code="budget.max_usd_per_run",
        )
    total, limit = made.spent + made.counted, config.budget.max_usd
    if passes(total, limit):
        before = f" on top of {Estimate(made.spent)} that is spent or at risk" if made.spent else ""
        raise BudgetError(
            f"asking would cost at most {Estimate(made.counted)}{before}, above budget.max_usd={limit:g}; "
            "nothing was sent",
            hint=f"budget.max_usd={rounded_up(total)} is enough; lower judge.max_tokens, votes or frames cost less",
            code="budget.max_usd",
        )


def _agree(made: JudgePlan, config: ScoreConfig) -> None:
    """Return if the questions may be asked; asks its user where their sum wants consent."""
    if not made.left:
        return
    _check(made, config)
    threshold = config.budget.confirm_above_usd
    if config.yes or config.budget.max_usd is not None or not passes(made.counted, threshold):
        return
    what = f"asking would cost at most {Estimate(made.counted)}"
    limit = rounded_up(made.spent + made.counted)
    ways = f"yes=true asks; budget.max_usd={limit} asks and keeps to it; dry_run=true shows the price"
    agreed = answered(f"{what}. Ask?")
    if agreed is None:
        raise ConfigError(
            f"{what}, above budget.confirm_above_usd={threshold:g}, and there is no terminal to ask on; "
            "nothing was sent",
            hint=ways,
        )
    if not agreed:
        raise ConfigError("not started; nothing was sent", hint=ways)


def _require_as_planned(made: JudgePlan, known: Mapping[Path, Mapping[str, Vote]]) -> None:
    """Raise `ConfigError` if another process has asked something since this one looked."""
    for asked in made.left:
        found, vote = known[asked.question.place].get(asked.vote.key), asked.vote
        if found is not None and (found.status, len(found.attempts)) != (vote.status, len(vote.attempts)):
            raise ConfigError(
                f"another process has asked a judge in {asked.question.place} meanwhile; nothing was sent",
                hint="give the same command again",
            )


def _ask(made: JudgePlan, config: ScoreConfig) -> Outcome | None:
    from runner.model_judge.asking import ask_all
    from runner.model_judge.plan import spent_on
    from runner.model_judge.vote import writable_votes

    with ExitStack() as stack:
        stores = {place: stack.enter_context(writable_votes(place)) for place in made.places}
        known = {place: store.all() for place, store in stores.items()}
        _require_as_planned(made, known)
        # Another process may have asked about other files of these places meanwhile.
        spent = sum(spent_on(votes.values(), config) for votes in known.values())
        try:
            for place, vote in made.reread:
                stores[place].save(vote)
            if not made.left:
                return None
            return ask_all(config, made.left, stores, spent=spent, tell=say, advance=Advance("questions"))
        finally:
            for asked in made.left:
                made.kept[asked.question.place].add(asked.vote.key)
            for place, vote in made.unkept:
                # The money was spent elsewhere, except what an attempt here has cost.
                own = known[place].get(vote.key)
                stores[place].save(vote.model_copy(update={"attempts": own.attempts if own else []}))
            for store in stores.values():
                store.write_lines()


def _conclude(
    groups: Sequence[RunGroup],
    made: JudgePlan,
    config: ScoreConfig,
    outcome: Outcome | None,
    *,
    typed: str,
    renew: Callable[[Path], object],
) -> int:
    """Write what follows from the answers, and say it; returns the exit code."""
    from runner.config.judge import FOLDER
    from runner.model_judge.results import rater_of, write_choices, write_scores
    from runner.model_judge.vote import LINES

    written = {} if config.judge.pairs is not None else write_scores(made, config)
    choices = write_choices(made, config, groups) if config.judge.pairs is not None else 0
    for place in made.places:
        renew(place)
    print_problems(_problems(made, outcome))
    withheld = sum(each.withheld for each in written.values())
    if withheld:
        files = f"{withheld:,} file{'s keep' if withheld != 1 else ' keeps'}"
        say(f"note: {files} the scores of a real judge, which emulated ones never replace; provider=… asks one")
    with tolerate_broken_pipe():
        for line in _judge_summary(made, outcome, config):
            print(line)
        for place in made.places:
            if (place / FOLDER / LINES).is_file():
                told = (
                    f"{written[place].numbers:,} numbers to scores.jsonl"
                    if place in written
                    else "choices to ratings.jsonl"
                )
                print(f"{clean(str(place / FOLDER / LINES), 400)}  (reasons; {told})")
        if config.judge.pairs is not None:
            rater = next((rater_of(vote) for vote in made.votes.values()), "")
            print(f"{choices:,} new choices by {clean(rater, 100)}; python -m runner rank counts them as that rater's")
    return _exit_code(made, outcome, typed)


def _exit_code(made: JudgePlan, outcome: Outcome | None, typed: str) -> int:
    lost = made.with_status(RunStatus.UNCERTAIN, RunStatus.SUBMITTING)
    if outcome is not None and outcome.interrupted is not None:
        say(f"interrupted; what was answered is kept, and the same command goes on: {typed}")
        return 128 + outcome.interrupted
    if outcome is not None and outcome.stopped_by is not None:
        print_error(outcome.stopped_by)
        return outcome.stopped_by.exit_code
    if lost:
        return _UNCERTAIN
    return 1 if any(vote.free and vote.error is not None for vote in made.votes.values()) else 0


def _judge_summary(made: JudgePlan, outcome: Outcome | None, config: ScoreConfig) -> Iterator[str]:
    asked = [each.vote for each in made.left if each.vote.attempts]
    done = made.with_status(RunStatus.VERIFIED)
    now = [vote for vote in asked if vote.status is RunStatus.VERIFIED]
    # What may have been paid counts as it is counted by the budget: at most.
    charged = [vote for vote in asked if vote.answered_at is not None or vote.status.lost]
    cost = Estimate.total([vote.usd if vote.usd is not None else vote.estimated_usd for vote in charged])
    spent = "" if outcome is None else f", {cost}"
    free = " (emulated: free)" if spent and not config.budget.counts(config.provider) else ""
    left = [vote for vote in made.votes.values() if vote.status is not RunStatus.VERIFIED]
    rest = f"; {len(left):,} without an answer that counts" if left else ""
    before = len(done) - len(now)
    yield f"{len(done):,} of {len(made.votes):,} answered: {len(now):,} now{spent}{free}, {before:,} before{rest}"


def _problems(made: JudgePlan, outcome: Outcome | None) -> Iterator[Problem]:
    """Yield why files have no judgement, each reason once with the files that it is about."""
    for path, error in (outcome.unseen if outcome is not None else {}).items():
        yield Problem("judge", f"{path} was not judged: {error}", "nothing was sent for it", "warning")
    reasons: dict[tuple[str, str | None], list[Vote]] = {}
    for vote in made.votes.values():
        if vote.status is RunStatus.FAILED and vote.error is not None:
            reasons.setdefault((vote.error.message, vote.error.hint), []).append(vote)
    for (message, hint), votes in reasons.items():
        yield Problem("judge", f"{_named(votes)}: {message}", hint, "warning")
    lost = made.with_status(RunStatus.UNCERTAIN, RunStatus.SUBMITTING)
    if lost:
        from runner.model_judge.asking import LOG, LOOK

        count = f"{len(lost):,} answer{'s' * (len(lost) != 1)} lost"
        told = Counter((vote.error.message, vote.error.hint) for vote in lost if vote.error is not None)
        (reason, detail), _ = next(iter(told.most_common(1)), ((None, None), 0))
        why = f" ({reason})" if reason else " (the process ended while the request was under way)"
        kept = any(attempt.answer for vote in lost for attempt in vote.attempts)
        again = "; the same command reads what came instead again, also with a later version" if kept else ""
        log = f"{detail}\n" if LOG in (detail or "") else ""
        hint = f"{log}{LOOK}{again}\nscore --resubmit-uncertain asks and pays again, at the risk of paying twice"
        yield Problem("judge", f"{count}, about {_named(lost)}{why}", hint, "warning")


def _named(votes: Sequence[Vote]) -> str:
    names = [*dict.fromkeys(f"{file.run}/{file.file}" for vote in votes for file in vote.files)]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
