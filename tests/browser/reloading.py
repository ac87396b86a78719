"""Reload a page whose browser keeps something for it."""

from __future__ import annotations

from typing import Any


def reload(page: Any, until: str) -> None:
    """Load a page again, and wait until this JavaScript expression is true of it.

    A browser keeps what a page stores in a process of its own: the next document may have begun before it is there, and
    is then told by an event. Any: playwright's page, which is imported where there is a browser.
    """
    page.reload()
    page.wait_for_function(f"window.gallery && ({until})")
