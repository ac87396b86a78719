"""Reload a page whose browser keeps something for it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from tests.waiting import PATIENCE

LONGEST_MS = 20_000
"""After which a page is loaded once more."""


def reload(page: Any, until: str) -> None:
    """Load a page again, and wait until this JavaScript expression is true of it.

    A browser keeps what a page stores in a process of its own: the next document may have begun before it is there, and
    is then told by an event, but for some 1 in 400, which are loaded once more. Any: playwright's page, which is
    imported where there is a browser.
    """
    from playwright.sync_api import TimeoutError as NotYet

    for _ in range(int(PATIENCE * 1000 / LONGEST_MS)):
        page.reload()
        with suppress(NotYet):
            page.wait_for_function(f"window.gallery && ({until})", timeout=LONGEST_MS)
            return
    raise AssertionError(f"loaded again and again, and this did not become true: {until}")
