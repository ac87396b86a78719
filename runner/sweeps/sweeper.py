"""Make of the axes' points the runs of one launch, replicas among them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, read_write

from runner.artifacts.atomic import disk_errors
from runner.compose.composer import plain
from runner.compose.composition_error import problem_of
from runner.compose.documents import rendered
from runner.compose.plan import Planner, grown
from runner.compose.points import Exclusion, Points, points, refuse_beyond
from runner.compose.preflight import Finding, PreflightError, preflight
from runner.compose.typed import assignment, text_in_grammar
from runner.config.problem import Problem
from runner.config.run import RunConfig
from runner.display.closing import print_closing
from runner.display.output import Advance, print_error, print_problems, say
from runner.engine.run import Run
from runner.ledger.discover import NAME as LEDGER
from runner.ledger.discover import has_ledger, shards_of
from runner.report.live_page import keep_page
from runner.results.files import write_results
from runner.results.reading import runs_in
from runner.shell import command, line

from .consent import agree_to_new, agree_to_prompts, payable, print_dry_run
from .external_launcher import record_plan, unasked, unbatched, unkept
from .launcher import RunnerLauncher


class RunnerSweeper:
    """Expand as Hydra's basic sweeper does, by whose config `params` and `max_batch_size` are read."""

    def __init__(
        self, max_batch_size: int | None, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take in what Hydra knows, and make the launcher."""
        self._max_batch_size = max_batch_size
        self._loader = hydra_context.config_loader
        self._config = config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Run every combination, or with `dry_run=true` only print them; raises `PreflightError`.

        A failed run stops neither its siblings nor later batches: look at each `JobReturn.status`.
        """
        points = self._points(arguments)
        if points.shard is not None and not self._enter_shard(points, *points.shard):
            return []
        core = getattr(self._launcher, "core", None)
        own = core if isinstance(core, RunnerLauncher) else None
        planner = own.planner if own else Planner(self._loader, self._config)
        left_out: list[str] = []
        advance = Advance("runs planned", seconds=10)
        if any(each.exclude or each.on_unsupported == "skip" for each in points.settings):
            exclusion = Exclusion(points.settings)
            plan = planner.plan(points.points, drops=exclusion.drops, advance=advance)
            points.warnings += exclusion.warnings()
            left_out += exclusion.lines()
        else:
            plan = planner.plan(points.points, advance=advance)
        if any(run.config.number_of_videos > 1 for run in plan.runs):
            plan = planner.plan(replicated(plan.overrides, plan.runs), advance=advance)
        if not plan.total and points.shard is not None and left_out:  # what is left may lie in the other parts
            say(f"{_shard(*points.shard)} has no runs, nothing to do; {'; '.join(left_out)}")
            return []
        if not plan.total:
            raise PreflightError([Finding(None, _without_runs(left_out))], 0)
        directory = Path(str(self._config.hydra.sweep.dir))
        plan = grown(planner, plan, directory) if own and has_ledger(directory) else plan
        jobs = plan.overrides
        places = [run.directory for run in plan.runs]
        plan.findings += [Finding(None, problem) for problem in _of_the_whole(plan.runs, points, directory, own)]
        print_problems(preflight(plan))
        agree_to_prompts(plan.runs)
        notes = [*left_out, *(plan.growth.lines() if plan.growth else ())]
        if any(run.config.dry_run for run in plan.runs):
            print_dry_run(plan.runs, note="\n".join(notes), left=payable(plan.runs, directory))
            return []
        for note in notes:
            say(note)
        said = agree_to_new(plan.runs, directory)
        with disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "multirun.yaml").write_text(rendered(plain(self._config)), encoding="utf-8", newline="\n")
        size = self._max_batch_size or max(1, len(jobs))
        starts = range(0, len(jobs), size)
        if own is None:
            record_plan(directory, places)
            batches = [self._launcher.launch(jobs[start : start + size], initial_job_idx=start) for start in starts]
            _close_sweep(plan.runs, directory)
            return batches
        returns = own.launch_planned(plan, self._max_batch_size, said=said)
        return [returns[start : start + size] for start in starts]

    def _points(self, arguments: Sequence[str]) -> Points:
        if self._max_batch_size is not None and self._max_batch_size < 1:
            problem = Problem(
                "hydra.sweeper.max_batch_size", f"{self._max_batch_size} is not allowed: at least 1, or null"
            )
            raise PreflightError([Finding(None, problem)], 0)
        try:
            return points(self._loader, self._config, arguments)
        except HydraException as error:
            raise PreflightError([Finding(None, problem_of(error, self._loader))], 0) from error

    def _enter_shard(self, points: Points, part: int, count: int) -> bool:
        """Let a part of a sweep have a directory of its own below the sweep's; return whether it has any points."""
        if points.total and not points.points:  # as where a job array is larger than its table
            say(f"{_shard(part, count)} has no points, as the sweep has {points.total:,}: nothing to do")
            return False
        sweep, overrides = self._config.hydra.sweep, self._config.hydra.overrides
        directory = f"{sweep.dir}/shard-{part}-of-{count}"
        with read_write(sweep), read_write(overrides):
            sweep.dir = directory
            # Each run is composed by what was typed.
            overrides.hydra.append(assignment("hydra.sweep.dir", directory))
        return True


def _shard(part: int, count: int) -> str:
    return f"shard={part}/{count}"


def _without_runs(left_out: Sequence[str]) -> Problem:
    if left_out:
        return Problem("", f"the sweep has no runs; {'; '.join(left_out)}", "take an entry out of exclude")
    return Problem("", "the sweep has no runs: a glob or a range in it is empty", "-m key=a,b,c")


def _of_the_whole(
    runs: Sequence[Run], points: Points, directory: Path, own: RunnerLauncher | None
) -> Iterator[Problem]:
    """Yield what is wrong with the sweep, not with one run alone; another launcher (`own` is None) cannot do all."""
    yield from points.warnings
    places = [run.directory for run in runs]
    if own is not None:
        yield from own.problems(runs)
    else:
        for budget in dict.fromkeys(run.config.budget for run in runs):
            yield from unkept(budget)
        yield from unbatched(run.config for run in runs)
    obstacles = [
        _begun_elsewhere(directory, places, own=own is not None),
        _divided_otherwise(directory, points),
        None if own else unasked(directory, places),
    ]
    yield from (problem for problem in obstacles if problem is not None)


def _begun_elsewhere(sweep: Path, runs: Sequence[Path], *, own: bool) -> Problem | None:
    """Return why a sweep must not go on under this launcher, if so: it would not find its ledgers, and pay again.

    Under our `own` the sweep has one ledger, under any other each of its runs.
    """
    places = [run for run in runs if run != sweep.absolute()] if own else [sweep]
    if not any(os.path.isfile(place / LEDGER) for place in places):  # noqa: PTH113 - too long a name is none
        return None
    what = "was begun under another hydra/launcher" + ", or its runs were resumed one by one" * own
    hint = f"{command('resume', sweep)}, or choose another hydra.sweep.dir"
    return Problem("hydra.sweep.dir", f"{sweep} {what}", hint)


def _divided_otherwise(directory: Path, points: Points) -> Problem | None:
    """Return why a sweep must not go on in these parts, if so: what it has in others would be paid again."""
    count = points.shard[1] if points.shard else None
    place = directory.parent if points.shard else directory
    others = sorted({int(each.name.rpartition("-")[2]) for each in shards_of(place)} - {count})
    if count is not None and has_ledger(place):
        what, before = "in one piece", "the same command without shard"
    elif others:
        what, before = f"in {others[-1]} parts", f"shard=K/{others[-1]}, as before"
    else:
        return None
    message = f"{place} holds a sweep {what}, whose runs may be paid again"
    reuse = line(["reuse=true", f"reuse_from=[{text_in_grammar(str(place))}]"])
    return Problem("shard", message, f"{before}, or another hydra.sweep.dir with {reuse}")


def _close_sweep(runs: Sequence[Run], directory: Path) -> None:
    """Write and show what came of runs whose jobs each ran the task function on their own."""
    # A killed job may have left only its ledger, which tells what may have been paid.
    found, unreadable = runs_in(run.directory for run in runs)
    for error in unreadable:
        print_error(error)
    problems = write_results(directory, found)
    if found and runs[0].config.gallery:
        problems += keep_page(directory)
    print_problems(problems)
    print_closing([result for _, result in found], directory)


_KEYS = ("request.number_of_videos", "replica")


def replicated(jobs: Sequence[Sequence[str]], runs: Sequence[Run]) -> list[list[str]]:
    """Return the jobs' overrides, each job as often as its run asks for.

    One run stays one job in one directory, which can be resumed, repeated and priced alone.
    """
    asked = {run.index: run.config for run in runs if run.config.number_of_videos > 1}
    refuse_beyond(len(jobs) + sum(config.number_of_videos - 1 for config in asked.values()))
    copies = []
    for index, overrides in enumerate(jobs):
        config = asked.get(index)
        copies += [list(overrides)] if config is None else _copies(overrides, config)
    return copies


def _copies(overrides: Sequence[str], config: RunConfig) -> list[list[str]]:
    kept = [line for line in overrides if line.lstrip("+").partition("=")[0] not in _KEYS]
    count = config.number_of_videos
    first = config.replica * count
    return [[*kept, f"++{_KEYS[0]}=1", f"++{_KEYS[1]}={first + n}"] for n in range(count)]
