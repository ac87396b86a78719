"""Check every run of a sweep before the first byte is sent or written; say each problem once."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from runner.artifacts.result_file import NAME, read_result
from runner.config.capability import check
from runner.config.problem import Problem, ranges
from runner.config.provider import ProviderConfig
from runner.config.run import RunConfig, check_choices, missing_packages
from runner.errors import ConfigError
from runner.shell import command

if TYPE_CHECKING:
    from runner.engine.run import Run
    from runner.ledger.other_runs import LedgerEntry, LedgerIndex

    from .plan import Plan


class Finding(NamedTuple):
    """Describe a problem and the index of the run that has it; None: the sweep as a whole."""

    run: int | None
    problem: Problem


T = TypeVar("T")


def grouped(findings: Iterable[tuple[T | None, Problem]]) -> dict[Problem, list[T]]:
    """Return each problem once, in the order of appearance, with its runs, or with what else it is found in."""
    groups: dict[Problem, list[T]] = {}
    for place, problem in findings:
        places = groups.setdefault(problem, [])
        if place is not None and place not in places[-1:]:
            places.append(place)
    return groups


def lines(findings: Iterable[Finding], total: int) -> list[str]:
    """Return text for people: the runs, the key as one would override it, what is wrong; the hint below, indented."""
    text = []
    for problem, runs in grouped(findings).items():
        where = f"{_where(runs, total)}: " if runs and total > 1 else ""
        text += told(problem, where)
    return text


def told(problem: Problem, where: str) -> list[str]:
    """Return one problem's lines; `where` says in which runs."""
    return [f"{where}{problem.text}", *(f"    {line}" for line in (problem.hint or "").splitlines())]


def _where(runs: Sequence[int], total: int) -> str:
    if len(runs) == 1:
        return f"run {runs[0]}"
    return f"all {total} runs" if len(runs) == total else f"runs {ranges(runs)}"


_MOST = 20


def collected(
    overrides: Sequence[str],
    compose: Callable[[list[str]], tuple[T, list[Problem]]],
    problem_of: Callable[[Exception], Problem],
) -> tuple[T | None, list[Problem]]:
    """Return what `compose` makes of the overrides, and its problems; None if it never made anything.

    After an error it is asked again without the override that was at fault, only to hear what else is wrong: what is
    made then is for checking, never for running.
    `problem_of` raises what is no problem of the user's.
    """
    problems: list[Problem] = []
    left = list(overrides)
    for _ in range(_MOST):
        try:
            made, found = compose(left)
        except Exception as error:  # noqa: BLE001 - problem_of raises what it does not know
            problems.append(problem_of(error))
            fewer = [override for override in left if _key(override) != problems[-1].key]
            if len(fewer) == len(left):
                break
            left = fewer
        else:
            return made, [*problems, *found]
    return None, problems


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].partition("@")[0]


_NAME_BYTES = 255
"""What the usual disks take as one name."""


class PreflightError(ConfigError):
    """Raised when a sweep is refused: `findings` has all runs' problems; nothing was sent, nothing was written."""

    def __init__(self, findings: Sequence[Finding], total: int) -> None:
        self.total = total
        self.findings = tuple(finding for finding in findings if finding.problem.severity == "error")
        text = lines(self.findings, total)
        what = "run" if total == 1 else "sweep"
        super().__init__("\n".join([f"the {what} is refused; nothing was sent or written.", *text]))


def preflight(plan: Plan, *, repeats: bool = False, env: Mapping[str, str] = os.environ) -> list[Problem]:
    """Raise `PreflightError` if any run has a problem; otherwise the warnings, each once.

    `repeats` allows the same work twice with a warning: an optimiser that asks again wants another sample.
    """
    broken = {run for run, problem in plan.findings if problem.severity == "error"}
    # A run with problems was composed without what is wrong, only to be checked: it may look like another.
    sound = [run for run in plan.runs if run.index not in broken]
    # Another sweeper may come to the other runs of its directory later.
    together = [*_places(sound, grows=plan.growth is not None or repeats)]
    together += [*_duplicates(sound, repeats=repeats), *_budgets(sound), *_tracking(sound), *_batches(sound)]
    together += [*_storage(sound), *_scored(plan.runs)]
    findings = [*plan.findings, *_checked(plan.runs, env), *together]
    if any(finding.problem.severity == "error" for finding in findings):
        raise PreflightError(
            sorted(findings, key=lambda finding: -1 if finding.run is None else finding.run), plan.total
        )
    return list(dict.fromkeys(finding.problem for finding in findings))


def problems_of(config: RunConfig, env: Mapping[str, str] = os.environ) -> list[Problem]:
    """Return what is wrong with one run apart from where it writes: capabilities, endpoint, body, reference files."""
    problems = check_choices(config, lambda choice: problems_of_choice(choice, env))
    more = [*missing_packages(config.tracking), *_stored(config), *_missing_places(config), *_batch(config)]
    return [*problems, *more, *_metrics(config.scored, config)]


def _missing_places(config: RunConfig) -> Iterator[Problem]:
    """Yield the directories to reuse runs from that are not there: their work would be paid for again."""
    for name in config.reuse_from if config.reuse else ():
        if not os.path.isdir(Path(name).expanduser()):  # noqa: PTH112 - Path.is_dir raises on names too long
            yield Problem("reuse_from", f"{name} is no directory", "correct it, or leave it out")


def problems_of_choice(choice: RunConfig, env: Mapping[str, str]) -> list[Problem]:
    """Return the same for one choice of a run, by the environment that its provider sees."""
    return [*check(choice), *_endpoint(choice.provider, env), *_body(choice)]


def endpoint_problems(config: RunConfig, env: Mapping[str, str] = os.environ) -> list[Problem]:
    """Return what keeps a run's endpoint from being asked, whatever is wrong with what was once sent there."""
    return _endpoint(config.provider, env)


def writable(directory: Path, key: str = "hydra.run.dir") -> Problem | None:
    """Return why `directory`, which `key` names, cannot be made or written, if so."""
    try:
        existing = next((path for path in (directory, *directory.parents) if path.exists() or path.is_symlink()), None)
    except OSError as error:  # a name that is too long, for one
        return Problem(key, f"{str(directory)[:80]}… cannot be made: {error.strerror}")
    if existing is None or not existing.is_dir():
        return Problem(key, f"{directory} cannot be made: {existing or directory} is no directory")
    if not os.access(existing, os.W_OK | os.X_OK):
        return Problem(key, f"{directory} cannot be written: {existing} is not writable by you")
    return None


def _checked(runs: Sequence[Run], env: Mapping[str, str]) -> Iterator[Finding]:
    environment = dict(env)
    endpoints: dict[int, list[Problem]] = {}
    for run in runs:

        def problems(choice: RunConfig) -> list[Problem]:
            # The planner shares equal provider configs, so that one sweep has few of them.
            known = endpoints.get(id(choice.provider))
            if known is None:
                known = endpoints[id(choice.provider)] = _endpoint(choice.provider, environment)
            return [*check(choice), *known, *_body(choice)]

        found = [*check_choices(run.config, problems), *_missing_places(run.config), *_batch(run.config)]
        yield from (Finding(run.index, problem) for problem in found)


def _endpoint(provider: ProviderConfig, env: Mapping[str, str]) -> list[Problem]:
    from runner.providers.preflight import check_endpoint

    return check_endpoint(provider, env)


def _body(config: RunConfig) -> list[Problem]:
    from runner.providers.body import check_body

    return check_body(config)


def _batch(config: RunConfig) -> Iterable[Problem]:
    if not config.batch:
        return ()
    from runner.config.restrictions import check_batch

    return check_batch(config)


def _batches(runs: Sequence[Run]) -> Iterator[Finding]:
    for run in runs:
        if run.config.batch != runs[0].config.batch:
            message = f"is not that of run {runs[0].index}; a sweep goes out in batches as a whole, or not at all"
            yield Finding(run.index, Problem("batch", message, "leave batch out of what is swept"))


def _places(runs: Sequence[Run], *, grows: bool) -> Iterator[Finding]:
    from runner.ledger.other_runs import LedgerIndex

    taken: dict[Path, int] = {}
    parents: dict[Path, Problem | None] = {}
    ledgers, places = LedgerIndex(), set[Path]()
    for run in runs:
        first = taken.setdefault(run.directory, run.index)
        if first != run.index:
            message = f"would write into the same directory as run {first}: {run.directory}"
            yield Finding(run.index, Problem("hydra.sweep.subdir", message, "hydra.sweep.subdir='${hydra.job.num}'"))
        parent = run.directory.parent
        if parent not in parents:
            parents[parent] = writable(parent, "hydra.sweep.dir")
        if (known := ledgers.find(run.directory)) is not None:
            places.add(known[0])
        problem = parents[parent] or _unnamable(run.directory)
        problem = problem or occupied(run.directory, run.fingerprint, known, "hydra.sweep.dir")
        if problem is not None:
            yield Finding(run.index, problem)
    directories = [run.directory for run in runs]
    for parent in parents:
        if (problem := hidden(parent, directories, ledgers, "hydra.sweep.dir")) is not None:
            yield Finding(None, problem)
    found = (strangers(place, {*directories}, ledgers) for place in sorted(places) if not grows)
    yield from (Finding(None, problem) for problem in found if problem is not None)


def _unnamable(directory: Path) -> Problem | None:
    """Return why no disk takes a directory of this name, if so: a run that cannot be kept must not be paid."""
    if len(os.fsencode(directory.name)) <= _NAME_BYTES:
        return None
    return Problem("hydra.sweep.subdir", f"{directory.name[:80]}… cannot be made: the name is too long")


def occupied(directory: Path, work: str, known: tuple[Path, LedgerEntry] | None, key: str) -> Problem | None:
    """Return why the run of fingerprint `work` must not be written to `directory`, if another one lies there.

    `known` is what `LedgerIndex.find` knows of it. The same run is resumed, not made again.
    """
    from runner.ledger.recording import paid_files

    if known is not None and known[1].fingerprint == work:
        return None
    told = os.path.exists(directory / NAME)  # noqa: PTH110 - Path.exists raises on names too long
    if known is None and not told and not paid_files(directory):
        return None
    if known is None and told and _is_about(directory, work):
        message = f"{directory} holds this run already, and its ledger does not know it: it would be paid again"
        return Problem(key, message, _rebuilding(directory))
    message = f"{directory} holds another run, which would be overwritten"
    return Problem(key, message, f"choose another {key}, or leave it out for a new one")


def hidden(place: Path, own: Collection[Path], ledgers: LedgerIndex, key: str) -> Problem | None:
    """Return why the ledger of the runs in `own` must not lie in `place`, if it would not be found, or hide others."""
    from runner.ledger.discover import hidden_with

    other = hidden_with(place, own)
    if other is None or any(each in ledgers.runs_of(other) for each in own):
        return None
    inner, outer = (place, other) if place.is_relative_to(other) else (other, place)
    message = f"{inner} lies below {outer}: below a directory of runs ls, reuse=true and searches for jobs find none"
    return Problem(key, message, f"choose another {key}")


def _is_about(directory: Path, work: str) -> bool:
    """Return whether the `result.json` in `directory` tells of the work of this fingerprint."""
    from runner.ledger.reuse import fingerprint

    with suppress(ConfigError):
        return fingerprint(read_result(directory).config) == work
    return False


def _rebuilding(directory: Path) -> str:
    """Return what builds the ledger anew that has lost the run in `directory`: that of its sweep, or its own."""
    from runner.ledger.discover import LEVELS
    from runner.ledger.ledger import rebuilding

    around = (place for place in directory.parents[:LEVELS] if (place / "multirun.yaml").is_file())
    return rebuilding(next(around, directory))


def strangers(place: Path, own: Collection[Path], ledgers: LedgerIndex) -> Problem | None:
    """Return why a sweep's runs in the directories `own` must not go into the ledger in `place`, if it has others."""
    return another_sweep(place, own, ledgers, "hydra.sweep.dir", ", with reuse=true for what is there already")


def another_sweep(
    place: Path, own: Collection[Path], ledgers: LedgerIndex, key: str, besides: str = ""
) -> Problem | None:
    """Return the same for a sweep whose directory `key` names; the hint to choose another one ends with `besides`."""
    others = [directory for directory in ledgers.runs_of(place) if directory not in own]
    if not others:
        return None
    message = f"{place} holds another sweep: {len(others)} of its runs are not in this one"
    return Problem(key, message, f"{command('resume', place)}, or choose another {key}{besides}")


def _budgets(runs: Sequence[Run]) -> Iterator[Finding]:
    for run in runs:
        if run.config.budget != runs[0].config.budget:
            message = f"is not that of run {runs[0].index}; a sweep has one budget"
            yield Finding(run.index, Problem("budget", message, "leave budget.* out of what is swept"))


def _tracking(runs: Sequence[Run]) -> Iterator[Finding]:
    for tracking in dict.fromkeys(run.config.tracking for run in runs):
        yield from (Finding(None, problem) for problem in missing_packages(tracking))
    for run in runs:
        if run.config.tracking != runs[0].config.tracking:
            message = f"is not that of run {runs[0].index}; a sweep is tracked in one place"
            yield Finding(run.index, Problem("tracking", message, "leave tracking out of what is swept"))


def _storage(runs: Sequence[Run]) -> Iterator[Finding]:
    for config in {run.config.storage: run.config for run in runs}.values():
        yield from (Finding(None, problem) for problem in _stored(config))
    for run in runs:
        if run.config.storage != runs[0].config.storage:
            message = f"is not that of run {runs[0].index}; a sweep is uploaded to one place"
            yield Finding(run.index, Problem("storage", message, "leave storage out of what is swept"))


def _stored(config: RunConfig) -> Iterable[Problem]:
    if config.storage.url is None:
        return ()
    from runner.storage.address import check_storage

    return check_storage(config)


def _scored(runs: Sequence[Run]) -> Iterator[Finding]:
    for names, config in {run.config.scored: run.config for run in runs}.items():
        yield from (Finding(None, problem) for problem in _metrics(names, config))


def _metrics(names: Sequence[str], config: RunConfig) -> list[Problem]:
    """Return why metrics could not be computed: better known before anything is paid."""
    if not names:
        return []
    from runner.metrics.catalog import problems_of, unusable

    wanted = [name for name in names if name not in config.metrics]
    return [*problems_of(config.metrics), *problems_of(wanted, "objective"), *unusable(names)]


def _duplicates(runs: Sequence[Run], *, repeats: bool) -> Iterator[Finding]:
    for index, first in repeated(runs):
        if repeats:
            yield Finding(
                None, Problem("", "the sweeper asks for some runs more than once; each is paid", None, "warning")
            )
        else:
            message = f"would do and pay the same work as run {first}"
            hint = "remove the repeated value, or ask for repetitions by replica=0,1,2"
            yield Finding(index, Problem("", message, hint))


def repeated(runs: Iterable[Run]) -> Iterator[tuple[int, int]]:
    """Yield the index of each run that would do and pay the work of an earlier one, with that one's."""
    seen: dict[str, int] = {}
    for run in runs:
        first = seen.setdefault(run.fingerprint or f"run {run.index}", run.index)
        if first != run.index:
            yield run.index, first
