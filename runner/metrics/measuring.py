"""Measure files in `Measurer`'s child: read a line of JSON for each on stdin, write one on stdout."""

from __future__ import annotations

import json
import math
import os
import sys
from contextlib import suppress
from typing import Any

from .catalog import find, is_own
from .metric import Metric, Subject

Message = dict[str, Any]  # Any: JSON

MOST_MEMORY = 4 << 30
"""Bytes that the built-in metrics may take, far above what any needs; one's own may need a model's."""


def run_child(names: list[str]) -> None:
    """Say what the metrics are, then measure files until stdin ends: then whoever asked is gone, however that went."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # no library can write between the answers

    def say(message: Message) -> None:
        answers.write(json.dumps(message, allow_nan=False).encode() + b"\n")
        answers.flush()

    if not any(is_own(name) for name in names):
        _limit_memory()
    metrics: dict[str, type[Metric]] = {}
    errors: dict[str, str] = {}
    for name in names:
        try:
            metrics[name] = find(name)
        except Exception as error:  # noqa: BLE001 - whatever a user's module raises is told
            errors[name] = _said(error)
    facts = {
        name: {"version": metric.version, "better": metric.better, "depends_on": metric.depends_on}
        for name, metric in metrics.items()
    }
    say({"metrics": facts, "errors": errors})
    for line in sys.stdin.buffer:
        order = json.loads(line)
        say(measured(Subject.of(order["subject"]), {name: metrics[name] for name in order["metrics"]}))
    os._exit(0)


def measured(subject: Subject, metrics: dict[str, type[Metric]]) -> Message:
    """Return the file's values by metric, and why others could not be computed; none applies to all files."""
    values: dict[str, float | None] = dict.fromkeys(metrics)
    errors: dict[str, str] = {}
    asked = {metric(subject): name for name, metric in metrics.items() if metric.applies_to(subject)}
    if asked:
        try:
            from .media import play

            play(subject, [*asked], lambda metric, error: errors.update({asked[metric]: _said(error)}))
        except Exception as error:  # noqa: BLE001 - told to whoever asked
            errors = {name: _said(error) for name in asked.values()}
    for metric, name in asked.items():
        if name not in errors:
            try:
                values[name] = _number(metric.value())
            except Exception as error:  # noqa: BLE001 - as above
                errors[name] = _said(error)
    return {"values": {name: value for name, value in values.items() if name not in errors}, "errors": errors}


def _number(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise ValueError(f"it gave {value}, which is no number")
    return value


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())[:500]
    return text if type(error).__name__ == "ArtifactError" else f"{type(error).__name__}: {text}"


def _limit_memory() -> None:
    """Let an allocation fail that a damaged file asks for, before the machine runs out of memory."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))


if __name__ == "__main__":
    run_child(sys.argv[1:])
