"""Resolve, load and check the composed config of one run, with nothing sent or written."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pydantic import TypeAdapter, ValidationError

from runner.artifacts.result_file import NAME
from runner.config import shipped
from runner.config.judge import ScoreConfig, load_score
from runner.config.loading import Known, load, without_own_keys
from runner.config.problem import SAY_TEXT, Problem, from_validation_error
from runner.config.restrictions import check_kept
from runner.config.run import SWEEP_KEYS, RunConfig, SweepConfig
from runner.config.shipped import Group
from runner.errors import ConfigError

from .composer import resolved_task, resolved_value
from .guards import refuse_in_config
from .loader import as_written
from .preflight import Finding, PreflightError, hidden, occupied, problems_of, writable
from .typed import quoted, unheard, unread

if TYPE_CHECKING:
    from runner.engine.run import Run


_NO_CHDIR = "cannot be true: all runs share one process, which has one working directory"
_NO_ENV_SET = "all runs share one process, and the values would be written to disk"
_LENGTH = "request.duration_seconds"
_EXPORT = "export the variables before the command, or put them into .env"


def unsupported(job: Mapping[str, Any], output_subdir: str | None) -> list[Problem]:  # Any: a config
    """Return what cannot be done of what a run's `hydra` node asks for: one process has many runs."""
    problems = []
    if job["chdir"]:
        problems.append(Problem("hydra.job.chdir", _NO_CHDIR, "hydra.job.chdir=false; every run has its own directory"))
    if job["env_set"]:
        names = ", ".join(sorted(map(str, job["env_set"])))
        problems.append(Problem("hydra.job.env_set", f"cannot be set ({names}): {_NO_ENV_SET}", _EXPORT))
    parts = None if output_subdir is None else Path(output_subdir).parts
    if parts is not None and (parts[:1] in ((), (NAME,)) or ".." in parts):
        message = f"{output_subdir} is not a folder of the run's own"
        problems.append(Problem("hydra.output_subdir", message, "hydra.output_subdir=.hydra, or null for none"))
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
    place, _, last = f"{group}/{name}".rpartition("/")
    if last not in loader.get_group_options(place):
        return None
    try:
        config = loader.load_configuration(None, [f"+{group}={name}"], RunMode.RUN)
    except MissingConfigException:
        return None
    # As a run's own sections are: unresolved, where a credential's variable is named, and resolved.
    refuse_in_config({group: OmegaConf.to_container(config[group])})
    found = OmegaConf.to_container(config[group], resolve=True)
    refuse_in_config({group: found})
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else None


def examined(config: DictConfig) -> tuple[RunConfig | None, Path, list[Problem]]:
    """Return the run (None if its config is invalid), its directory, and all that is wrong but for what lies there."""
    run, directory, problems = _read(config)
    problems += unsupported(config.hydra.job, config.hydra.output_subdir)
    problems += [*(problems_of(run) if run is not None else []), *filter(None, [writable(directory)])]
    return run, directory, problems


def loaded(config: DictConfig) -> tuple[RunConfig | None, list[Problem]]:
    """Return the run of a config and what is wrong with it; its `hydra` node may be in `HydraConfig` alone.

    Raises `SecretError` if resolving it brings a credential to light.
    """
    written = as_written(config)
    own = {"hydra": written.pop("hydra")} if "hydra" in written else as_written(HydraConfig.instance().cfg)
    resolved = resolved_task(config, written)
    refuse_in_config(resolved)
    return load_resolved(resolved, HydraConfig.get().overrides.task, written, own)


def load_resolved(
    resolved: Mapping[str, Any],  # Any: not yet validated, here and below
    typed: Sequence[str],
    *written: Mapping[str, Any],
    known: Known | None = None,
) -> tuple[RunConfig | None, list[Problem]]:
    """Return the run of resolved values, and what is wrong with it.

    `typed` are the overrides; `written` is where interpolations stand that use a key of the user's own; `known` is what
    was validated for other runs.
    """
    nodes = [each["hydra"] for each in written if isinstance(each.get("hydra"), Mapping)]
    config_name = nodes[0]["job"]["config_name"] if nodes else None
    found, adapted = _with_own_length(resolved, typed, config_name)
    run, problems = load(without_own_keys(found, *written), option, known, templates=True)
    problems = [*adapted, *(_as_typed(each, typed) for each in problems), *unheard(typed, resolved.get("request"))]
    problems += unread(typed, resolved)
    if run is not None and getattr(run.request, "video", None) is not None:
        problems += check_kept(run, typed)
    return run, problems


def _as_typed(problem: Problem, typed: Sequence[str]) -> Problem:
    """Return the problem of a prompt that was read as a number, with what was typed in its hint: 007 is no 7."""
    written = [line.partition("=")[2] for line in typed if line.lstrip("+").startswith(f"{problem.key}=")]
    if not (problem.key == "request.prompt" and written and (problem.hint or "").startswith(SAY_TEXT)):
        return problem
    return replace(problem, hint=SAY_TEXT + quoted(problem.key, written[-1]))


def _with_own_length(
    resolved: Mapping[str, Any],  # Any: not yet validated, here and below
    typed: Sequence[str],
    config_name: object,
) -> tuple[Mapping[str, Any], list[Problem]]:
    """Return the config with `model.default_duration` in place of a shipped option's length, and a warning of it.

    A length that is typed, or that a file of the user's own may name (`config_name`, an experiment), stays.
    """
    request, model = resolved.get("request"), resolved.get("model")
    if not isinstance(request, Mapping) or not isinstance(model, Mapping) or request.get("video") is not None:
        return resolved, []
    seconds, made, own = request.get("duration_seconds"), model.get("durations"), model.get("default_duration")
    if not isinstance(made, list) or seconds in (None, *made) or own not in made or model.get("validation") == "off":
        return resolved, []
    chosen = {line.lstrip("+").partition("=")[0]: line.partition("=")[2] for line in typed}
    name = chosen.get("request", "video")
    if config_name != "config" or {_LENGTH, "experiment"} & chosen.keys():
        return resolved, []
    preset, video = (shipped.option("request", each) or {} for each in (name, "video"))
    if not preset or preset.get("duration_seconds", video["duration_seconds"]) != seconds:
        return resolved, []
    message = f"{model.get('name')} makes no {seconds} seconds, which request={name} has: {own} are asked for"
    hint = f"as model.default_duration says; {_LENGTH}=N makes another length: {', '.join(map(str, made))}"
    return {**resolved, "request": {**request, "duration_seconds": own}}, [Problem(_LENGTH, message, hint, "warning")]


def overwritten(run: Run) -> Problem | None:
    """Return why the run must not be written to its directory, which holds another one."""
    from runner.ledger.other_runs import LedgerIndex

    if run.fingerprint:  # a request that cannot be made is a problem that has been said
        with suppress(ConfigError):  # a ledger that cannot be read says so when consent is asked for
            ledgers, key = LedgerIndex(), "hydra.run.dir"
            taken = occupied(run.directory, run.fingerprint, ledgers.find(run.directory), key)
            return taken or hidden(run.directory, [run.directory], ledgers, key)
    return None


def validated(config: DictConfig) -> tuple[RunConfig, Path, list[Problem]]:
    """Return the run, its directory and the warnings, or raise `PreflightError` for a config that is not valid."""
    run, directory, problems = _read(config)
    if run is None or any(problem.severity == "error" for problem in problems):
        raise PreflightError([Finding(0, problem) for problem in problems], total=1)
    return run, directory, problems


def validated_score(config: DictConfig) -> ScoreConfig:
    """Return what a judge is asked with; raises `ConfigError` for a config that is not valid."""
    HydraConfig.instance().set_config(config)
    written = as_written(config)
    del written["hydra"]
    resolved = resolved_task(config, written)
    refuse_in_config(resolved)
    found, problems = load_score(resolved)
    if found is None:
        hint = "\n".join(dict.fromkeys(each.hint for each in problems if each.hint)) or None
        raise ConfigError(f"{'; '.join(each.text for each in problems)}; nothing was sent", hint=hint)
    return found


def _read(config: DictConfig) -> tuple[RunConfig | None, Path, list[Problem]]:
    HydraConfig.instance().set_config(config)
    run, problems = loaded(config)
    problems = [*settings_problems(config), *problems]
    return run, Path(os.path.abspath(str(config.hydra.run.dir))), problems  # noqa: PTH100 - it may not be there yet


_of_sweep = TypeAdapter(SweepConfig)


def settings_of(config: DictConfig) -> SweepConfig:
    """Return what a config says of its sweep; raises `PreflightError`."""
    try:
        return _validated_settings(config)
    except ValidationError as error:
        findings = [Finding(None, problem) for problem in from_validation_error(error)]
        raise PreflightError(findings, total=0) from error


def settings_problems(config: DictConfig) -> list[Problem]:
    """Return what is wrong with it; of a single run, too, which may have been meant for more."""
    try:
        _validated_settings(config)
    except ValidationError as error:
        return from_validation_error(error)
    return []


def _validated_settings(config: DictConfig) -> SweepConfig:
    return _of_sweep.validate_python(
        {str(key): resolved_value(config, str(key)) for key in config if key in SWEEP_KEYS}
    )
