"""Delete sweeps and runs with their files, after a question; never what still runs or may be fetched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.config.judge import FOLDER
from runner.display.line import clean
from runner.display.output import answered
from runner.errors import ConfigError, DiskError
from runner.ledger.lock import at_work, locked
from runner.ledger.other_runs import LedgerIndex
from runner.results.reading import sweep_at
from runner.shell import command, line, shown

from .catalog import Parser, named_path, refuse_file


@dataclass(frozen=True)
class _Target:
    directory: Path
    runs: int
    files: int
    size: int
    """In bytes."""

    def __str__(self) -> str:
        runs = f"{self.runs:,} run{'s' * (self.runs != 1)}"
        return f"{clean(str(self.directory), 400)}  {runs}, {self.files:,} files, {self.size / 1e6:,.1f} MB"


def main(arguments: Sequence[str]) -> int:
    """Delete what may be deleted; returns 0. Raises `ConfigError`, with nothing deleted, where one may not."""
    parsed = _parser().parse_args(arguments)
    targets = [_target(directory) for directory in dict.fromkeys(parsed.dirs)]
    for target in targets:
        print(target)
    if not parsed.yes:
        _ask(targets)
    for target in targets:
        _delete(target.directory)
    return 0


def _target(directory: Path) -> _Target:
    refuse_file(directory, "rm")
    if not directory.is_dir():
        raise ConfigError(
            f"there is no directory {directory}; nothing was deleted", hint="python -m runner ls names them"
        )
    if directory.is_symlink():
        raise ConfigError(f"{directory} is a link; nothing was deleted", hint=f"name its target: {directory.resolve()}")
    _refuse_part(directory)
    if who := at_work(directory) or at_work(directory / FOLDER):
        raise ConfigError(
            f"{directory} is being worked on by {who}; nothing was deleted", hint="wait for it, or end it"
        )
    results = _finished(directory)
    sizes = [path.lstat().st_size for path in directory.rglob("*") if not path.is_dir()]
    return _Target(directory, len(results), len(sizes), sum(sizes))


def _refuse_part(directory: Path) -> None:
    """Raise `ConfigError` for a run of a sweep, whose ledger would go on to name it."""
    own = Path(os.path.abspath(directory))  # noqa: PTH100 - as ledgers name it
    found = LedgerIndex().find(own)
    if found is not None and found[0] != own:
        sweep = shown(found[0])
        raise ConfigError(f"{directory} is a run of the sweep {sweep}; nothing was deleted", hint=command("rm", sweep))


def _finished(directory: Path) -> list[Result]:
    """Return its runs; raises `ConfigError` where a job may still run or a paid file may still be fetched."""
    results = [result for _, result in sweep_at(directory).runs]
    left = [result for result in results if result.status.unfinished and result.status is not RunStatus.PLANNED]
    if left:
        jobs = ", ".join(sorted({result.job_id for result in left if result.job_id})[:3])
        which = f" ({jobs})" if jobs else ""
        raise ConfigError(
            f"{len(left):,} of its runs may still be made or fetched{which}; nothing was deleted",
            hint=f"{command('resume', directory)}\nto give them up: {line(('rm', '-r', str(directory)))}",
        )
    return results


def _ask(targets: Sequence[_Target]) -> None:
    what = "this" if len(targets) == 1 else f"these {len(targets)} directories"
    answer = answered(f"Delete {what} for good?")
    if answer is None:
        raise ConfigError(
            "there is no terminal to ask on; nothing was deleted", hint="--yes deletes without a question"
        )
    if not answer:
        raise ConfigError("nothing was deleted", hint="python -m runner ls")


def _delete(directory: Path) -> None:
    try:
        with locked(directory, "make it writable, and try again; nothing in it was deleted"):
            _finished(directory)  # also now: somebody may have resumed it while the question was read
            for entry in directory.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry.name != ".lock":
                    entry.unlink()
        shutil.rmtree(directory)
    except OSError as error:
        raise DiskError(
            f"{directory} was not deleted as a whole: {error}", hint="make it writable, and try again"
        ) from error


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner rm",
        allow_abbrev=False,
        description=__doc__,
        epilog="example: python -m runner rm outputs/2026-11-23/09-30-00-x7k2",
    )
    parser.add_argument("dirs", type=named_path, nargs="+", metavar="DIR", help="sweeps and single runs")
    parser.add_argument("--yes", action="store_true", help="delete without a question")
    return parser
