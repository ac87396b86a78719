"""Show sweeps in the browser, for this machine alone, and keep what is judged (`python -m runner view [DIR…]`)."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from runner.display.line import clean
from runner.display.output import print_error, print_problems, tolerate_broken_pipe
from runner.errors import ConfigError
from runner.ledger.discover import OUTPUTS

from .catalog import Parser, named_path, refuse_file
from .rank import named_rater


def main(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C, or write a bundle; returns 0. Raises `ConfigError` where there is nothing to show."""
    parsed = _parser().parse_args(arguments)
    for each in parsed.dirs:
        refuse_file(each, "view")
    directories = parsed.dirs or [OUTPUTS]
    if not parsed.dirs and not OUTPUTS.is_dir():
        raise ConfigError(f"there is no directory {OUTPUTS}", hint="python -m runner makes outputs/ with a first video")
    rater = named_rater(parsed.rater)
    if parsed.export is not None:
        _export(directories, parsed.export)
        return 0
    _serve(directories, rater, parsed.port, together=bool(parsed.dirs), browse=parsed.open == "yes")
    return 0


def _serve(directories: Sequence[Path], rater: str, port: int | None, *, together: bool, browse: bool) -> None:
    from runner.view.app import listen, serve
    from runner.view.listing import Catalogue

    if together:
        _refuse_nothing(directories)
    catalogue = Catalogue(directories)

    def ready(url: str) -> None:
        count = len(catalogue.entries())
        what = "1 sweep or run" if count == 1 else f"{count:,} sweeps and runs"
        with tolerate_broken_pipe():
            print(
                f"{what}, for this machine alone; {clean(rater, 80)} judges. Ctrl-C ends it.\n\n  {url}\n", flush=True
            )
        if browse:
            webbrowser.open(url)

    with listen(port) as sock:
        kept = serve(catalogue, sock, rater=rater, together=together, ready=ready)
    with tolerate_broken_pipe():
        print(f"ended; {kept:,} judgement{'s were' if kept != 1 else ' was'} kept in ratings.jsonl beside the runs")


def _export(directories: Sequence[Path], target: Path) -> None:
    from runner.results.reading import sweeps_of
    from runner.view.bundle import write_bundle

    found = sweeps_of(directories)
    for error in found.unreadable:
        print_error(error)
    told = write_bundle(target, found.sweeps)
    facts = [
        f"{told.small:,} small cop{'y' if told.small == 1 else 'ies'}",
        f"{told.whole:,} whole file{'s' * (told.whole != 1)}",
        *([f"{told.missing:,} missing"] if told.missing else []),
    ]
    with tolerate_broken_pipe():
        print(f"{clean(str(target), 400)}  ({', '.join(facts)}, {told.bytes / 1e6:,.1f} MB, for any host of files)")


def _refuse_nothing(directories: Sequence[Path]) -> None:
    """Raise `ConfigError` where there is nothing to show, and say what cannot be read, of judgements too."""
    from runner.results.reading import sweeps_of
    from runner.results.run_key import ratings_of

    found = sweeps_of(directories)
    for error in found.unreadable:
        print_error(error)
    print_problems(ratings_of(found.sweeps).problems)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner view",
        allow_abbrev=False,
        description="Show sweeps and runs in the browser, from a server that this machine alone can reach, and keep "
        "stars, ratings and choices in ratings.jsonl beside each sweep, whose other files are never changed. Without "
        "DIR: a list of all in outputs/.",
        epilog="example: python -m runner view outputs/multirun/DATE/TIME-x7k2 --rater ann",
    )
    parser.add_argument("dirs", type=named_path, nargs="*", metavar="DIR", help="sweeps, runs, or what they lie in")
    parser.add_argument("--rater", metavar="NAME", help="who judges (default: your name on this machine)")
    parser.add_argument("--port", type=_port, metavar="N", help="default: 8420, or any where that is taken; 0: any")
    parser.add_argument(
        "--export",
        type=named_path,
        metavar="NEW",
        help="write a page with small copies of all media, and kept ones whole, into a new directory; serves nothing",
    )
    parser.add_argument("--open", choices=("yes", "no"), default="yes", help="show it in the browser (default: yes)")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise ValueError(text)
    return int(text)


_port.__name__ = "port"  # what argparse says that it is not
