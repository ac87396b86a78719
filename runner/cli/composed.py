"""Compose one run's config from overrides, for commands that look at it and run nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.compose.app import composing, opened, parse
from runner.compose.examination import validated, validated_score
from runner.compose.typed import as_hydra_reads_them, refuse_mistyped
from runner.config.judge import ScoreConfig
from runner.config.run import RunConfig
from runner.display.output import print_problems
from runner.errors import ConfigError


def composed_run(arguments: Sequence[str]) -> tuple[RunConfig, Path]:
    """Return the validated config and the directory of its run, having said warnings; raises `ConfigError`."""
    parsed = parse(arguments)
    parsed.overrides = as_hydra_reads_them(parsed.overrides)
    refuse_mistyped(parsed.overrides)
    with opened(parsed) as app, composing(app):
        config = app.single()
        if config is None:
            raise ConfigError("one config is looked at, and this is a sweep", hint="one value for each key, no -m")
        run, directory, warnings = validated(config)
    print_problems(warnings)
    return run, directory


SCORE = "score"
"""The primary config of what a judge is asked with."""


def composed_score(arguments: Sequence[str]) -> ScoreConfig:
    """Return the validated config of asking a judge, from overrides and Hydra's flags; raises `ConfigError`."""
    parsed = parse(arguments)
    parsed.config_name = parsed.config_name or SCORE
    with opened(parsed) as app, composing(app):
        config = app.single()
        if config is None:
            raise ConfigError("a judge is asked with one config, and this is a sweep", hint="one value for each key")
        return validated_score(config)
