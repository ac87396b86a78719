"""The number that a run returns to an optimiser."""

from __future__ import annotations

from runner.artifacts.result import Result
from runner.config.run import Objective


def objective_value(result: Result, objective: Objective) -> float | None:
    """Return the cost in USD, latency or duration in seconds, or file size in bytes; None where the run does not tell.

    The latency is what `results.csv` and the page show: from the request to the checked file, its download included.
    """
    match objective:
        case "cost":
            actual = result.cost.actual_usd
            return result.cost.estimated_usd if actual is None else actual
        case "latency":
            return result.latency_seconds
        case "duration":
            return result.artifacts[0].duration_seconds if result.artifacts else None
        case "file_size":
            return float(result.artifacts[0].bytes) if result.artifacts else None
