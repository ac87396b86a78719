"""Plan runs: each set of overrides composed once, resolved while HydraConfig is set to it, loaded and checked."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.artifacts.atomic import disk_errors
from runner.artifacts.result_file import NAME
from runner.config import Problem, RunConfig, load, shipped, without_own_keys
from runner.config.capability import check_kept
from runner.config.shipped import Group
from runner.engine.run import Run
from runner.errors import ConfigError, RunnerError
from runner.ledger import fingerprint

from .composer import Composed, Composer
from .composition_error import collected, problem_of
from .documents import Documents
from .guards import ConfigGuard, refuse_in_config, unheard
from .preflight import Finding, PreflightError, occupied, problems_of, writable

_NO_CHDIR = "cannot be true: all runs share one process, which has one working directory"
_NO_ENV_SET = "all runs share one process, and the values would be written to disk"
_EXPORT = "export the variables before the command, or put them into .env"


def unsupported(config: DictConfig) -> list[Problem]:
    """Return what cannot be done of what a run's `hydra` node asks for."""
    return [*not_kept(config.hydra.job), *misplaced(config.hydra.output_subdir)]


def misplaced(subdir: str | None) -> list[Problem]:
    """Return why Hydra's files cannot be written to `subdir`, if so."""
    if subdir is None or (Path(subdir).parts[:1] not in ((), (NAME,)) and ".." not in Path(subdir).parts):
        return []
    message = f"{subdir} is not a folder of the run's own"
    return [Problem("hydra.output_subdir", message, "hydra.output_subdir=.hydra, or null for none")]


def outside(directory: Path, sweep: Path) -> list[Problem]:
    """Return why a run is not written to `directory`, if that is not below its `sweep`'s: names may come of prompts."""
    if directory != sweep and directory.is_relative_to(sweep):
        return []
    message = f"{str(directory)[:200]} is no directory below the sweep's, {sweep}"
    return [Problem("hydra.sweep.subdir", message, "hydra.sweep.subdir='${hydra.job.num}'")]


def not_kept(job: Mapping[str, Any]) -> list[Problem]:  # Any: a config
    """Return what the `hydra.job` node asks for that a process with many runs has not."""
    problems = []
    if job["chdir"]:
        problems.append(Problem("hydra.job.chdir", _NO_CHDIR, "hydra.job.chdir=false; every run has its own directory"))
    if job["env_set"]:
        names = ", ".join(sorted(map(str, job["env_set"])))
        problems.append(Problem("hydra.job.env_set", f"cannot be set ({names}): {_NO_ENV_SET}", _EXPORT))
    return problems


def option(group: Group, name: str) -> Mapping[str, Any] | None:  # Any: not yet validated
    """Return a fallback's option, looked up where Hydra finds its config groups: --config-dir included.

    None if there is none; raises `SecretError` if it holds a credential.
    """
    hydra = GlobalHydra.instance()
    found = _option(hydra.config_loader(), group, name) if hydra.is_initialized() else None
    return shipped.option(group, name) if found is None else found


@functools.lru_cache(maxsize=64)
def _option(loader: ConfigLoader, group: Group, name: str) -> Mapping[str, Any] | None:  # Any: not yet validated
    if name not in loader.get_group_options(group):
        return None
    try:
        config = loader.load_configuration(None, [f"+{group}={name}"], RunMode.RUN)
    except MissingConfigException:
        return None
    # As a run's own sections are: as written, which names a credential's variable, and with what that brings to light.
    refuse_in_config({group: OmegaConf.to_container(config[group])})
    found = OmegaConf.to_container(config[group], resolve=True)
    refuse_in_config({group: found})
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else None


def examined(config: DictConfig) -> tuple[RunConfig | None, Path, list[Problem]]:
    """The run (None if its config is not valid), its directory, and all that is wrong apart from what lies there."""
    run, directory, problems = _read(config)
    problems += unsupported(config)
    problems += [*(problems_of(run) if run is not None else []), *filter(None, [writable(directory)])]
    return run, directory, problems


def loaded(config: DictConfig) -> tuple[RunConfig | None, list[Problem]]:
    """Return the run of a config without its `hydra` node, which `HydraConfig` holds, and what is wrong with it.

    Raises `SecretError` if resolving it brings a credential to light.
    """
    written = OmegaConf.to_container(config, resolve=False)
    container = OmegaConf.to_container(config, resolve=True)
    named = {str(key): value for key, value in container.items()} if isinstance(container, dict) else {}
    refuse_in_config(named)
    hydra = OmegaConf.to_container(HydraConfig.instance().cfg, resolve=False)
    used_by = [{str(key): value for key, value in each.items()} for each in (written, hydra) if isinstance(each, dict)]
    return load_resolved(named, HydraConfig.get().overrides.task, *used_by)


def load_resolved(
    resolved: Mapping[str, Any],  # Any: not yet validated, here and below
    typed: Sequence[str],
    *written: Mapping[str, Any],
) -> tuple[RunConfig | None, list[Problem]]:
    """Return the run of resolved values, and what is wrong with it.

    `typed` are the overrides; `written` is where interpolations stand that use a key of the user's own.
    """
    run, problems = load(without_own_keys(resolved, *written), option)
    kept = check_kept(run, typed) if run is not None else ()
    return run, [*problems, *unheard(typed, resolved.get("request")), *kept]


def overwritten(run: Run) -> Problem | None:
    """Return why the run must not be written to its directory, which holds another one."""
    from runner.ledger import LedgerIndex

    if run.fingerprint:  # a request that cannot be made is a problem that has been said
        with suppress(ConfigError):  # a ledger that cannot be read says so when consent is asked for
            return occupied(run.directory, run.fingerprint, LedgerIndex(), "hydra.run.dir")
    return None


def validated(config: DictConfig) -> tuple[RunConfig, Path, list[Problem]]:
    """Return the run, its directory and the warnings, or raise `PreflightError` for a config that is not valid."""
    run, directory, problems = _read(config)
    if run is None or any(problem.severity == "error" for problem in problems):
        raise PreflightError([Finding(0, problem) for problem in problems], total=1)
    return run, directory, problems


def _read(config: DictConfig) -> tuple[RunConfig | None, Path, list[Problem]]:
    HydraConfig.instance().set_config(config)
    run, problems = loaded(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
    return run, Path(os.path.abspath(str(config.hydra.run.dir))), problems  # noqa: PTH100 - it may not be there yet


_COMPOSING_ERRORS = (HydraException, OmegaConfBaseException, RunnerError, ValueError, KeyError)


@dataclass(frozen=True, slots=True)
class Composition:
    """Describe what only Hydra wants to know of a planned run.

    Attributes:
        config: composes its whole config again, as callbacks and `JobReturn` see it.
        composed: gives what its `.hydra/` files hold.
        output_subdir: where these go, relative to the run's directory; None: nowhere.
    """

    config: Callable[[], DictConfig]
    composed: Callable[[], Composed]
    output_subdir: str | None

    def create_directory(self, directory: Path) -> None:
        """Make the run's directory with its `.hydra/` files; raises `DiskError`."""
        with disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
        if self.output_subdir is not None:
            found = self.composed()
            Documents(found.task, found.overrides, found.hydra).write(directory / self.output_subdir)


@dataclass(slots=True)
class Plan:
    """The runs that could be composed, if need be without what is wrong with them, and what is wrong with any.

    `compositions` has what Hydra wants to know of each run, by its index.
    """

    runs: list[Run] = field(default_factory=list)
    compositions: dict[int, Composition] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    total: int = 0


class Planner:
    """Plans the runs of one sweep."""

    def __init__(self, config_loader: ConfigLoader, master: DictConfig) -> None:
        self._loader = config_loader
        self._composer = Composer(config_loader, master, inspect=ConfigGuard().refuse)
        self._interned: dict[tuple[str, str], Any] = {}  # Any: provider and model configs

    def plan(self, batch: Sequence[Sequence[str]], first: int = 0) -> Plan:
        """Compose, resolve and validate every run; errors become findings, never exceptions."""
        setup_globals()
        plan = Plan(total=len(batch))
        for index, overrides in enumerate(batch, first):
            found, problems = collected(overrides, functools.partial(self._planned, index), self._problems)
            plan.findings += [Finding(index, problem) for problem in problems]
            if found is not None:
                run, plan.compositions[index] = found
                plan.runs.append(run)
        return plan

    def _problems(self, error: Exception) -> Problem:
        if not isinstance(error, _COMPOSING_ERRORS):
            raise error
        return problem_of(error, self._loader)

    def _planned(self, index: int, overrides: Sequence[str]) -> tuple[tuple[Run, Composition] | None, list[Problem]]:
        composed = self._composer.composed(overrides, index)
        found = composed()
        config, problems = load_resolved(found.resolved, found.overrides, found.task, {"hydra": found.hydra})
        problems += not_kept(found.job)
        problems += outside(found.directory, found.sweep)
        problems += misplaced(found.output_subdir)
        if config is None:
            return None, problems
        run = new_run(index, self._shared(config), found.directory, found.overrides)
        whole = functools.partial(self._composer.config, tuple(overrides), index, run.directory)
        return (run, Composition(whole, composed, found.output_subdir)), problems

    def _shared(self, config: RunConfig) -> RunConfig:
        """Return the same config, holding the provider and model objects of earlier runs where they are equal."""
        sections = ("provider", "model", "fallbacks") if config.fallbacks else ("provider", "model")
        known = {name: (name, repr(getattr(config, name))) for name in sections}
        return config.model_copy(
            update={name: self._interned.setdefault(key, getattr(config, name)) for name, key in known.items()}
        )


def new_run(index: int, config: RunConfig, directory: Path, overrides: Sequence[str]) -> Run:
    """Return a run that is planned, with its fingerprint: every input file is read for it, and only here."""
    work = ""
    with suppress(ConfigError):
        work = fingerprint(config)
    return Run(index, config, directory, tuple(overrides), fingerprint=work)
