"""What must hold for every run of a sweep before the first byte is sent or written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runner.artifacts.result_file import NAME
from runner.config import Problem, ProviderConfig, RunConfig, check
from runner.config.choices import check_choices
from runner.errors import ConfigError

from .finding import Finding, lines
from .job import Job
from .plan import Plan


class PreflightError(ConfigError):
    """The sweep is refused: `findings` are the problems of all runs; nothing was sent, nothing was written."""

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
    # A job with problems was composed without what is wrong, only to be checked: it may look like another.
    sound = [job for job in plan.jobs if job.num not in broken]
    findings = [*plan.findings, *_checked(plan.jobs, env), *_places(sound), *_duplicates(sound, repeats=repeats)]
    if any(finding.problem.severity == "error" for finding in findings):
        raise PreflightError(
            sorted(findings, key=lambda finding: -1 if finding.run is None else finding.run), plan.total
        )
    return list(dict.fromkeys(finding.problem for finding in findings))


def problems_of(config: RunConfig, env: Mapping[str, str] = os.environ) -> list[Problem]:
    """What is wrong with one run apart from where it writes: capabilities, endpoint, body, reference files."""
    return check_choices(config, lambda choice: [*check(choice), *_endpoint(choice.provider, env), *_body(choice)])


def writable(directory: Path, key: str = "hydra.run.dir") -> Problem | None:
    """Why `directory`, which `key` names, cannot be made or written, if so."""
    try:
        existing = next((path for path in (directory, *directory.parents) if path.exists()), None)
    except OSError as error:  # a name that is too long, for one
        return Problem(key, f"{str(directory)[:80]}… cannot be made: {error.strerror}")
    if existing is None or not existing.is_dir():
        return Problem(key, f"{directory} cannot be made: {existing or directory} is no directory")
    if not os.access(existing, os.W_OK | os.X_OK):
        return Problem(key, f"{directory} cannot be written: {existing} is not writable by you")
    return None


def _checked(jobs: Sequence[Job], env: Mapping[str, str]) -> Iterator[Finding]:
    environment = dict(env)
    endpoints: dict[int, list[Problem]] = {}
    for job in jobs:

        def problems(choice: RunConfig) -> list[Problem]:
            # The planner shares equal provider configs, so that one sweep has few of them.
            known = endpoints.get(id(choice.provider))
            if known is None:
                known = endpoints[id(choice.provider)] = _endpoint(choice.provider, environment)
            return [*check(choice), *known, *_body(choice)]

        yield from (Finding(job.num, problem) for problem in check_choices(job.config, problems))


def _endpoint(provider: ProviderConfig, env: Mapping[str, str]) -> list[Problem]:
    from runner.providers import check_endpoint

    return check_endpoint(provider, env)


def _body(config: RunConfig) -> list[Problem]:
    from runner.providers import check_body

    return check_body(config)


def _places(jobs: Sequence[Job]) -> Iterator[Finding]:
    taken: dict[Path, int] = {}
    parents: dict[Path, Problem | None] = {}
    for job in jobs:
        first = taken.setdefault(job.directory, job.num)
        if first != job.num:
            message = f"would write into the same directory as run {first}: {job.directory}"
            yield Finding(job.num, Problem("hydra.sweep.subdir", message, "hydra.sweep.subdir='${hydra.job.num}'"))
        parent = job.directory.parent
        if parent not in parents:
            parents[parent] = writable(parent, "hydra.sweep.dir")
        problem = parents[parent] or (occupied(job.directory) if parent.exists() else None)
        if problem is not None:
            yield Finding(job.num, problem)


def occupied(directory: Path, key: str = "hydra.sweep.dir") -> Problem | None:
    """Why a run must not be written to `directory`, if another one lies there."""
    if not os.path.exists(directory / NAME):  # noqa: PTH110 - Path.exists raises on names that are too long
        return None
    message = f"{directory} holds an earlier run, which would be overwritten"
    return Problem(key, message, f"choose another {key}, or leave it out for a new one")


def _duplicates(jobs: Sequence[Job], *, repeats: bool) -> Iterator[Finding]:
    seen: dict[object, int] = {}
    for job in jobs:
        config = job.config
        request = config.request.model_dump_json(exclude={"prompt_file"})
        work = id(config.provider), id(config.model), request, config.replica
        first = seen.setdefault(work, job.num)
        if first == job.num:
            continue
        if repeats:
            yield Finding(
                None, Problem("", "the sweeper asks for some runs more than once; each is paid", None, "warning")
            )
        else:
            message = f"would do and pay the same work as run {first}"
            yield Finding(
                job.num, Problem("", message, "remove the repeated value, or ask for repetitions by replica=0,1,2")
            )
