"""From override lists to planned jobs: each composed once, resolved while HydraConfig is set to it, validated."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from runner.cli.prompt_guard import unheard
from runner.cli.secret_guard import ConfigGuard
from runner.config import Problem, RunConfig, load, without_own_keys
from runner.config.capability import check_kept
from runner.errors import ConfigError, RunnerError
from runner.identity import ByIdentity
from runner.ledger import fingerprint

from .choice import Composition
from .collected import collected
from .compose import Composer
from .composition_error import problem_of
from .fallback import with_options
from .finding import Finding
from .interpolation import interpolates
from .job import Job, Packed, joined
from .node import children
from .rendering import Renderer
from .unsupported import misplaced, not_kept, outside

_T = TypeVar("_T")
_CONSTANT = re.compile(r"(?:[^$]|\$\{(?:oc\.env|now):[^${}]*\})*")
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
        self._guard = ConfigGuard()
        self._composer = Composer(config_loader, master, inspect=self._guard.refuse)
        self._renderer = Renderer()
        self._like = b""
        self._interned: dict[tuple[str, str], Any] = {}  # Any: provider and model configs
        self._made: ByIdentity[Any] = ByIdentity()  # Any: as above
        self._sweep_dirs: dict[str, str] = {}

    def plan(self, batch: Sequence[Sequence[str]], first: int = 0) -> Plan:
        """Compose, resolve and validate every job; errors become findings, never exceptions."""
        setup_globals()
        self._composer.expect(batch)
        plan = Plan(total=len(batch))
        for num, overrides in enumerate(batch, first):
            job, problems = collected(overrides, functools.partial(self._job, num), self._problems)
            plan.findings += [Finding(num, problem) for problem in problems]
            if job is not None:
                plan.jobs.append(job)
        # What was remembered for the next job is megabytes that the runs need not wait beside.
        self._renderer.forget()
        self._guard.forget()
        self._composer.forget()
        self._made.forget()
        return plan

    def _problems(self, error: Exception) -> Problem:
        if not isinstance(error, _COMPOSING_ERRORS):
            raise error
        return problem_of(error, self._loader)

    def compose(self, job: Job) -> DictConfig:
        """The job's config again, as its callbacks and `JobReturn` see it."""
        config = self._composer.compose(job.overrides)
        composition = Composition(config, None)
        composition.number(job.num)
        composition.place(str(job.directory))
        return config

    def _job(self, num: int, overrides: Sequence[str]) -> tuple[Job | None, list[Problem]]:
        with self._composer.composed(overrides) as composition, _current(composition.config):
            composition.number(num)
            directory, sweep = self._place(composition, num)
            task = composition.task()
            resolved = composition.resolved_task(task)
            if resolved is not task:
                self._guard.refuse(resolved)
            plain = composition.hydra()
            config, problems = load(with_options(without_own_keys(resolved, task, plain)))
            hydra = plain["hydra"]
            job_node = hydra["job"]
            problems += not_kept(composition.config.hydra.job if interpolates(job_node) else job_node)
            problems += outside(directory, sweep)
            problems += misplaced(_subdir(composition.config, hydra))
            lines = tuple(hydra["overrides"]["task"])
            problems += unheard(lines, resolved.get("request"))
            if config is None:
                return None, problems
            problems += check_kept(config, lines)
            shared = self._shared(config, resolved)
            job = Job(
                num=num,
                overrides=tuple(overrides),
                task_overrides=lines,
                config=shared,
                directory=directory,
                output_subdir=_subdir(composition.config, hydra),
                files=self._files(task, plain, lines),
                fingerprint=_fingerprint(shared),
            )
            return job, problems

    def _place(self, composition: Composition, num: int) -> tuple[Path, Path]:
        """The output directory, as `hydra.core.utils.run_job` finds it, and the sweep's."""
        sweep = composition.sweep
        raw = str(children(sweep).get("dir"))  # the text before interpolation tells whether it can vary
        subdir = str(num) if str(children(sweep).get("subdir")) == "${hydra.job.num}" else str(sweep.subdir)
        if raw not in self._sweep_dirs:
            resolved = str(sweep.dir)
            if _CONSTANT.fullmatch(raw):
                self._sweep_dirs[raw] = resolved
        else:
            resolved = self._sweep_dirs[raw]
        directory = os.path.abspath(os.path.join(resolved, subdir))  # noqa: PTH100, PTH118 - as Hydra does, text for text
        composition.place(directory)
        return Path(directory), Path(os.path.abspath(resolved))  # noqa: PTH100 - as above

    def _files(
        self, task: Mapping[str, Any], hydra: Mapping[str, Any], lines: Sequence[str]
    ) -> Packed:  # Any: a config
        files = {
            "config.yaml": self._renderer.mapping(task),
            "hydra.yaml": self._renderer.mapping(hydra),
            "overrides.yaml": self._renderer.sequence(lines),
        }
        self._like = self._like or joined(files)
        return Packed.pack(files, self._like)

    def _shared(self, config: RunConfig, source: Mapping[str, Any]) -> RunConfig:  # Any: a config
        """The same config, holding the provider and model objects of earlier runs where they are equal."""
        sections = ("provider", "model", "fallbacks") if config.fallbacks else ("provider", "model")
        own = {name: self._intern(name, getattr(config, name), source.get(name)) for name in sections}
        return config.model_copy(update=own)

    def _intern(self, section: str, value: _T, source: object) -> _T:
        interned: _T | None = self._made.get(source, section)
        # The same section may give another fallback, which takes its run's provider where it names none.
        if interned is None or interned != value:
            interned = self._interned.setdefault((section, repr(value)), value)
            self._made.keep(source, interned, section)
        return interned


def _fingerprint(config: RunConfig) -> str:
    try:
        return fingerprint(config)
    except ConfigError:
        return ""


@contextmanager
def _current(config: DictConfig) -> Iterator[None]:
    """Let `${hydra:…}` and `HydraConfig.get()` see this job; `set_config` would copy the node for 5 ms."""
    instance = HydraConfig.instance()
    before = instance.cfg
    instance.cfg = config  # type: ignore[assignment]  # HydraConfig's own annotation is not what it stores
    try:
        yield
    finally:
        instance.cfg = before


def _subdir(config: DictConfig, plain: Mapping[str, Any]) -> str | None:  # Any: a config
    subdir: str | None = plain["output_subdir"]
    return config.hydra.output_subdir if interpolates(subdir) else subdir
