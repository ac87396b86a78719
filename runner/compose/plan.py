"""From override lists to planned jobs: each composed once, resolved while HydraConfig is set to it, validated."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from runner.config import Problem, RunConfig
from runner.errors import ConfigError, RunnerError
from runner.ledger import fingerprint

from .composer import Composer
from .composition_error import problem_of
from .diagnosis import collected
from .examination import load_resolved
from .job import Job
from .preflight import Finding
from .secret_guard import ConfigGuard
from .unsupported import misplaced, not_kept, outside

_COMPOSING_ERRORS = (HydraException, OmegaConfBaseException, RunnerError, ValueError, KeyError)


@dataclass(slots=True)
class Plan:
    """The jobs that could be composed, if need be without what is wrong with them, and what is wrong with any."""

    jobs: list[Job] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    total: int = 0


class Planner:
    """Plans the jobs of one sweep."""

    def __init__(self, config_loader: ConfigLoader, master: DictConfig) -> None:
        self._loader = config_loader
        self._composer = Composer(config_loader, master, inspect=ConfigGuard().refuse)
        self._interned: dict[tuple[str, str], Any] = {}  # Any: provider and model configs

    def plan(self, batch: Sequence[Sequence[str]], first: int = 0) -> Plan:
        """Compose, resolve and validate every job; errors become findings, never exceptions."""
        setup_globals()
        plan = Plan(total=len(batch))
        for num, overrides in enumerate(batch, first):
            job, problems = collected(overrides, functools.partial(self._job, num), self._problems)
            plan.findings += [Finding(num, problem) for problem in problems]
            if job is not None:
                plan.jobs.append(job)
        return plan

    def _problems(self, error: Exception) -> Problem:
        if not isinstance(error, _COMPOSING_ERRORS):
            raise error
        return problem_of(error, self._loader)

    def compose(self, job: Job) -> DictConfig:
        """Return the job's config again, as its callbacks and `JobReturn` see it."""
        return self._composer.config(job.overrides, job.num, job.directory)

    def _job(self, num: int, overrides: Sequence[str]) -> tuple[Job | None, list[Problem]]:
        compose = self._composer.composed(overrides, num)
        found = compose()
        config, problems = load_resolved(found.resolved, found.overrides, found.task, {"hydra": found.hydra})
        problems += not_kept(found.job)
        problems += outside(found.directory, found.sweep)
        problems += misplaced(found.output_subdir)
        if config is None:
            return None, problems
        shared = self._shared(config)
        return Job(num, tuple(overrides), found.overrides, shared, found.directory, found.output_subdir,
                   compose, _fingerprint(shared)), problems  # fmt: skip

    def _shared(self, config: RunConfig) -> RunConfig:
        """Return the same config, holding the provider and model objects of earlier runs where they are equal."""
        sections = ("provider", "model", "fallbacks") if config.fallbacks else ("provider", "model")
        known = {name: (name, repr(getattr(config, name))) for name in sections}
        return config.model_copy(
            update={name: self._interned.setdefault(key, getattr(config, name)) for name, key in known.items()}
        )


def _fingerprint(config: RunConfig) -> str:
    try:
        return fingerprint(config)
    except ConfigError:
        return ""
