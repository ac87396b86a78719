"""Sum up a ledger without loading its runs."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from pydantic_core import from_json

from runner.artifacts.run_status import RunStatus

from .batches import waited_for
from .ledger import Ledger

# Without the arrow operators, which the SQLite of older systems lacks.
_RUNS = """
SELECT status, json_extract(result, '$.attempts'),
    CASE WHEN status IN ('failed', 'expired', 'cancelled')
        THEN json_extract(result, '$.error.type', '$.error.retryable') END,
    json_extract(config, '$[0][0]'), json_extract(json_extract(config, '$[1]'), '$.request.prompt')
FROM runs"""
_FIRST = "SELECT json_extract(config, '$[1]') FROM runs ORDER BY number LIMIT 1"
_SECTIONS = "SELECT number, json_extract(json, '$.kind'), json_extract(json, '$.name') FROM sections"


def summed_up(ledger: Ledger) -> dict[str, Any]:  # Any: JSON
    """Return what `summary_fields` takes, as JSON; raises what damaged records make Python raise, and `LedgerError`."""
    sections = ledger.ask(_SECTIONS)
    paid = {number for number, kind, _ in sections if kind != "emulator"}
    states: Counter[str] = Counter()
    failures: dict[tuple[str, bool], None] = {}
    prompts: set[str] = set()
    usd, unknown, paying = 0.0, False, False
    for status, attempts, failure, provider, prompt in ledger.ask(_RUNS):
        states[RunStatus(status)] += 1
        prompts.add(prompt)
        paying = paying or provider in paid
        error, retryable = from_json(failure) if failure else (None, None)
        if error is not None:
            failures[error, bool(retryable)] = None
        costs = [attempt["usd"] for attempt in from_json(attempts)] if attempts else []
        unknown = unknown or None in costs
        usd += sum(cost for cost in costs if cost is not None)
    return {
        "states": states,
        "usd": None if unknown or not 0 <= usd < math.inf else round(usd, 6),
        "emulated": not paying,
        "failures": [*failures],
        "prompts": len(prompts),
        "models": [*dict.fromkeys(str(name) for _, _, name in sections if name is not None)] if states else [],
        "batches": [batch.model_dump(mode="json") for batch in waited_for(ledger)],
        **_asked(ledger),
    }


def _asked(ledger: Ledger) -> dict[str, Any]:  # Any: JSON
    """Return what its first run is called and asks for."""
    found = ledger.ask(_FIRST)
    if not found:
        return {"name": None, "tags": [], "prompt": None}
    config = from_json(found[0][0])
    return {"name": config.get("name"), "tags": config.get("tags") or [], "prompt": config["request"]["prompt"]}
