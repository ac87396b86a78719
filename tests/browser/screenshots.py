"""`make screenshots`: pictures of the page for the README, of a real sweep on the emulator."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import NAMES, command
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from runner.emulator.faults import FaultRule
from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread

PLACE = Path(__file__).with_name("screenshots")
PROGRAM = next((found for name in NAMES if (found := shutil.which(name))), None)
SWEEP = "outputs/multirun/2026-11-23/09-30-00-x7k2"
PROMPTS = (
    "Lanterns rising over a quiet harbour at night",
    "A balloon over fields of lavender, first light, aerial shot",
    "Morning mist over a forest lake, slow aerial shot",
)
REFUSED = FaultRule.model_validate({"match": {"prompt": "mist"}, "nth": 1, "fault": "moderation"})
SETTLED = """[...document.querySelectorAll("video[src]")].every((video) => video.readyState >= 2 && !video.seeking)
  && !document.getElementById("status").textContent"""
# The tab that has the refused run, and two runs of it chosen for comparison.
CHOSEN = """() => {
  const { store, grid, compare } = gallery;
  store.set({ at: store.data.cells.find((cell) => cell.group === "failed").at[2] });
  for (const { cell } of [...grid.mounted()].slice(0, 2)) compare.toggle(cell.id);
}"""
AXES = "x=request.prompt&y=model&tab=request.duration_seconds"


def main() -> int:
    """Take them all; 1 where there is no browser."""
    if PROGRAM is None:
        sys.stderr.write("no browser to take pictures with\n")
        return 1
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, browser() as chromium:
        sweep(Path(name))
        take(chromium, Path(name, SWEEP, "index.html"))
    return 0


def sweep(place: Path) -> None:
    """Three prompts by two models and two durations, one of which is refused."""
    settings = EmulatorSettings(state_file=place / "state.sqlite3", latency=1.0)
    prompts = ",".join(f"'{prompt}'" for prompt in PROMPTS)
    with EmulatorThread(settings, rules=[REFUSED]) as server:
        command(
            place, "-m", "provider=openai", f"provider.base_url={server.base_url}", "provider.retired_models=off",
            "provider.poll_interval=0.1", "progress=off", "budget.max_usd=20", f"hydra.sweep.dir={SWEEP}",
            f"request.prompt={prompts}", "model=sora-2,sora-2-pro", "request.duration_seconds=4,8",
            "request.size=1280x720", codes=(0, 1),
        )  # fmt: skip


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def take(chromium: Browser, path: Path) -> None:
    """One picture of each view, at a moment when every video shows another frame than its first."""
    with opened(chromium, path, f"#{AXES}&size=360", 1400, 790) as page:
        page.evaluate(CHOSEN)
        page.evaluate("gallery.transport.seek(1.5)")
        keep(page, "grid")
    with opened(chromium, path, "#compare=0/0+0/4&mode=wipe", 1000, 640) as page:
        page.evaluate("gallery.transport.seek(2)")
        keep(page, "wipe")
    with opened(chromium, path, "#open=0%2F2", 1100, 700) as page:
        page.evaluate("gallery.transport.seek(2)")
        keep(page, "detail")
    with opened(chromium, path, "", 390, 780) as page:
        page.evaluate("gallery.transport.seek(2)")
        keep(page, "phone")


@contextmanager
def opened(chromium: Browser, path: Path, hash_: str, width: int, height: int) -> Iterator[Page]:
    size = {"width": width, "height": height}
    context = chromium.new_context(viewport=size, color_scheme="dark", bypass_csp=True, locale="en-GB")
    page = context.new_page()
    page.goto(f"{path.as_uri()}{hash_}")
    page.wait_for_function("window.gallery?.transport.length > 0")
    yield page
    context.close()


def keep(page: Page, name: str) -> None:
    """Write what is seen, once everything is there and nothing is being said."""
    page.wait_for_function(SETTLED)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(PLACE / f"{name}.webp", quality=80, method=6)


if __name__ == "__main__":
    sys.exit(main())
