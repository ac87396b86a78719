"""Sum up a ledger without loading its runs: SQLite adds up, and no run becomes an object."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from pydantic_core import from_json

from runner.artifacts.run_status import RunStatus

from .ledger import Ledger, unsent, waited_for

# Without the arrow operators, which the SQLite of older systems lacks.
_STATES = "SELECT status, count(*) FROM runs GROUP BY 1"
_SPENT = """
SELECT sum(json_extract(result, '$.spent_usd')), sum(json_extract(result, '$.spent_usd') IS NULL) FROM runs
WHERE result IS NOT NULL"""
_UNSENT = """
SELECT runs.status, count(*), sum(json_extract(attempt.value, '$.usd')),
    sum(json_extract(attempt.value, '$.usd') IS NULL)
FROM runs, json_each(runs.result, '$.attempts') AS attempt
WHERE runs.status IN ('submitting', 'uncertain')
    AND json_extract(attempt.value, '$.batch') IN (SELECT value FROM json_each(?))
GROUP BY 1"""
"""Runs of batches whose paid request never left, and what these requests count as spent."""
_ASKED = """
WITH paying AS (SELECT number FROM sections WHERE json_extract(json, '$.kind') != 'emulator')
SELECT count(DISTINCT json_extract(json_extract(config, '$[1]'), '$.request.prompt')),
    max(json_extract(config, '$[0][0]') IN paying)
FROM runs"""
_FAILURES = """
SELECT DISTINCT json_extract(result, '$.error.type'), json_extract(result, '$.error.retryable') FROM runs
WHERE status IN ('failed', 'expired', 'cancelled') AND json_extract(result, '$.error.type') IS NOT NULL"""
_MODELS = "SELECT DISTINCT json_extract(json, '$.name') FROM sections WHERE json_extract(json, '$.name') IS NOT NULL"
_FIRST = "SELECT json_extract(config, '$[1]') FROM runs ORDER BY number LIMIT 1"


def summed_up(ledger: Ledger) -> dict[str, Any]:  # Any: JSON
    """Return what a summary takes of the ledger's content; raises `LedgerError`, or what damage makes Python raise."""
    ((usd, unknown),) = ledger.ask(_SPENT)
    states = Counter({RunStatus(status): count for status, count in ledger.ask(_STATES)})
    if marks := unsent(ledger):
        for status, count, counted, uncounted in ledger.ask(_UNSENT, json.dumps(sorted(marks))):
            states.update({RunStatus(status): -count, RunStatus.PLANNED: count})
            usd, unknown = (usd or 0) - (counted or 0), unknown - uncounted
    ((prompts, paying),) = ledger.ask(_ASKED)
    first = ledger.ask(_FIRST)
    config = from_json(first[0][0]) if first else {"request": {"prompt": None}}
    return {
        "states": dict(+states),
        "usd": None if unknown or not 0 <= (usd or 0) < math.inf else round(usd or 0.0, 6),
        "emulated": not paying,
        "failures": [[error, bool(retryable)] for error, retryable in ledger.ask(_FAILURES)],
        "prompts": prompts,
        "models": [str(name) for (name,) in ledger.ask(_MODELS)] if first else [],
        "batches": [batch.model_dump(mode="json") for batch in waited_for(ledger)],
        "name": config.get("name"),
        "tags": config.get("tags") or [],
        "prompt": config["request"]["prompt"],
    }
