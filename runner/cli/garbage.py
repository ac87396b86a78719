"""When garbage is collected: not while the program starts, which makes hardly any."""

from __future__ import annotations

import gc


def collect_from_now_on() -> None:
    """Start collecting, at every 10,000 objects, in what comes after this."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(10_000, 20, 50)
        gc.enable()
