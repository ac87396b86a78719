"""Pages of a browser that the next test uses again, as if they were new: to open one costs more than most tests."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE

# What another document in the same window would find; this one may write while it goes.
FORGET = """() => {
  localStorage.clear();
  sessionStorage.clear();
  Storage.prototype.setItem = () => {};
}"""


class Windows:
    """Windows by their options. Any: Playwright's objects, which are imported where there is a browser."""

    def __init__(self, browser: Any, blank: Path) -> None:
        """Take a file without content, which a page shows while nobody needs it."""
        self.browser = browser
        self._blank = blank.as_uri()
        self._free: dict[str, list[Any]] = {}
        self._used: list[tuple[str | None, Any]] = []
        self._left: list[Any] = []

    def open(self, *, width: int, height: int, anew: bool, **options: Any) -> Any:
        """Return a page of this size to `show` a file in; `anew`: nobody else's, for what cannot be taken back."""
        key = None if anew else repr(sorted(options.items()))
        free = self._free.get(key or "", [])
        page = free.pop() if free else self._opened(options)
        for other in self._left:
            if other is not page:
                other.goto(self._blank)
        self._left = [page] if page in self._left else []
        page.set_viewport_size({"width": width, "height": height})
        self._used.append((key, page))
        return page

    def show(self, page: Any, address: str) -> None:
        """Load a document: also where the page has it already, and another hash would only move it."""
        if page in self._left and page.url.partition("#")[0] == address.partition("#")[0]:
            page.goto(self._blank)
        self._left = []
        page.goto(address)

    def _opened(self, options: dict[str, Any]) -> Any:
        context = self.browser.new_context(**options)
        context.set_default_timeout(PATIENCE * 1000)
        return context.new_page()

    def leave(self) -> None:
        """Take all pages back that are open."""
        for key, page in self._used:
            if key is None or not self._emptied(page):
                page.context.close()
            else:
                self._free.setdefault(key, []).append(page)
                self._left.append(page)
        self._used = []

    def _emptied(self, page: Any) -> bool:
        """Return whether what is loaded next will be as good as in a new page.

        The document stays until then: to load an empty one costs as much as many a test.
        """
        for other in page.context.pages:
            if other is not page:
                other.close()
        if page.is_closed():
            return False
        page.mouse.move(0, 0)
        with suppress(Exception):  # a page that does not answer any more
            if not page.url.startswith("file:"):
                page.goto(self._blank)
            page.evaluate(FORGET)
            return True
        return False
