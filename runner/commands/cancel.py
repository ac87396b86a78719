"""Cancel the batches of a sweep or run at their provider; lines that are done are kept and charged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.errors import ConfigError, RunnerError
from runner.shell import command

from .catalog import Parser, named_path, refuse_file

if TYPE_CHECKING:
    from runner.config.provider import ProviderConfig
    from runner.engine.batch_record import BatchRecord


def main(arguments: Sequence[str]) -> int:
    """Cancel what may still run, and say what came of it; returns 0, or 1 where a batch could not be cancelled."""
    parsed = _parser().parse_args(arguments)
    refuse_file(parsed.dir, "cancel")
    if not parsed.dir.is_dir():
        raise ConfigError(f"there is no directory {parsed.dir}", hint="python -m runner ls names them")
    from runner.ledger.ledger import Ledger, waited_for
    from runner.ledger.lock import at_work

    with Ledger(parsed.dir, readonly=True) as ledger:
        records = {record.mark: record for record in waited_for(ledger)}
        runs = ledger.runs() if records else []
    places = {
        attempt.batch: run.config.provider
        for run in runs
        for attempt in (run.earlier.attempts if run.earlier else ())
        if attempt.batch in records
    }
    if not places:
        raise ConfigError(f"{parsed.dir} has no batch that may still run", hint=command("show", parsed.dir))
    failures = asyncio.run(_cancelled([(records[str(mark)], place) for mark, place in places.items()]))
    if failures < len(places):
        who = at_work(parsed.dir)
        how = f"{who} collects it" if who else f"{command('resume', parsed.dir)} collects it"
        print(f"what is done is kept and charged, and {how}; a provider may take ten minutes to stop")
    if failures:
        going = (
            f"{failures:,} of {len(places):,} batches go on, and are charged"
            if failures < len(places)
            else ("nothing was cancelled: what was sent goes on, and is charged")
        )
        print(f"{going}; {command('cancel', parsed.dir)} tries again")
    return 1 if failures else 0


async def _cancelled(batches: Sequence[tuple[BatchRecord, ProviderConfig]]) -> int:
    """Cancel each batch and say so; return how many could not be."""
    from runner.display.output import print_error
    from runner.engine.batch_submission import cancel
    from runner.engine.clock import Clock
    from runner.engine.endpoint import Endpoint, close_client
    from runner.providers.registry import create

    failures = 0
    endpoints: dict[ProviderConfig, Endpoint] = {}
    try:
        for record, place in batches:
            try:
                if place not in endpoints:
                    endpoints[place] = Endpoint(create(place), place, Clock())
                batch = await cancel(endpoints[place], record)
            except RunnerError as error:
                failures += 1
                error.reword(f"{record.id or record.mark} is not cancelled: {error.message}")
                print_error(error)
            else:
                print(f"{batch.id} is {batch.raw_status}: {batch.completed:,} of {batch.total or record.runs:,} done")
    finally:
        for endpoint in endpoints.values():
            await close_client(endpoint.provider)
    return failures


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner cancel",
        allow_abbrev=False,
        description=__doc__,
        epilog="example: python -m runner cancel outputs/multirun/2026-11-23/09-30-00-x7k2",
    )
    parser.add_argument("dir", type=named_path, metavar="DIR", help="a sweep or a single run")
    return parser
