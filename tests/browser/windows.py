"""Pages of a browser that the next test uses again, as if they were new: to open one costs more than most tests."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any


class Windows:
    """Windows by their options. Any: Playwright's objects, which are imported where there is a browser."""

    def __init__(self, browser: Any, blank: Path) -> None:
        """Take a file without content, from which all that other files keep in the browser can be removed."""
        self.browser = browser
        self._blank = blank.as_uri()
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
        return context.new_page()

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
            page.goto(self._blank)
            page.evaluate("localStorage.clear(); sessionStorage.clear()")
            return True
        return False
