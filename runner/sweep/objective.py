"""The number that a run returns to an optimiser."""

from __future__ import annotations

from runner.artifacts.result import Result, RunStatus
from runner.config.run import Objective


def objective_value(result: Result, objective: Objective) -> float | None:
    """Cost in USD, latency or duration in seconds, or file size in bytes; None where the run does not tell."""
    match objective:
        case "cost":
            actual = result.cost.actual_usd
            return result.cost.estimated_usd if actual is None else actual
        case "latency":
            return _latency(result)
        case "duration":
            return result.artifacts[0].duration_seconds if result.artifacts else None
        case "file_size":
            return float(result.artifacts[0].bytes) if result.artifacts else None


def _latency(result: Result) -> float | None:
    times = result.timestamps
    # An image comes in the answer to its request and is never merely submitted.
    begin = times.get(RunStatus.SUBMITTED) or times.get(RunStatus.SUBMITTING)
    end = times.get(RunStatus.COMPLETED)
    return (end - begin).total_seconds() if begin and end else None
