"""`make screenshots`: pictures for the README and docs/ of the page and the terminal, of a real sweep on the emulator.

No picture asks a network for anything: the page's are WebP, and the terminal's SVG has the reader's own fonts.
"""

from __future__ import annotations

import io
import os
import pty
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from conftest import NAMES, command
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from runner.emulator.faults import FaultRule
from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread

PLACE = Path(__file__).with_name("screenshots")
PROGRAM = next((found for name in NAMES if (found := shutil.which(name))), None)
PROMPTS = (
    "A balloon over lavender fields, first light",
    "Lanterns rising above a quiet harbour at night",
    "Morning mist over a quiet lake, aerial shot",
)
REFUSED = FaultRule.model_validate({"match": {"prompt": "mist"}, "nth": 1, "fault": "moderation"})
JUDGED = """() => {
  const by = gallery.pairs.chosen("model");
  const place = ({cell, media}) => ({run: cell.key, file: media.name});
  for (const [rater, favourites] of [["Ann", 4], ["Ben", 3]]) {
    gallery.ratings.rename(rater);
    for (let count = 0; count < 6; count += 1) {
      const {left, right} = gallery.pairs.next(by, 7);
      if (!left) break;
      const better = (left.thing === "sora-2-pro") === (count < favourites) ? "left" : "right";
      const facts = {left: place(left), right: place(right), outcome: better, by: "model", seed: 7};
      gallery.ratings.add(gallery.records.make("pair", rater, facts));
    }
    gallery.store.data.cells.forEach((cell, at) => {
      if (cell.media.length) gallery.ratings.change(cell, cell.media[0].name, {rating: 2 + ((at + favourites) % 4)});
    });
  }
  gallery.store.set({view: "scores"});
}"""
SETTLED = """[...document.querySelectorAll("video[src]")].every((video) => video.readyState >= 2 && !video.seeking
    && Math.abs(video.currentTime - Math.min(gallery.transport.position, video.duration)) < 0.1)
  && !document.getElementById("status").textContent"""
# The tab that has the refused run, and two models' runs of one prompt in it, chosen for comparison.
CHOSEN = """() => {
  const { store, grid, compare } = gallery;
  store.set({ at: store.data.cells.find((cell) => cell.group === "failed").at[2] });
  for (const { cell } of grid.mounted()) if (cell.prompt.startsWith("A balloon")) compare.toggle(cell.id);
}"""
AXES = "x=request.prompt&y=model&tab=request.duration_seconds"
WIPED = "compare=0/0+0/6&mode=wipe"  # the first prompt for 4 s by both models
DRY_RUN = "python -m runner dry_run=true -m model=sora-2,sora-2-pro request.duration_seconds=4,8,12"
SHOW = "python -m runner show"
COLUMNS = 100
# As rich's own, without its fonts from the web.
SVG = """\
<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font: {char_height}px/{line_height}px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}}
{styles}
</style>
<defs>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> int:
    """Take them all; 1 where there is no browser."""
    if PROGRAM is None:
        sys.stderr.write("no browser to take pictures with\n")
        return 1
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, browser() as chromium:
        place = Path(name)
        directory = sweep(place)
        take(chromium, directory / "index.html", "light", "")
        take(chromium, directory / "index.html", "dark", "-dark")
        draw([DRY_RUN, f"{SHOW} {directory.relative_to(place)}"], place)
    return 0


def sweep(place: Path) -> Path:
    """Two models by three prompts and two durations, one of which is refused; returns the sweep's directory."""
    settings = EmulatorSettings(state_file=place / "state.sqlite3", latency=1.0)
    prompts = ",".join(f"'{prompt}'" for prompt in PROMPTS)
    with EmulatorThread(settings, rules=[REFUSED]) as server:
        command(
            place, "-m", "provider=openai", f"provider.base_url={server.base_url}", "provider.retired_models=off",
            "provider.poll_interval=0.1", "progress=off", "budget.max_usd=20",
            "model=sora-2,sora-2-pro", f"request.prompt={prompts}", "request.duration_seconds=4,8",
            "request.size=1280x720", codes=(0, 1),
        )  # fmt: skip
    return next(place.glob("outputs/multirun/*/*"))


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def take(chromium: Browser, path: Path, scheme: Literal["light", "dark"], suffix: str) -> None:
    """One picture of each view, at a moment when every video shows another frame than its first."""
    with opened(chromium, path, f"#{AXES}&size=360", 1400, 760, scheme) as page:
        page.evaluate(CHOSEN)
        page.evaluate("gallery.transport.seek(1.5)")
        keep(page, f"grid{suffix}")
    with opened(chromium, path, f"#{WIPED}", 1000, 640, scheme) as page:
        page.evaluate("gallery.transport.seek(2)")
        keep(page, f"wipe{suffix}")
    with opened(chromium, path, "#pairs=true&seed=7&rank=model", 1000, 640, scheme) as page:
        page.evaluate("gallery.transport.seek(2)")
        keep(page, f"pairs{suffix}")
    with opened(chromium, path, "#pairs=true&seed=7&rank=model", 390, 760, scheme) as page:
        page.evaluate("gallery.transport.seek(2)")
        keep(page, f"phone{suffix}")
    with opened(chromium, path, "", 1240, 640, scheme) as page:
        page.evaluate(JUDGED)
        page.locator("#scores table").first.wait_for()
        keep(page, f"scores{suffix}")


@contextmanager
def opened(
    chromium: Browser, path: Path, hash_: str, width: int, height: int, scheme: Literal["light", "dark"]
) -> Iterator[Page]:
    size = {"width": width, "height": height}
    context = chromium.new_context(viewport=size, color_scheme=scheme, bypass_csp=True, locale="en-GB")
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


def draw(lines: Sequence[str], place: Path) -> None:
    """Draw a terminal with commands and what each prints, folded where a terminal folds."""
    console = Console(record=True, file=io.StringIO(), width=COLUMNS, force_terminal=True, color_system="standard")
    typed = (Text.assemble(("$ ", "dim"), line, "\n", Text.from_ansi(printed(line, place))) for line in lines)
    for row in Text("\n\n").join(typed).split(allow_blank=True):
        for piece in row.divide(range(COLUMNS, len(row), COLUMNS)):
            console.print(piece, soft_wrap=True)
    text = console.export_svg(title="", theme=MONOKAI, code_format=SVG, font_aspect_ratio=0.6, unique_id="t")
    (PLACE / "terminal.svg").write_text(text, encoding="utf-8")


def printed(line: str, place: Path) -> str:
    """Return what a command prints on a terminal, colours included."""
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    ours, theirs = pty.openpty()
    words = [sys.executable, *shlex.split(line)[1:]]
    with subprocess.Popen(words, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=theirs) as process:
        os.close(theirs)
        text = b"".join(received(ours)).decode()
        os.close(ours)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{line}: exit code {process.returncode}")
    return text.replace("\r\n", "\n").replace(place.as_uri(), "file:///home/ann").rstrip()


def received(terminal: int) -> Iterator[bytes]:
    """Yield what comes from a terminal, until whoever wrote to it has ended."""
    try:
        while piece := os.read(terminal, 65_536):
            yield piece
    except OSError:  # how Linux says so
        return


if __name__ == "__main__":
    sys.exit(main())
