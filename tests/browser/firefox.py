"""A page in Firefox, driven by Mozilla's own protocol: Playwright knows only builds of its own.

What is pressed and clicked comes to the page as from a person.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE

PREFERENCES = {
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "dom.ipc.processPrelaunch.enabled": False,  # processes for pages that nobody opens
}


class FirefoxPage:
    """Has what `playing` and our tests need of Playwright's page."""

    def __init__(self, driver: Any) -> None:  # Any: imported where there is a Firefox
        self._driver = driver

    def open(self, path: Path, hash_: str = "") -> None:
        self._driver.navigate("about:blank")  # else another hash would be no new page
        self._driver.navigate(f"{path.resolve().as_uri()}{hash_}")
        self.wait_for("window.gallery")

    def evaluate(self, expression: str) -> Any:  # Any: JSON
        """Return what the expression is, or what its promise comes to."""
        code = f"const done = arguments[0]; Promise.resolve(({expression})).then(done, (error) => done(String(error)))"
        return self._driver.execute_async_script(code, sandbox=None, script_timeout=PATIENCE * 1000)

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true."""
        from marionette_driver import Wait

        Wait(self._driver, timeout=PATIENCE).until(lambda _: self.evaluate(f"Boolean({condition})"), message=condition)

    def click(self, selector: str) -> None:
        self._driver.find_element("css selector", selector).click()

    def press(self, *keys: str) -> None:
        """Press keys, one after the other: signs, or names in marionette_driver's `Keys`."""
        from marionette_driver.keys import Keys

        for key in keys:
            keyboard = self._driver.actions.sequence("key", "keyboard")
            keyboard.send_keys(key if len(key) == 1 else getattr(Keys, key)).perform()

    def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """Move the pressed mouse between two places of the window, in pixels."""
        mouse = self._driver.actions.sequence("pointer", "mouse", {"pointerType": "mouse"})
        (left, top), (right, bottom) = ((round(x), round(y)) for x, y in (begin, end))
        mouse.pointer_move(left, top).pointer_down().pointer_move(right, bottom, duration=100).pointer_up().perform()


@contextmanager
def started(program: str, log: Path) -> Iterator[FirefoxPage]:
    """Start Firefox without a window on the screen, with a new profile; it ends with the block."""
    with warnings.catch_warnings():
        # The package asks for an old name of another's, and drops a socket for each look whether Firefox is there.
        warnings.simplefilter("ignore")
        from marionette_driver.marionette import Marionette

        driver = Marionette(bin=program, port=0, headless=True, gecko_log=str(log), prefs=PREFERENCES)
        gc.collect()
    try:
        driver.start_session()
        yield FirefoxPage(driver)
    finally:
        driver.cleanup()
        driver.instance = None  # whose profile would be removed only while the interpreter ends, and complain
        gc.collect()
