"""Say which model, or which value of any parameter, people prefer (`python -m runner rank DIR…`)."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.artifacts.atomic import refuse_directory, write_output
from runner.config.problem import did_you_mean
from runner.display.line import clean, elapsed
from runner.display.output import print_error, print_problems, tolerate_broken_pipe
from runner.errors import ConfigError
from runner.shell import word

from .catalog import Parser, named_path, refuse_file, whole_from_zero

if TYPE_CHECKING:
    from runner.judging.ratings_file import AnyRecord
    from runner.judging.scoreboard import Row, Scoreboard
    from runner.report.ranking import Ranking


_EXTRA = "pip install 'mediarunner[rank]'"
_NAMED = 5
"""So many raters are named."""

_LONGEST = 60


def main(arguments: Sequence[str]) -> int:
    """Print the scoreboard; returns 0. Raises `ConfigError` where there is no run, or no such parameter."""
    parsed = _parser().parse_args(arguments)
    for each in parsed.dirs:
        refuse_file(each, "rank")
    if parsed.preferences is not None and not parsed.preferences.absolute().parent.is_dir():
        raise ConfigError(
            f"{parsed.preferences.parent} is no directory", hint="--preferences FILE goes into one that is there"
        )
    if parsed.preferences is not None:
        refuse_directory(parsed.preferences, "--preferences FILE names a file")
    from runner.judging.judgements import Judgements
    from runner.judging.scoreboard import can_fit
    from runner.report.ranking import Ranking
    from runner.results.reading import sweeps_of
    from runner.results.run_key import ratings_of

    reading = sweeps_of(parsed.dirs)
    for error in reading.unreadable:
        print_error(error)
    ratings = ratings_of(reading.sweeps)
    print_problems(ratings.problems)
    ranking = Ranking(reading.sweeps, Judgements(_of_raters(ratings.records, parsed.rater, people=parsed.people)))
    by = ranking.axis(parsed.by)
    board = ranking.board(by, seed=parsed.seed)
    written = _write_preferences(parsed.preferences, ranking) if parsed.preferences else None
    with tolerate_broken_pipe():
        if parsed.json:
            print(json.dumps(_plain(board, by, ranking), indent=2))
            return 0
        _print(board, by, ranking)
        if board.games and not can_fit():
            print(f"strengths need choix: {_EXTRA}")
        if written is not None:
            print(f"{clean(str(parsed.preferences), 400)}: {written:,} preference{'s' * (written != 1)}")
    return 0


def _of_raters(records: Sequence[AnyRecord], names: Sequence[str], *, people: bool) -> list[AnyRecord]:
    """Return the records of the raters that are named, all if none is; of `people`, none of a model's.

    Raises `ConfigError` for a name that is none of a rater's.
    """
    from runner.judging.ratings_file import JUDGE_PREFIX

    known = {each.rater for each in records}
    strange = [name for name in names if name not in known]
    if strange:
        near = did_you_mean(strange[0], known)
        listed = f"raters: {', '.join(clean(name, 80) for name in sorted(known))}" if known else "nobody judged yet"
        hint = f"did you mean --rater {word(near)}?" if near else listed
        raise ConfigError(f"{strange[0][:80]!r} is no rater here", hint=hint)
    kept = (each for each in records if not names or each.rater in names)
    return [each for each in kept if not (people and each.rater.startswith(JUDGE_PREFIX))]


def _print(board: Scoreboard, by: str, ranking: Ranking) -> None:
    from runner.display.grid import Head, print_grid

    if not board.raters:
        print(
            "nothing is judged yet: python -m runner view shows what to judge, ratings import takes what others judged"
        )
    else:
        for line in _heading(board, by):
            print(line)
        print()
    heads = [Head(by, most=_LONGEST), *(Head(name, right=True) for name in _COLUMNS)]
    print_grid(heads, [([clean(row.thing), *_cells(row)], "") for row in board.rows])
    decided = [winner for winner in board.winners if winner.files]
    if decided:
        print()
        heads = [Head("prompt", most=_LONGEST), Head("winner"), Head("file", whole=True)]
        rows = [
            [
                clean(each.prompt),
                clean(", ".join(each.things)),
                "\n".join(clean(str(ranking.path(file)), 400) for file in each.files),
            ]
            for each in decided
        ]
        print_grid(heads, [(row, "") for row in rows])


def _heading(board: Scoreboard, by: str) -> Iterator[str]:
    names = [clean(name, 40) for name in board.raters]
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    raters = "1 rater" if len(names) == 1 else f"{len(names):,} raters"
    games = [f"{board.games:,} comparisons", *([f"{board.both_bad:,} with both bad"] if board.both_bad else [])]
    yield f"by {by} · {raters} ({', '.join([*names[:_NAMED], *more])}) · {', '.join(games)}"
    alphas = [("ratings", board.rating_alpha), ("choices", board.pair_alpha)]
    known = [f"{what} {alpha:.2f}" for what, alpha in alphas if alpha is not None]
    if known:
        yield f"agreement of raters (Krippendorff's alpha, 1 is perfect, 0 chance): {', '.join(known)}"
    if board.within:
        yield f"{board.within:,} comparisons are of two files of one {by}: they decide nothing here"
    if board.strange:
        yield f"{board.strange:,} judgements are of files that are not here"
    yield from (f"note: {remark}" for remark in board.remarks)


_COLUMNS = ("strength", "95 %", "won", "lost", "tied", "rating", "kept", "USD / kept", "time / kept")


def _cells(row: Row) -> list[str]:
    """Return a row's texts below the `_COLUMNS`."""
    strength = row.strength
    return [
        f"{strength.value:+.2f}" if strength else "–",
        f"{strength.low:+.2f}…{strength.high:+.2f}" if strength else "–",
        *(f"{count:,}" for count in (row.wins, row.losses, row.ties)),
        f"{row.rating_mean:.1f}" if row.rating_mean is not None else "–",
        f"{row.kept:,}/{row.files:,}",
        f"{row.usd_per_kept:,.2f}" if row.usd_per_kept is not None else "–",
        elapsed(row.seconds_per_kept) if row.seconds_per_kept is not None else "–",
    ]


def _plain(board: Scoreboard, by: str, ranking: Ranking) -> dict[str, Any]:  # Any: JSON
    return {
        "by": by,
        "raters": board.raters,
        "agreement": {"ratings": board.rating_alpha, "choices": board.pair_alpha},
        "games": board.games,
        "both_bad": board.both_bad,
        "within": board.within,
        "strange": board.strange,
        "remarks": board.remarks,
        "rows": [{**asdict(row), "win_rate": row.win_rate} for row in board.rows],
        "winners": [
            {
                "prompt": each.prompt,
                "things": each.things,
                "files": [str(ranking.path(file)) for file in each.files],
                "kept": [str(ranking.path(file)) for file in each.kept],
            }
            for each in board.winners
        ],
    }


def _write_preferences(path: Path, ranking: Ranking) -> int:
    """Write a line for each two files of which one is preferred, with paths from where the file lies; returns how many.

    Raises `DiskError`.
    """
    lines = [
        json.dumps(
            {
                "prompt": each.prompt,
                "chosen": _relative(ranking.path(each.chosen), path.absolute().parent),
                "rejected": _relative(ranking.path(each.rejected), path.absolute().parent),
                "chosen_votes": each.chosen_votes,
                "rejected_votes": each.rejected_votes,
            },
        )
        for each in ranking.preferences()
    ]
    write_output(path, (f"{line}\n".encode() for line in lines))
    return len(lines)


def _relative(path: Path, start: Path) -> str:
    try:
        return os.path.relpath(path, start).replace(os.sep, "/")
    except ValueError:  # on another drive
        return str(path.absolute())


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner rank",
        allow_abbrev=False,
        description="Say which model, or which value of any parameter, people prefer: comparisons won, strengths after "
        "Bradley and Terry with a 95 % interval by bootstrap, mean ratings, how far raters agree, what a kept file "
        "costs, and which file wins for each prompt. Reads ratings.jsonl; nothing is sent.",
        epilog="example: python -m runner rank outputs/multirun/DATE/TIME-x7k2 --by quality",
    )
    parser.add_argument("dirs", type=named_path, nargs="+", metavar="DIR", help="sweeps, runs, or what they lie in")
    parser.add_argument("--by", metavar="KEY", help="what to rank: model, or any key that differs (default: model)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--rater", action="append", default=[], metavar="NAME", help="count only theirs; may be repeated"
    )
    parser.add_argument("--people", action="store_true", help="leave out what models judged (raters judge:MODEL)")
    parser.add_argument(
        "--preferences", type=named_path, metavar="FILE", help="write JSON lines: prompt, chosen, rejected"
    )
    parser.add_argument("--seed", type=whole_from_zero, default=0, metavar="N", help="of the bootstrap (default: 0)")
    return parser


_LONGEST_NAME = 80


def named_rater(given: str | None) -> str:
    """Return who judges: the name that is given, or the one that the user has here."""
    if given is None:
        try:
            return getpass.getuser()[:_LONGEST_NAME]
        except (OSError, KeyError, ImportError):  # a user without a name, as in some containers
            return "me"
    name = given.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ConfigError("--rater takes a name of 1 to 80 characters", hint="--rater ann")
    return name
