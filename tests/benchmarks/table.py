"""Figures as people read them: medians with their range, ratios within one run, goals met or missed."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from measurement import Figures

COLUMNS = {"wall": "wall s", "cpu": "CPU s", "peak_mb": "peak MB"}
_NAME = 44
_CELL = 25


def heading(title: str) -> None:
    """The title of a table, with the machine and the day."""
    model = _processor()
    machine = f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}"
    print(f"\n== {title}\n{time.strftime('%Y-%m-%d %H:%M')} · {machine} · load {os.getloadavg()[0]:.1f} at the start")


def print_figures(rows: Mapping[str, Sequence[Figures]]) -> None:
    """One line for each command: medians of all its measurements (smallest-largest)."""
    head = "".join(f"{text:>{_CELL}}" for text in COLUMNS.values())
    print(f"{'':{_NAME}}{head}{'requests':>10}{'n':>4}", flush=True)
    for name, figures in rows.items():
        cells = "".join(f"{spread([getattr(each, key) for each in figures]):>{_CELL}}" for key in COLUMNS)
        requests = statistics.median(each.requests for each in figures)
        print(f"{name:{_NAME}}{cells}{f'{requests:g}' if requests else '-':>10}{len(figures):>4}", flush=True)
    print_stolen([each for figures in rows.values() for each in figures])


def print_stolen(figures: Sequence[Figures]) -> None:
    """How much of the processors' time the measurements went without, where the system tells."""
    stolen = [each.stolen for each in figures]
    if any(stolen):
        usual, most = statistics.median(stolen), max(stolen)
        print(f"the host gave {usual:.1%} of the processors' time to others, at most {most:.1%}")


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median (smallest-largest)."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def ratio(own: Sequence[float], peer: Sequence[float]) -> float:
    """The median of the ratios turn by turn; of the medians where one was measured less often."""
    if len(own) == len(peer):
        return statistics.median(a / b for a, b in zip(own, peer, strict=True))
    return statistics.median(own) / statistics.median(peer)


def goal(what: str, value: float, most: float, unit: str = "") -> bool:
    """Say, and return, whether a figure is within its goal."""
    met = value <= most
    word = "met   " if met else "MISSED"
    print(f"  {word}  {what}: {value:.3g}{unit} (goal: at most {most:g}{unit})", flush=True)
    return met


def least(what: str, value: float, at_least: float, unit: str = "") -> bool:
    """Say, and return, whether a figure that is better when it is larger reaches its goal."""
    met = value >= at_least
    word = "met   " if met else "MISSED"
    print(f"  {word}  {what}: {value:.3g}{unit} (goal: at least {at_least:g}{unit})", flush=True)
    return met


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open() as file:
            names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(names, platform.machine())
    except OSError:
        return platform.machine()
