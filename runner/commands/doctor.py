"""Check whether a run with these overrides would work, without spending anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from runner.config.run import RunConfig

from .catalog import Parser

if TYPE_CHECKING:
    from runner.doctor.service import Check

_SHOWN = {"ok": "ok", "warn": "warn", "fail": "FAIL", "skip": "skip"}


def main(arguments: Sequence[str]) -> int:
    """Say what was found, a line each; returns 0, or 1 if a run would fail. A config that is refused raises."""
    options, overrides = _parser().parse_known_args(arguments)
    from runner.cli.composed import composed_run

    config, directory = composed_run(overrides)
    checks = asyncio.run(_examined(config, directory, quiet=options.json))
    failures = [check for check in checks if check.status == "fail"]
    if options.json:
        print(json.dumps({"ok": not failures, "checks": [asdict(check) for check in checks]}, indent=2))
    return 1 if failures else 0


async def _examined(config: RunConfig, directory: Path, *, quiet: bool) -> list[Check]:
    from runner.doctor.examination import examine

    checks = []
    async for check in examine(config, directory=directory):
        checks.append(check)
        if not quiet:
            print(f"{_SHOWN[check.status]:<5} {check.name:<11} {check.message}", flush=True)
            for line in (check.hint or "").splitlines():
                print(f"{'':<17} → {line}", flush=True)
    return checks


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner doctor",
        usage="%(prog)s [--json] [GROUP=OPTION | key=value | --config-dir DIR …]",
        description=__doc__,
        epilog="example: python -m runner doctor provider=azure_openai model.deployment=my-sora. "
        "Exit codes: 0 nothing is in the way of a run, 1 something is, 2 the config itself is refused.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    return parser
