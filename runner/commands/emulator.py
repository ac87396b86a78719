"""Serve the emulator alone, until Ctrl-C (`python -m runner emulator`)."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from functools import partial
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from runner.emulator.settings import Dialect, EmulatorSettings
from runner.loopback import HOST

from .catalog import Parser, named_path

DESCRIPTION = "Serve an emulated videos and images API on this machine. It needs no account and costs nothing."
EXAMPLES = """examples:
  python -m runner emulator --port 8080
  python -m runner emulator --latency 60 --time-scale 100
  python -m runner emulator --deployment my-sora --api-key-env EMULATOR_KEY
  python -m runner emulator --faults faults.yaml
  python -m runner emulator --dialect vllm_omni --port 8000"""
USAGE = """Emulator listening. Nothing here is billed. Ctrl-C ends it.

  OpenAI:  export OPENAI_BASE_URL={url}
           export OPENAI_API_KEY={key}
  Azure:   export AZURE_OPENAI_ENDPOINT={azure}
           export AZURE_OPENAI_API_KEY={key}
  Ledger:  {azure}/_emulator/ledger
  State:   {state}
"""
COMPATIBLE = """
  As {dialect}: python -m runner provider={dialect} provider.base_url={url} model={model}
"""


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner emulator",
        allow_abbrev=False,
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--port", type=int, default=8080, help="port to listen on; 0 takes any free one (default: %(default)s)")
    add("--host", choices=[HOST], help="only the loopback address is possible")
    add(
        "--state",
        dest="state_file",
        type=named_path,
        metavar="FILE",
        default=Path("outputs", ".emulator", "state.sqlite3"),
        help="keeps the jobs (default: %(default)s)",
    )
    add(
        "--dialect",
        choices=get_args(Dialect),
        help="manners of /v1: OpenAI's own, or those of a compatible server (default: plain)",
    )
    add("--uploads", action="store_true", help="sglang: finished videos lie elsewhere, and the job names their address")
    add("--latency", type=float, metavar="SECONDS", help="from creating a job to its end (default: 2)")
    add("--time-scale", type=float, metavar="FACTOR", help="emulated seconds per real second (default: 1)")
    add("--retention", type=float, metavar="SECONDS", help="how long files are kept (default: 86400)")
    add("--api-key-env", metavar="NAME", help="environment variable that holds the one accepted key (default: any key)")
    add(
        "--deployment",
        dest="deployments",
        action="append",
        metavar="NAME",
        help="an Azure deployment; repeatable (default: any)",
    )
    add("--video-bytes", type=int, metavar="BYTES", help="pad every MP4 to at least this size")
    add(
        "--shared-clips", action="store_true", help="one clip per size and duration, without the prompt: for load tests"
    )
    add("--max-running-jobs", type=int, metavar="NUMBER", help="jobs that may run at once (default: any number)")
    add("--requests-per-minute", type=int, metavar="NUMBER", help="paid requests in a minute (default: any number)")
    add("--faults", type=named_path, metavar="FILE", help="YAML file with rules of what goes wrong")
    add("--seed", type=int, metavar="NUMBER", help="decides the faults that have a probability (default: 0)")
    return parser


def _refuse(message: str) -> int:
    sys.stderr.write(f"runner emulator: {message}\n")
    return 2


def _serve(settings: EmulatorSettings) -> int:
    from runner.emulator.faults import FaultFileError
    from runner.emulator.server import serve

    def ready(url: str) -> None:
        key = "the-key-it-was-started-with" if settings.api_key else "any-key"
        azure = url.removesuffix("/v1")
        sys.stdout.write(USAGE.format(url=url, azure=azure, key=key, state=settings.state_file))
        if settings.dialect != "plain":
            model = {"openrouter": "veo-3.1", "xai": "grok-imagine-video"}.get(settings.dialect, "wan2.2-t2v")
            there = f"{azure}/v2" if settings.dialect == "together" else url
            sys.stdout.write(COMPATIBLE.format(dialect=settings.dialect, url=there, model=model))
        sys.stdout.flush()

    try:
        serve(settings, ready=ready)
    except FaultFileError as error:
        return _refuse(str(error))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _refuse(f"port {settings.port} is in use; choose another with --port, or 0 for any free one")
        return _refuse(str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def main(argv: list[str]) -> int:
    """Run the command with its arguments and return the exit code: 0, 2 when refused, 130 after Ctrl-C."""
    given = vars(_parser().parse_args(argv))  # what was not given is not there
    variable = given.pop("api_key_env", None)
    if variable is not None:
        given["api_key"] = os.environ.get(variable)
        if not given["api_key"]:
            return _refuse(f"the environment variable {variable} is empty")
    try:
        settings = EmulatorSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        return _refuse(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}")
    return _serve(settings)
