"""Make one page to look at runs side by side, from their directories (`python -m runner report DIR…`)."""

from __future__ import annotations

import argparse
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifacts.atomic import refuse_directory
from runner.config.problem import Problem
from runner.display.line import clean
from runner.display.output import print_error, print_problems, tolerate_broken_pipe
from runner.errors import ConfigError, DiskError
from runner.shell import command

from .catalog import Parser, directory_or_address, from_zero, named_path, refuse_file

if TYPE_CHECKING:
    from runner.artifacts.result import Result
    from runner.report.page import Embedding, LeftOut
    from runner.results.reading import RunGroup

_SEVERAL = Path("report.html")
_FILE = "--output FILE names a file"


def main(arguments: Sequence[str]) -> int:
    """Write the page and say where it is; returns 0. Raises `ConfigError` where there is nothing to show."""
    parsed = _parser().parse_args(arguments)
    for each in parsed.dirs:
        refuse_file(each, "report")
    if url := _address(parsed.dirs):
        return _report_there(url, parsed)
    from runner.report.live_page import write_page
    from runner.report.page import Embedding
    from runner.results.reading import sweeps_of

    output = parsed.output or _output(parsed.dirs)
    if not output.parent.is_dir():
        raise ConfigError(f"{output.parent} is no directory", hint="--output FILE names a file in one that is there")
    refuse_directory(output, _FILE if parsed.output else f"move it away, or {_FILE}")
    found = sweeps_of(parsed.dirs)
    for error in found.unreadable:
        print_error(error)
    results = _results(found.sweeps)
    embedding = Embedding(results, **_limits(parsed)) if parsed.single_file else None
    write_page(output, found.sweeps, embedding, named=parsed.output is not None)
    for sweep in found.sweeps:
        _bring_tables_up_to_date(sweep)
    _say_where(str(output), len(results), embedding)
    if parsed.open == "yes":
        webbrowser.open(output.absolute().as_uri())
    return 0


def _address(given: Sequence[Path | str]) -> str | None:
    """Return the address in a storage that is given; raises `ConfigError` where something else is, too."""
    addresses = [each for each in given if isinstance(each, str)]
    if addresses and len(given) > 1:
        raise ConfigError("one address in a storage is reported at a time", hint=command("report", addresses[0]))
    return next(iter(addresses), None)


def _report_there(url: str, parsed: argparse.Namespace) -> int:
    """Write the page of what lies in a storage: there, or to a file here with small media inside."""
    from runner.report.live_page import RemoteMedia, write_page, write_there
    from runner.report.page import Embedding
    from runner.results.reading import remote
    from runner.storage.place import quieten_libraries

    quieten_libraries()
    if parsed.output is None and (parsed.single_file or parsed.open == "yes"):
        raise ConfigError("a page in a storage is not opened from here", hint=f"{command('report', url)} --output FILE")
    if parsed.output is not None:
        refuse_directory(parsed.output, _FILE)
    with remote(url) as found:
        sweeps = found.sweeps()
        results = _results(sweeps)
        if parsed.output is None:
            _say_where(write_there(found, sweeps), len(results), None)
            return 0
        embedding = Embedding(results, **_limits(parsed))
        write_page(parsed.output, sweeps, RemoteMedia(found, embedding, _limits(parsed)["each"]), named=True)
    _say_where(str(parsed.output), len(results), embedding)
    if parsed.open == "yes":
        webbrowser.open(parsed.output.absolute().as_uri())
    return 0


def _results(sweeps: Sequence[RunGroup]) -> list[Result]:
    return [result for sweep in sweeps for _, result in sweep.runs]


def _limits(parsed: argparse.Namespace) -> dict[str, int]:
    return {"each": round(parsed.embed_mb * 1e6), "total": round(parsed.embed_total_mb * 1e6)}


def _say_where(page: str, runs: int, embedding: Embedding | None) -> None:
    with tolerate_broken_pipe():
        print(f"{clean(page, 400)}  ({runs:,} run{'s' * (runs != 1)})")
        for reason, count in embedding.left_out.items() if embedding else ():
            print(f"  {_left_out(reason, count)}")


def _bring_tables_up_to_date(sweep: RunGroup) -> None:
    """Write the results files of a sweep again that was judged after its end; what goes wrong is said."""
    from runner.judging.ratings_file import NAME
    from runner.results.files import CSV, write_results

    if sweep.busy or not all((sweep.directory / name).is_file() for name in (NAME, CSV)):
        return
    try:
        print_problems(write_results(sweep.directory, sweep.runs))
    except DiskError as error:
        print_problems([Problem("", str(error), "the page is not affected", "warning")])


def _left_out(reason: LeftOut, count: int) -> str:
    what = "1 file stays a link" if count == 1 else f"{count:,} files stay links"
    key = {"LARGE": "--embed-mb", "CROWDED": "--embed-total-mb"}.get(reason.name)
    return f"{what}: {reason.value}" + f"; {key} N allows more" * (key is not None)


def _output(directories: Sequence[Path]) -> Path:
    """Return where the page goes: of one directory into it, of several to where the user stands."""
    from runner.report.live_page import NAME

    if len(directories) != 1:
        return _SEVERAL
    if not directories[0].is_dir():
        raise ConfigError(f"{directories[0]} is no directory", hint="python -m runner ls")
    return directories[0] / NAME


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner report",
        allow_abbrev=False,
        description="Write one page to look at runs side by side, in any browser and without a network. Sweeps keep "
        "their own index.html while they run; this makes it again, or one for several sweeps and runs together.",
        epilog="example: python -m runner report outputs/multirun/DATE/TIME-x7k2 --single-file",
    )
    parser.add_argument(
        "dirs",
        type=directory_or_address,
        nargs="+",
        metavar="DIR",
        help="sweeps, runs, or what they lie in; or one address in a storage, as s3://bucket/videos/out",
    )
    parser.add_argument(
        "--output", type=named_path, metavar="FILE", help="default: DIR/index.html; for several: report.html, here"
    )
    parser.add_argument("--single-file", action="store_true", help="small media inside the page, to send it around")
    parser.add_argument(
        "--embed-mb", type=from_zero, default=4.0, metavar="N", help="the largest file inside (default: 4)"
    )
    parser.add_argument("--embed-total-mb", type=from_zero, default=60.0, metavar="N", help="all of them (default: 60)")
    parser.add_argument("--open", choices=("yes", "no"), default="no", help="show it in the browser (default: no)")
    return parser
