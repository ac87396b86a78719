"""Where a run stands that is neither finished nor failed, in one sentence."""

from __future__ import annotations

from runner.artifacts.result import Result


def standing(result: Result, *, running: bool = False) -> str:
    """What was sent and what is safe; `running`: whether a process is at work on it just now."""
    if result.status.lost:
        waited = "a paid request was sent, and its answer is awaited"
        return waited if running else "a request was sent and its answer was lost: it may have been paid"
    if result.status.paid:
        if result.job_id is None:
            return "what was paid for has arrived and is not checked yet"
        return f"job {result.job_id} goes on at the provider"
    if result.attempts:
        return "not begun again; nothing more was sent"
    return "not begun; nothing was sent"
