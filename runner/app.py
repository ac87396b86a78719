"""The entry: a bare first word is a command, anything else is Hydra's; every error ends in one message and a code."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runner import __version__
from runner.display.reader import lost_output, output_refused
from runner.errors import ConfigError, RunnerError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runner.cli.hydra_app import HydraApp

INTERRUPTED = 130
"""The exit code after Ctrl-C; the whole table is in the README."""


def run(arguments: Sequence[str]) -> int:
    """Execute a command line (without the program's name) and return its exit code."""
    try:
        code = _guarded(list(arguments))
    except SystemExit:
        lost = lost_output()
        if lost is None:
            raise
        return _complain(lost)
    lost = lost_output()
    return code if lost is None else max(code, _complain(lost))


def _guarded(arguments: list[str]) -> int:
    try:
        return _dispatch(arguments)
    except RunnerError as error:
        return _complain(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        # Runs meet it where they close, with their own code; here it is only help or a table that nobody reads on.
        if not output_refused(error):
            raise
        return 0


def task(config: DictConfig) -> float | None:
    """What a foreign launcher calls for each of its jobs: one run in the directory that Hydra made for it.

    Returns the number that `objective` chooses; raises a `RunnerError` if the run did not succeed.
    """
    from runner.cli.single import run_foreign

    return run_foreign(config)


def _dispatch(arguments: list[str]) -> int:
    from runner.cli.dotenv import load_dotenv
    from runner.cli.garbage import collect_from_now_on
    from runner.cli.secret_guard import refuse_in_arguments
    from runner.commands.catalog import find, is_command

    _require_directory()
    load_dotenv()
    refuse_in_arguments(arguments)
    if is_command(arguments):
        collect_from_now_on()
        return find(arguments)(arguments[1:])
    if arguments == ["--version"]:
        return _print_version()
    return _drive_hydra(arguments)


def _require_directory() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise ConfigError("the working directory is no longer there", hint="cd to a directory that exists") from error


def _drive_hydra(arguments: Sequence[str]) -> int:
    from hydra.core.global_hydra import GlobalHydra

    from runner.cli.composing import composing
    from runner.cli.hydra_app import config_name, create, parse, show, single_config
    from runner.cli.prompt_guard import refuse_broken_prompts
    from runner.cli.slips import refuse_slips

    parsed = parse(arguments)
    if parsed.shell_completion:
        from runner.cli.completion import complete

        return complete(parsed)
    command = "python -m runner" + " -m" * parsed.multirun
    refuse_slips(parsed.overrides, command=command)
    refuse_broken_prompts(parsed.overrides, command=command)
    try:
        app = create(parsed)
        with composing(app, config_name(parsed), parsed.overrides, sweep=parsed.multirun):
            if show(app, parsed):
                return 0
            config = single_config(app, parsed)
        return _sweep(app, parsed) if config is None else _single(app, parsed, config)
    finally:
        GlobalHydra.instance().clear()


def _single(app: HydraApp, parsed: argparse.Namespace, config: DictConfig) -> int:
    from runner.cli.composing import composing
    from runner.cli.several import asks_for_several, sweep_overrides
    from runner.cli.single import run_composed

    with composing(app):
        several = asks_for_several(config)
        if not several:
            return run_composed(app, config)
    return _sweep(app, parsed, *sweep_overrides(config))


def _sweep(app: HydraApp, parsed: argparse.Namespace, *more: str) -> int:
    from runner.cli.composing import composing
    from runner.cli.garbage import collect_from_now_on
    from runner.cli.hydra_app import config_name
    from runner.display import print_problems
    from runner.report.pages import whole_pages
    from runner.sweep.exit_code import exit_code
    from runner.tracking import whole_tracking

    collect_from_now_on()
    overrides = [*parsed.overrides, "hydra.mode=MULTIRUN", *more]
    # Tracking is outermost: nothing that a user has or sees waits for somebody's server.
    name = config_name(parsed)
    with composing(app, name, parsed.overrides, sweep=True), whole_tracking(), whole_pages(print_problems):
        returns = app.multirun(name, task, overrides)
    return exit_code(returns)


def _complain(error: RunnerError) -> int:
    from runner.display import print_error

    with suppress(OSError):  # where nobody hears, the code is what is left to say
        print_error(error)
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        traceback.print_exception(error)
    return error.exit_code


def _print_version() -> int:
    from importlib.metadata import version

    print(f"runner {__version__} (openai {version('openai')}, hydra-core {version('hydra-core')})")
    return 0
