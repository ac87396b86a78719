"""Repeat a run, from its saved config alone, with the overrides that are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from runner.artifacts.result import Result, environment
from runner.artifacts.result_file import NAME, read_result
from runner.compose.preflight import Finding, PreflightError
from runner.compose.typed import refuse_mistyped
from runner.config.loading import load
from runner.config.model import ModelConfig
from runner.config.run import RunConfig
from runner.config.shipped import option
from runner.display.output import print_error, print_problems
from runner.errors import ConfigError
from runner.shell import command

from .catalog import Parser, named_path, refuse_file


def main(arguments: Sequence[str]) -> int:
    """Run it in a new directory and say what differs now; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    refuse_file(parsed.run_dir, "repeat")
    if parsed.winners:
        return _repeat_winners(parsed.run_dir, parsed.overrides)
    typed = command("repeat", parsed.run_dir)
    refuse_mistyped(parsed.overrides, command=typed, saved=True)
    result = _saved(parsed.run_dir)
    config = _config(result, parsed.overrides)
    for difference in differences(result, config):
        print(f"differs now: {difference}")
    from runner.cli.single import run_saved
    from runner.compose.app import started

    return run_saved(config, parsed.overrides, Path("outputs", started()).absolute())


def _repeat_winners(directory: Path, overrides: Sequence[str]) -> int:
    """Make the runs again whose files are kept, and for prompts without a kept file those that win."""
    refuse_mistyped(overrides, command=command("repeat", directory, "--winners"), saved=True)
    from runner.judging.judgements import Judgements
    from runner.report.ranking import MODEL, Ranking
    from runner.results.reading import sweeps_of
    from runner.results.run_key import ratings_of

    found = sweeps_of([directory])
    for error in found.unreadable:
        print_error(error)
    ratings = ratings_of(found.sweeps)
    print_problems(ratings.problems)
    ranking = Ranking(found.sweeps, Judgements(ratings.records))
    chosen = ranking.chosen(ranking.board(MODEL).winners)
    if not chosen:
        hint = f"{command('view', directory)} shows what to judge"
        raise ConfigError(f"nothing is kept or preferred in {directory}; nothing was sent", hint=hint)
    configs = [_config(result, overrides, number, len(chosen)) for number, result in enumerate(chosen)]
    from runner.compose.app import started
    from runner.sweeps.resumption import repeat_together

    return repeat_together(configs, overrides, Path("outputs", "multirun", started()).absolute())


def differences(saved: Result, config: RunConfig) -> list[str]:
    """Return what is no longer as it was when the run was saved: versions, commit, the model's data."""
    now = environment()
    pairs = [(name, getattr(saved.environment, name), getattr(now, name)) for name in type(now).model_fields]
    found = [f"{name} {then or 'none'} → {today or 'none'}" for name, then, today in pairs if then != today]
    return found + _model_differences(config)


def _model_differences(config: RunConfig) -> list[str]:
    described = option("model", config.model.name)
    if described is None and config.model.refreshed_from is not None:
        return [f"{config.model.name} is as {config.model.refreshed_from} listed it on {config.model.read}"]
    if described is None:
        return [f"conf/model has no {config.model.name} any more; the saved data is used"]
    today = TypeAdapter[ModelConfig](ModelConfig).validate_python(described)
    ignored = {"deployment", "validation"}
    names = [name for name in type(config.model).model_fields if name not in ignored]
    return [
        f"model.{name} is {getattr(today, name, None)!r} in conf/ today; {getattr(config.model, name)!r} is used"
        for name in names
        if getattr(config.model, name) != getattr(today, name, None)
    ]


def _saved(directory: Path) -> Result:
    if (directory / "multirun.yaml").exists() or (directory / "0" / NAME).exists():
        hint = f"name one of its runs: {command('repeat', directory / '0')}"
        raise ConfigError(f"{directory} is a sweep", hint=hint)
    if not (directory / NAME).is_file():
        raise ConfigError(f"{directory} is no run's directory: it has no {NAME}", hint="python -m runner ls names them")
    return read_result(directory)


def _config(result: Result, overrides: Sequence[str], number: int = 0, total: int = 1) -> RunConfig:
    """Return a saved run's config with overrides; raises `PreflightError` that says in which run of how many."""
    from runner.compose.saved_config import apply  # Hydra's grammar: help and refusals need none

    # A consent holds only for the run that it was given for.
    container: Mapping[str, Any] = {**result.config.model_dump(mode="json"), "yes": False}  # Any: JSON
    config, problems = load(apply(container, overrides))
    if config is None:
        raise PreflightError([Finding(number, problem) for problem in problems], total=total)
    return config


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner repeat",
        description=__doc__,
        epilog="example: python -m runner repeat outputs/2026-11-23/09-30-00-x7k2 request.duration_seconds=4",
    )
    parser.add_argument("run_dir", type=named_path, help="a run's directory, as in outputs/2026-11-23/09-30-00-x7k2")
    parser.add_argument(
        "--winners",
        action="store_true",
        help="of a sweep's directory: its kept runs, and for prompts without one those that won, as a new sweep",
    )
    parser.add_argument(
        "overrides", nargs="*", default=[], help="single values to change, as in request.duration_seconds=4"
    )
    return parser
