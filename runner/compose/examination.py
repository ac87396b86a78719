"""A single run's composed config, resolved, loaded and checked, with nothing sent or written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from runner.config import Problem, RunConfig, load, without_own_keys
from runner.config.capability import check_kept
from runner.errors import ConfigError

from .fallback import with_options
from .preflight import Finding, PreflightError, occupied, problems_of, writable
from .prompt_guard import unheard
from .secret_guard import refuse_in_config
from .unsupported import unsupported

if TYPE_CHECKING:
    from runner.engine.run import Run


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
    run, problems = load(with_options(without_own_keys(resolved, *written)))
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
