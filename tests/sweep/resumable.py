"""What is asked of a sweep that was gone on with."""

from __future__ import annotations

from pathlib import Path

from runner.app import run
from runner.artifacts.result_file import read_result
from runner.ledger.ledger import Ledger


def states(directory: Path) -> list[str]:
    """Each run's status, which ledger and `result.json` agree on."""
    with Ledger(directory, readonly=True) as ledger:
        runs = ledger.runs()
    for each in runs:
        if each.earlier is not None:
            assert read_result(each.directory) == each.earlier
    return [each.status.value for each in runs]


def created(emulator) -> int:
    return emulator.ledger()["jobs"]


def again(*arguments: str) -> int:
    """Resume the sweep in `out`."""
    return run(["resume", "out", *arguments])
