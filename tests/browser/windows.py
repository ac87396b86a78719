"""Pages of a browser that the next test uses again, as if they were new: to open one costs more than most tests."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

# What an earlier test has kept in the browser is gone before a page's own scripts run, and stays over a reload.
FRESH = """
if (window === top && window.name !== "kept" && location.protocol !== "about:") {
  localStorage.clear();
  window.name = "kept";
}
"""


class Windows:
    """Windows by their options. Any: Playwright's objects, which are imported where there is a browser."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self._free: dict[str, list[Any]] = {}
        self._used: list[tuple[str | None, Any]] = []

    def open(self, *, width: int, height: int, anew: bool, **options: Any) -> Any:
        """Return an empty page of this size; `anew`: nobody else's, for what cannot be taken back."""
        key = None if anew else repr(sorted(options.items()))
        free = self._free.get(key or "", [])
        page = free.pop() if free else self._opened(options)
        page.set_viewport_size({"width": width, "height": height})
        self._used.append((key, page))
        return page

    def _opened(self, options: dict[str, Any]) -> Any:
        context = self.browser.new_context(**options)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.add_init_script(FRESH)
        return page

    def leave(self) -> None:
        """Take all pages back that are open."""
        for key, page in self._used:
            if key is None or not self._emptied(page):
                page.context.close()
            else:
                self._free.setdefault(key, []).append(page)
        self._used = []

    def _emptied(self, page: Any) -> bool:
        """Return whether the page is as good as a new one."""
        for other in page.context.pages:
            if other is not page:
                other.close()
        if page.is_closed():
            return False
        page.mouse.move(0, 0)
        with suppress(Exception):  # a page that does not answer any more
            page.evaluate("window.name = ''")
            page.goto("about:blank")
            return True
        return False
