"""Rebuild a lost or damaged ledger from what the runs' directories and its remains tell."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from runner.artifacts.atomic import disk_errors, publish
from runner.artifacts.result import Result
from runner.artifacts.result_file import NAME as RESULT
from runner.artifacts.result_file import read_result
from runner.compose.saved_config import read_saved
from runner.config.loading import load
from runner.config.problem import Problem
from runner.config.run import RunConfig
from runner.display.output import print_problems
from runner.engine.run import Run
from runner.errors import ConfigError
from runner.ledger.discover import NAME, has_ledger
from runner.ledger.ledger import Ledger, salvaged
from runner.ledger.lock import locked
from runner.ledger.other_runs import LedgerIndex
from runner.ledger.ownership import refuse_owner
from runner.ledger.recording import ahead, in_doubt, run_directories, same_work
from runner.ledger.reuse import fingerprint
from runner.results.state import state_of
from runner.shell import command

from .external_launcher import PLANNED

_PLACE = ".rebuild"
"""Where the new ledger is made, in the directory that it is for."""

_MOST_RUNS = 10**9

_SIDE_FILES = ("-wal", "-shm", "-journal")

_HYDRA = Path(".hydra") / "config.yaml"


def rebuild(directory: Path, say: Callable[[str], object]) -> int:
    """Build the ledger of `directory` anew and return 0; nothing is sent.

    What `result.json` tells wins over what the damaged ledger tells, unless that is later. A run without any record is
    uncertain if its directory was made, as its request may have left. Raises `ConfigError` where nothing is found.
    """
    _refuse(directory)
    with locked(directory), ExitStack() as stack:
        refuse_owner(directory)
        place = directory / _PLACE
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        shutil.rmtree(place, ignore_errors=True)
        with disk_errors(place):
            (place / "old").mkdir(parents=True)
        runs, problems = _found(directory, _remains(directory, place / "old"))
        if not runs:
            raise ConfigError(
                f"{directory} holds no {RESULT} and no ledger that can be read", hint="python -m runner ls"
            )
        with Ledger(directory, file=place / NAME) as ledger:
            ledger.add(runs)
            ledger.save_all((run.index, run.earlier) for run in runs if run.earlier is not None)
        kept = _set_aside(directory)
        publish(place / NAME, directory / NAME)
    print_problems(problems)
    counts = Counter(state_of(run.status, busy=False) for run in runs)
    states = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    say(f"{directory / NAME} was built anew; {len(runs):,} runs: {states}; nothing was sent")
    if kept is not None:
        say(f"the damaged one is kept as {kept}")
    say(f"{command('resume', directory)} resumes these runs")
    if (directory / "multirun.yaml").is_file():
        say("runs of the sweep that never began are not among them: the sweep's own command, given again, adds those")
    return 0


def _refuse(directory: Path) -> None:
    """Raise `ConfigError` where a ledger does not belong."""
    if not directory.is_dir():
        raise ConfigError(f"there is no directory {directory}", hint="python -m runner ls")
    if (directory / PLANNED).is_file():
        hint = f"{command('resume', directory)} names one that is damaged"
        raise ConfigError(f"each run of {directory} has a ledger of its own; each is built anew alone", hint=hint)
    known = None if has_ledger(directory) else LedgerIndex().find(directory.resolve())
    if known is not None:
        raise ConfigError(f"{directory} is one run of a sweep, whose ledger is sound", hint="python -m runner ls")


def _remains(directory: Path, place: Path) -> list[Run]:
    """Return what can still be read of the damaged ledger, or of the one set aside last, from a copy in `place`."""
    aside = sorted(path for path in directory.glob(f"{NAME}.damaged-*") if not path.name.endswith(_SIDE_FILES))
    sources = [path for path in (directory / NAME, *aside[-1:]) if path.is_file() and not path.is_symlink()]
    for source in sources[:1]:
        with disk_errors(place):
            for suffix in ("", "-wal", "-journal"):
                file = source.with_name(f"{source.name}{suffix}")
                if file.is_file() and not file.is_symlink():
                    shutil.copyfile(file, place / f"{NAME}{suffix}")
        return salvaged(place / NAME, directory)
    return []


def _found(directory: Path, remains: list[Run]) -> tuple[list[Run], list[Problem]]:
    """Return every run that anything tells of, by index, and what could not be read."""
    runs = {run.index: run for run in remains}
    problems: list[Problem] = []
    doubtful: list[Path] = []
    for place in sorted({*run_directories(directory, frozenset({RESULT, ".hydra"}))}):
        try:
            told = read_result(place)
        except ConfigError as error:
            problems += [Problem("", str(error), severity="warning")] if (place / RESULT).exists() else []
            doubtful.append(place)
            continue
        if not 0 <= told.index < _MOST_RUNS:
            message = f"{place} was left out: no run has the number that its {RESULT} tells"
            problems.append(Problem("", message, severity="warning"))
            continue
        # The file is there; if a damaged ledger says otherwise of that directory, it is wrong.
        runs = {index: each for index, each in runs.items() if index == told.index or each.directory != place}
        runs[told.index] = _better(runs.get(told.index), _run(told, place))
    known = {run.directory for run in runs.values() if run.earlier is not None}
    for place in doubtful:
        if place not in known:
            problems += _add_doubtful(runs, directory, place)
    return sorted(runs.values(), key=lambda run: run.index), problems


def _better(known: Run | None, told: Run) -> Run:
    """Return the one of two records of a run that was written later."""
    if known is None:
        return told
    if told.earlier is None or not ahead(told.earlier, known.earlier):
        return known
    same = same_work(told.config, known.config)
    return replace(known, directory=told.directory, earlier=told.earlier) if same else told


def _run(told: Result, directory: Path) -> Run:
    work = _work(told.config)
    return Run(told.index, told.config, directory, tuple(told.overrides), fingerprint=work, earlier=told)


def _work(config: RunConfig) -> str:
    try:
        return fingerprint(config)
    except ConfigError:
        # A file that it names is gone. The run is not paid again, so that it needs no fingerprint.
        return f"unknown-{config.request.kind}-{os.urandom(8).hex()}"


def _add_doubtful(runs: dict[int, Run], directory: Path, place: Path) -> Iterator[Problem]:
    """Take a run for uncertain whose directory was made and has no record: its request may have left."""
    known = next((run for run in runs.values() if run.directory == place), None)
    if known is None:
        saved = read_saved(place / _HYDRA)
        config = None if saved is None else load(saved)[0]
        if config is None:
            yield Problem(
                "", f"{place} was left out: neither its {RESULT} nor its {_HYDRA} can be read", None, "warning"
            )
            return
        name = os.path.relpath(place, directory)
        free = int(name) if name.isdecimal() and int(name) not in runs else max(runs, default=-1) + 1
        known = Run(free, config, place, fingerprint=_work(config))
    runs[known.index] = replace(known, earlier=in_doubt(known, f"its directory has no {RESULT} to read"))


def _set_aside(directory: Path) -> Path | None:
    """Keep the damaged ledger with its log under another name; the new one's path, None if there was none."""
    path = directory / NAME
    there = os.path.lexists(path)
    kept = path.with_name(f"{NAME}.damaged-{dt.datetime.now().astimezone():%Y-%m-%dT%H-%M-%S-%f}")
    for suffix in (*_SIDE_FILES, ""):
        file = path.with_name(f"{NAME}{suffix}")
        if os.path.lexists(file):
            with disk_errors(file):
                file.rename(kept.with_name(f"{kept.name}{suffix}"))
    return kept if there else None
