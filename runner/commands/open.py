"""Show the page of a sweep or run in the browser; without a directory, of the latest sweep."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from runner.display.line import clean
from runner.display.output import tolerate_broken_pipe
from runner.errors import ConfigError
from runner.ledger.discover import OUTPUTS, find_ledgers, written_at
from runner.report.live_page import NAME

from . import report
from .catalog import Parser, named_path, refuse_file


def main(arguments: Sequence[str]) -> int:
    """Open the page, made now where there is none; returns 0. Raises `ConfigError` where there is nothing to show."""
    parsed = _parser().parse_args(arguments)
    directory = parsed.dir or _latest()
    refuse_file(directory, "open")
    page = directory / NAME
    if not page.is_file():
        report.main([str(directory)])
    address = page.absolute().as_uri()
    shown = webbrowser.open(address)
    with tolerate_broken_pipe():
        print(clean(str(page), 400) if shown else f"no browser was found here; open {clean(address, 400)}")
    return 0


def _latest() -> Path:
    """Return the sweep or run that was worked on last."""
    found = list(find_ledgers(OUTPUTS)) if OUTPUTS.is_dir() else []
    if not found:
        raise ConfigError(f"{OUTPUTS} holds no runs", hint="python -m runner makes a first video")
    return max(found, key=written_at)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner open",
        description=__doc__,
        epilog="example: python -m runner open outputs/multirun/DATE/TIME-x7k2",
    )
    parser.add_argument("dir", type=named_path, nargs="?", help="a sweep's or run's directory (default: the latest)")
    return parser
