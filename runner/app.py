"""Read `.env`, start a command if the first word names one, else Hydra; end every error in one message and a code."""

from __future__ import annotations

import errno
import os
import signal
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from runner import __version__
from runner.display.output import lost_output, notice, output_refused, print_error, print_problems, say
from runner.errors import INTERRUPTED, ConfigError, RunnerError

if TYPE_CHECKING:
    from runner.compose.app import App, Config


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
    interrupts = _heard_interrupts()
    try:
        return _dispatch(arguments)
    except RunnerError as error:
        return _complain(error)
    except KeyboardInterrupt:
        return _interrupted()
    except OSError as error:
        # Runs meet it where they close, with their own code; here it is only help or a table that nobody reads on.
        if output_refused(error):
            return 0
        unusable = _unusable(error)
        if unusable is None:
            raise
        return _complain(unusable)
    except Exception:
        # In the middle of a library, it may have become an error of that library's.
        if not interrupts:
            raise
        return _interrupted()
    finally:
        notice.end()


_UNUSABLE = {
    errno.EACCES: "give this user the right to it, or name another path",
    errno.EPERM: "give this user the right to it, or name another path",
    errno.ENAMETOOLONG: "correct it; python -m runner ls names the runs and sweeps that are there",
    errno.ELOOP: "its links lead round in a circle; remove one of them, or name another path",
}
"""What to do about a path at which the system lets nothing be read or written."""


def _unusable(error: OSError) -> ConfigError | None:
    """Return what to say of a path that its user has named, or that lies below it, and that cannot be used."""
    hint = _UNUSABLE.get(error.errno or 0)
    if hint is None or error.filename is None:
        return None
    name = os.fsdecode(error.filename)
    said = ConfigError(
        f"{name[:_LONGEST_NAME]}{'…' * (len(name) > _LONGEST_NAME)} cannot be used: {error.strerror}", hint=hint
    )
    said.__cause__ = error
    return said


_LONGEST_NAME = 200


def _heard_interrupts() -> list[int]:
    """Return the signals of Ctrl-C that have come since; each raises `KeyboardInterrupt` as ever."""
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        signal.default_int_handler(number, frame)

    with suppress(ValueError):  # signals are the main thread's
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, hear)
    return heard


def _interrupted() -> int:
    say("interrupted by Ctrl-C before anything was sent" if notice.open else "interrupted by Ctrl-C")
    return INTERRUPTED


def task(config: Config) -> float | None:
    """Return what a foreign launcher calls for each of its jobs: one run in the directory that Hydra made for it.

    Returns the number that `objective` chooses; raises a `RunnerError` if the run did not succeed.
    """
    from runner.cli.single import run_under_external_launcher

    return run_under_external_launcher(config)


def _dispatch(arguments: list[str]) -> int:
    if _plans(arguments):
        notice.begin("planning …")
    from runner.compose.guards import refuse_in_arguments

    _require_directory()
    _load_dotenv()
    refuse_in_arguments(arguments)
    if _is_command(arguments):
        from runner.commands.catalog import find

        return find(arguments)(arguments[1:])
    if arguments == ["--version"]:
        return _print_version()
    return 0 if _answered_without_hydra(arguments) else _drive_hydra(arguments)


def _is_command(arguments: Sequence[str]) -> bool:
    """Return whether the first argument is a bare word; anything else is Hydra's."""
    return bool(arguments) and "=" not in arguments[0] and arguments[0][:1] not in ("-", "+", "~", "")


_PRINTING = frozenset({"--cfg", "--help", "--hydra-help", "--info", "--shell-completion", "--version",
                       "-c", "-h", "-i", "-sc"})  # fmt: skip
"""Flags with which nothing is planned."""


def _plans(arguments: Sequence[str]) -> bool:
    """Return whether runs are about to be planned, of which a user at a terminal wants to hear soon."""
    if "progress=off" in arguments:
        return False
    flags = {argument.partition("=")[0] for argument in arguments if argument.startswith("-")}
    return not flags & _PRINTING and (not _is_command(arguments) or arguments[0] in ("repeat", "resume"))


def _require_directory() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise ConfigError("the working directory is no longer there", hint="cd to a directory that exists") from error


def _answered_without_hydra(arguments: Sequence[str]) -> bool:
    """Return whether the line is done: help and completion need what is quick to import, in all but rare cases."""
    if arguments in (["--help"], ["-h"]):
        from runner.cli.help import print_help

        return print_help()
    if arguments in (["-sc", "query=bash"], ["--shell-completion", "query=bash"]):
        from runner.commands.completion import answer

        answer()
        return True
    return False


def _drive_hydra(arguments: Sequence[str]) -> int:
    from runner.compose.app import composing, opened, parse
    from runner.compose.typed import as_hydra_reads_them, refuse_mistyped

    parsed = parse(arguments)
    if parsed.shell_completion:
        from runner.commands.completion import complete

        return complete(parsed)
    parsed.overrides = as_hydra_reads_them(parsed.overrides)
    command = "python -m runner" + " -m" * parsed.multirun
    refuse_mistyped(parsed.overrides, command=command)
    with opened(parsed) as app:
        with composing(app, app.overrides, sweep=parsed.multirun):
            if app.show():
                return 0
            config = app.single()
        return _sweep(app) if config is None else _single(app, config)


def _single(app: App, config: Config) -> int:
    from runner.cli.single import run_composed
    from runner.compose.app import composing, is_sweep, refuse_misplaced_directory, sweep_overrides

    with composing(app):
        if not is_sweep(config):
            refuse_misplaced_directory(app.overrides, config, "run")
            return run_composed(app, config)
        more = sweep_overrides(config)
    return _sweep(app, *more)


def _sweep(app: App, *more: str) -> int:
    from runner.compose.app import composing
    from runner.report.live_page import whole_pages
    from runner.sweeps.launcher import exit_code, whole_tracking

    # Tracking is outermost: nothing that a user has or sees waits for somebody's server.
    with composing(app, app.overrides, sweep=True), whole_tracking(), whole_pages(print_problems):
        returns = app.sweep(task, *more)
    return exit_code(returns)


def _complain(error: RunnerError) -> int:
    with suppress(OSError):  # where nobody hears, the code is what is left to say
        print_error(error)
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        traceback.print_exception(error)
    return error.exit_code


def _print_version() -> int:
    from importlib.metadata import version

    print(f"runner {__version__} (openai {version('openai')}, hydra-core {version('hydra-core')})")
    return 0


def _load_dotenv() -> None:
    """Add the variables of `.env`, if there is one, without overriding any."""
    if (Path.cwd() / ".env").is_file():
        from runner.text_file import add_environment  # most runs have no .env

        add_environment(Path.cwd())
