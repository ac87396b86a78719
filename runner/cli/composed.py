"""One run's config from a command line's overrides, for commands that look at it and run nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from runner.config import RunConfig
from runner.errors import ConfigError
from runner.sweep.finding import Finding
from runner.sweep.preflight import PreflightError

from .composing import composing
from .examination import loaded
from .hydra_app import create, parse, single_config
from .prompt_guard import refuse_broken_prompts
from .slips import refuse_slips


def composed_run(arguments: Sequence[str]) -> tuple[RunConfig, Path]:
    """The validated config and the directory that its run would write to; raises `ConfigError` if it is refused."""
    parsed = parse(arguments)
    refuse_slips(parsed.overrides)
    refuse_broken_prompts(parsed.overrides)
    try:
        app = create(parsed)
        with composing(app):
            config = single_config(app, parsed)
            if config is None:
                raise ConfigError("one config is looked at, and this is a sweep", hint="one value for each key, no -m")
            return _validated(config)
    finally:
        GlobalHydra.instance().clear()


def _validated(config: DictConfig) -> tuple[RunConfig, Path]:
    HydraConfig.instance().set_config(config)
    run, problems = loaded(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
    if run is None or problems:
        raise PreflightError([Finding(0, problem) for problem in problems], total=1)
    return run, Path(os.path.abspath(str(config.hydra.run.dir)))  # noqa: PTH100 - a directory that is not there yet
