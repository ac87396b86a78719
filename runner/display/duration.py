"""Times in words: how long something has taken, and about how long it will."""

from __future__ import annotations


def elapsed(seconds: float) -> str:
    """`41s`, `12:05` or `1:02:33`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, hours = whole // 60 % 60, whole // 3600
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def roughly(seconds: float) -> str:
    """No more precise than a forecast can be: `~5 s`, `~40 s`, `~12 min`, `~3.5 h`."""
    if seconds < 90:
        step = 5 if seconds < 30 else 10
        return f"~{max(step, step * round(seconds / step))} s"
    return f"~{seconds / 60:.0f} min" if seconds < 5400 else f"~{round(seconds / 1800) / 2:g} h"
