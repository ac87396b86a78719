"""Resume a sweep or run where it stopped; nothing that was paid is paid again (`python -m runner resume DIR`)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from runner.compose.typed import refuse_mistyped
from runner.display.output import print_error
from runner.errors import ConfigError, RunnerError
from runner.shell import command

from .catalog import Parser, named_path, refuse_file

_RAY = ("ray.", "hydra/launcher=")
"""What begins like this says where the rest is executed, and is no run's."""
_ENDED_BY_SIGNAL = 128
"""From this exit code on a signal has ended it: what follows is left, too."""


def main(arguments: Sequence[str]) -> int:
    """Resume, and return the exit code of the whole sweep: of one in parts the worst, or that of an interrupt."""
    parsed = _parser().parse_intermixed_args(arguments)
    refuse_file(parsed.dir, "resume")
    typed = command("resume", parsed.dir)
    parsed.ray = [line for line in parsed.overrides if line.startswith(_RAY)]
    parsed.overrides = [line for line in parsed.overrides if line not in parsed.ray]
    refuse_mistyped(parsed.overrides, command=typed, saved=True)
    from runner.ledger.discover import shards_of

    parts = shards_of(parsed.dir)
    if not parts:
        return _resume(parsed.dir, parsed)
    if parsed.adopt:
        raise ConfigError("each part of a divided sweep counts its runs anew", hint=command("resume", parts[0]))
    codes = [0]
    for part in parts:
        print(f"{part}:", flush=True)
        codes.append(_part(part, parsed))
        if codes[-1] >= _ENDED_BY_SIGNAL:
            return codes[-1]
    return max(codes)


def _part(part: Path, parsed: argparse.Namespace) -> int:
    """Resume a part; what it meets keeps no other part from going on."""
    try:
        return _resume(part, parsed)
    except RunnerError as error:
        print_error(error)
        return error.exit_code


def _resume(directory: Path, parsed: argparse.Namespace) -> int:
    if parsed.rebuild:
        from runner.sweeps.rebuilding import rebuild

        return rebuild(directory, print)
    from runner.sweeps.resumption import Consent, resume

    consent = Consent(
        retry_failed=parsed.retry_failed,
        resubmit_uncertain=parsed.resubmit_uncertain,
        copied=parsed.copied,
        adopt=tuple(parsed.adopt),
    )
    return resume(directory, consent, parsed.overrides, print, ray=parsed.ray)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner resume",
        allow_abbrev=False,
        description="Go on where a sweep or run stopped, from what is saved in its directory: known jobs are polled "
        "and downloaded, the earliest to expire first; what was never sent is submitted; a job whose answer was lost "
        "is taken over if it can only be this run's. python -m runner ls shows what there is to resume.",
        epilog="example: python -m runner resume outputs/multirun/DATE/TIME-x7k2 budget.max_usd=30",
    )
    parser.add_argument(
        "dir", type=named_path, help="a sweep's or run's directory, as in outputs/multirun/DATE/TIME-x7k2"
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="pay again for runs that failed for a reason that may have passed"
    )
    parser.add_argument(
        "--resubmit-uncertain",
        action="store_true",
        help="pay again for runs whose answer stays lost, at the risk of paying twice",
    )
    parser.add_argument(
        "--copied",
        action="store_true",
        help="the directory is a copy of another one, and pays for what is left of its runs although that one may, too",
    )
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="build a lost or damaged ledger anew from the runs' result.json files, and send nothing; the damaged file "
        "is kept beside it",
    )
    parser.add_argument(
        "--adopt",
        action="append",
        default=[],
        type=_run_and_job,
        metavar="RUN=JOB_ID",
        help="take over a job that you know to be an uncertain run's, after a check that it can be; may be repeated",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        help="single values that change nothing paid, as in budget.max_usd=30 or provider.poll_interval=2; "
        "ray.num_workers=4 goes on with processes on a Ray cluster",
    )
    return parser


def _run_and_job(text: str) -> tuple[int, str]:
    number, _, job_id = text.partition("=")
    if not number.isdecimal() or not job_id:
        raise argparse.ArgumentTypeError(f"{text!r} is no RUN=JOB_ID, as in 3=video_68f0c2")
    return int(number), job_id
