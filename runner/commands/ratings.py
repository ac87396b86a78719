"""Bring together what several people judged, each on a page of their own (`python -m runner ratings import FILE…`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.display.line import clean
from runner.display.output import print_error, print_problems, tolerate_broken_pipe
from runner.errors import ConfigError
from runner.ledger.discover import OUTPUTS
from runner.shell import command

from .catalog import Parser, named_path
from .rank import named_rater

if TYPE_CHECKING:
    from runner.judging.ratings_file import Imported


def main(arguments: Sequence[str]) -> int:
    """Merge the files into the sweeps' `ratings.jsonl` and say what came of each; returns 0."""
    parsed = _parser().parse_args(arguments)
    files = [each for each in parsed.paths if not each.is_dir()]
    directories = [each for each in parsed.paths if each.is_dir()]
    if not files:
        message = f"{directories[0]} is a directory, and no file to import into it was named; nothing was changed"
        raise ConfigError(message, hint=f"{command('ratings', 'import')} ratings.jsonl {directories[0]}")
    for each in files:
        if not each.exists():
            raise ConfigError(f"there is no file {each}; nothing was changed", hint="ratings import FILE… [DIR…]")
    if not directories and not OUTPUTS.is_dir():
        hint = "name the sweep's directory behind the files"
        raise ConfigError(f"there is no directory {OUTPUTS}; nothing was changed", hint=hint)
    from runner.judging.rating_log import RatingLog
    from runner.judging.ratings_file import read_exported
    from runner.results.reading import sweeps_of
    from runner.results.run_key import homes_of, places_of

    rater = named_rater(parsed.rater)
    imported = [(path, read_exported(path, rater)) for path in files]
    reading = sweeps_of(directories or [OUTPUTS])
    for error in reading.unreadable:
        print_error(error)
    log = RatingLog()
    log.watch(homes_of(reading.sweeps), places_of(reading.sweeps))
    with tolerate_broken_pipe():
        for path, each in imported:
            merged = log.merge(each.records)
            told = [
                f"{merged.taken:,} taken",
                *([f"{merged.known:,} known already"] if merged.known else []),
                *([f"{merged.strange:,} of runs that are not here"] if merged.strange else []),
                *([_left_out(each)] if each.left_out else []),
            ]
            print(f"{clean(str(path), 400)}: {', '.join(told)}")
        print_problems(log.problems)
        if log.added:
            print(f"{command('rank', (directories or [OUTPUTS])[0])} shows who is ahead")
    return 0


def _left_out(imported: Imported) -> str:
    told = f"{imported.left_out:,} lines left out"
    return f"{told}, {imported.other_versions:,} of them of another version" if imported.other_versions else told


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner ratings",
        allow_abbrev=False,
        description="Merge judgements that were exported from pages (ratings.jsonl, or notes.json of older pages) into "
        "the ratings.jsonl of the sweeps that they are about. What is there already is not taken twice.",
        epilog="example: python -m runner ratings import ann.jsonl bob.jsonl outputs/multirun/DATE/TIME-x7k2",
    )
    parser.add_argument("what", choices=["import"], help="what to do")
    parser.add_argument(
        "paths", type=named_path, nargs="+", metavar="FILE… DIR", help="exported files; sweeps (default: outputs)"
    )
    parser.add_argument("--rater", metavar="NAME", help="whose notes.json files are (default: your name here)")
    return parser
