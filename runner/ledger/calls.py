"""Sum up single calls of the Python API, which have no ledger: what an interrupted one has left to go on with."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from runner.artifacts.result_file import NAME, read_bytes
from runner.artifacts.run_status import RunStatus
from runner.errors import ConfigError

from .summary import Summary

_HEAD = 512
"""Bytes of a record that tell the status: most calls are finished, and no more of them is read."""
_STATUS = re.compile(rb'"status": ?"(\w+)"')
_UNFINISHED = frozenset(status.value.encode() for status in RunStatus if status.unfinished)
_STRANGE = (KeyError, TypeError, ValueError, OverflowError, RecursionError)
"""What a record of another form makes Python raise."""


def interrupted(calls: Iterable[str]) -> Iterator[Summary]:
    """Yield a summary of each of these directories whose call has not ended; what is no record of ours is left out."""
    for place in calls:
        with suppress(ConfigError, OSError, *_STRANGE):
            if _unfinished(place):
                directory = Path(place)
                yield _summary(directory, json.loads(read_bytes(directory) or b""))


def _unfinished(place: str) -> bool:
    file = os.open(f"{place}{os.sep}{NAME}", os.O_RDONLY)  # no path and no buffer: it is done for each of thousands
    try:
        found = _STATUS.search(os.read(file, _HEAD))
    finally:
        os.close(file)
    return found is not None and found[1] in _UNFINISHED


def _summary(directory: Path, told: dict[str, Any]) -> Summary:  # Any: JSON
    config, usd = told["config"], told["spent_usd"]
    providers = [config["provider"], *(each["provider"] for each in config["fallbacks"])]
    return Summary(
        directory=directory,
        states={RunStatus(told["status"]): 1},
        usd=float(usd) if usd is not None and 0 <= usd < math.inf else None,
        emulated=all(each["kind"] == "emulator" for each in providers),
        changed=os.stat(directory / NAME).st_mtime,  # noqa: PTH116
        models=(str(config["model"]["name"]),),
        prompt=str(config["request"]["prompt"]),
        prompts=1,
        call=True,
    )
