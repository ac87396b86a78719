"""A real browser on real pages: whatever it complains of, and any request that leaves the disk, fails the test."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from runner.report.page import Shell, encoded_json
from runner.results.state import RunState
from tests.browser.windows import Windows
from tests.command_line import command_line

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LOCAL = ("file:", "data:", "blob:", "about:")
PROMPTS = ["a red fox", "a blue whale", "a forbidden thing"]


_windows: Windows | None = None
_ending = ExitStack()


def _open_windows() -> Windows:
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("no browser tests: the package playwright is not installed")
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser tests: none of {', '.join(NAMES)} is installed")
    from playwright.sync_api import sync_playwright

    playwright = _ending.enter_context(sync_playwright())
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    browser = playwright.chromium.launch(executable_path=program, args=arguments)
    _ending.callback(browser.close)
    blank = Path(_ending.enter_context(TemporaryDirectory())) / "blank.html"
    blank.touch()
    return Windows(browser, blank)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """End the browser where the next test is none of this folder's: its event loop would be in the way of others'."""
    global _windows  # noqa: PLW0603 - a fixture lives as long as a file or all, and neither is right
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        _windows = None
        _ending.close()


@pytest.fixture(scope="module")
def windows() -> Windows:
    """Those that go on from file to file: starting their driver costs a second of CPU."""
    global _windows  # noqa: PLW0603 - as above
    if _windows is None:
        _windows = _open_windows()
    return _windows


@pytest.fixture(scope="module")
def chromium(windows: Windows) -> Any:
    return windows.browser


@pytest.fixture
def browse(windows: Windows) -> Iterator[Callable[..., Any]]:
    """Open a page from disk, as `browse(path, "#hash", width=…, height=…, **context)`.

    Whatever it complains of fails the test, unless it is known to: `complains=True`. Waiting for a function needs
    `eval`, which the page's own policy forbids: it is in force with `bypass_csp=False` only. What a test does to a page
    that another document in it would feel, as to its clock, takes a page of its own: `anew=True`.
    """
    complaints: list[str] = []
    heard: list[tuple[Any, str, Callable[..., None]]] = []

    def hear(page: Any, event: str, listener: Callable[..., None]) -> None:
        page.on(event, listener)
        heard.append((page, event, listener))

    def refuse(request: Any) -> None:
        if not request.url.startswith(LOCAL):
            complaints.append(f"asked the network: {request.url}")

    def listen(message: Any) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"console: {message.text}")

    def browse(path: Path, hash_: str = "", *, width: int = 1280, height: int = 800, complains: bool = False,
               anew: bool = False, **options: Any) -> Any:  # fmt: skip
        page = windows.open(width=width, height=height, anew=anew, **{"bypass_csp": True, **options})
        if not complains:
            hear(page, "request", refuse)
            hear(page, "console", listen)
        hear(page, "pageerror", lambda error: complaints.append(f"error: {error}"))
        windows.show(page, f"{path.resolve().as_uri()}{hash_}")
        return page

    yield browse
    for page, event, listener in heard:
        page.remove_listener(event, listener)
    windows.leave()
    assert complaints == []


@pytest.fixture
def gallery(browse: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Open a page of made-up data, as `gallery(data, "#hash", **context)`."""

    def open_page(data: dict[str, Any], hash_: str = "", **options: Any) -> Any:
        return browse(write_page(tmp_path / "index.html", data), hash_, **options)

    return open_page


def write_page(path: Path, data: dict[str, Any]) -> Path:
    Shell(data["title"]).write(path, [encoded_json(data)])
    return path


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What a page knows of four real videos with posters: of 1 and 2 seconds for each of two prompts."""
    place = tmp_path_factory.mktemp("clips")
    return [clip(place, prompt, seconds) for prompt in PROMPTS[:2] for seconds in (1, 2)]


def clip(place: Path, prompt: str, seconds: int) -> dict[str, Any]:
    from runner.emulator.job import Clip
    from runner.emulator.video import render

    drawn = Clip(prompt, "wan2.2-t2v", 256, 144, seconds)
    video, poster = (render(drawn, place, variant) for variant in ("video", "thumbnail"))
    return {
        "name": "video.mp4", "path": video.as_uri(), "type": "video/mp4", "poster": poster.as_uri(), "width": 256,
        "height": 144, "seconds": seconds, "fps": drawn.fps, "video_codec": "h264", "audio_codec": "aac",
        "bytes": video.stat().st_size, "sha256": video.stem,
    }  # fmt: skip


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory, clips: list[dict[str, Any]]) -> Path:
    """A page of three prompts' videos of 1 and 2 seconds, each twice; those of the last prompt failed."""
    refused = {"group": "failed", "status": "failed", "reason": "moderation", "media": []}
    cells = []
    for number in range(12):
        prompt, seconds, replica = number // 4, number // 2 % 2, number % 2
        facts = refused if prompt == 2 else {"media": [clips[2 * prompt + seconds]]}
        cells.append(cell(number, [prompt, seconds, replica], prompt=PROMPTS[prompt], **facts))
    axes = [("request.prompt", PROMPTS), ("request.duration_seconds", [1, 2]), ("replica", [0, 1])]
    return write_page(tmp_path_factory.mktemp("videos") / "index.html", made_up(cells, axes))


def command(place: Path, *arguments: str, codes: Sequence[int] = (0,)) -> str:
    """What a command line prints: a process of its own, as the browser's event loop is running in this one."""
    environment = {**os.environ, "OPENAI_API_KEY": "an-emulated-key"}
    done = command_line(arguments, place, environment)
    assert done.returncode in codes, done.stderr
    return done.stdout


def cell(number: int, at: Sequence[int | None], **facts: Any) -> dict[str, Any]:
    """A made-up run: done, without a file, unless `facts` say otherwise."""
    usual = {
        "id": f"0/{number}", "key": f"sweep/{number}", "number": number, "sweep": 0, "at": list(at),
        "status": "verified", "group": "done", "progress": None, "remote_status": None, "reason": None, "hint": None,
        "continue": None, "repeat": f"python -m runner repeat out/{number}", "directory": str(number),
        "prompt": f"prompt {number}", "label": f"run={number}", "provider": "emulator", "model": "sora-2",
        "deployment": None, "job_id": f"video_{number}", "estimated_usd": 0.4, "actual_usd": None, "spent_usd": 0.4,
        "saved_usd": None, "reused_from": None, "latency_seconds": 1.5, "times": {}, "attempts": 1, "retries": 0,
        "polls": 3, "warnings": [], "own": {}, "media": [],
    }  # fmt: skip
    return {**usual, **facts}


def made_up(
    cells: Sequence[dict[str, Any]], axes: Sequence[tuple[str, Sequence[Any]]] = (), **facts: Any
) -> dict[str, Any]:
    """A page's data of made-up runs; axes are (key, values), named by their last word."""
    groups = [one["group"] for one in cells]
    totals = {"runs": len(cells), "estimated_usd": 1.0, "spent_usd": 0.8, "actual_usd": None, "budget_usd": None,
              "success_rate": None, "latency_p50": 1.5, "latency_p95": 2.0, "retries": 0, "reused": 0, "saved_usd": 0,
              "resumed": 0}  # fmt: skip
    counts = {state.value: groups.count(state) for state in RunState}
    usual = {
        "version": 1, "title": "out", "made_at": "2026-11-23T08:00:00+00:00", "complete": True, "refresh_seconds": 3,
        "sweeps": [{"directory": ".", "name": "out", "resume": "python -m runner resume out", "budget_usd": None}],
        "axes": [{"key": key, "name": key.rpartition(".")[2], "values": list(values)} for key, values in axes],
        "states": [{"name": state.value, "sign": state.sign, "meaning": state.meaning} for state in RunState],
        "shared": {}, "cells": list(cells), "totals": {**totals, **counts},
    }  # fmt: skip
    return {**usual, **facts}


@pytest.fixture(scope="session")
def make_cell() -> Callable[..., dict[str, Any]]:
    """A made-up run, as `make_cell(number, [index on each axis], **facts)`."""
    return cell


@pytest.fixture(scope="session")
def make_page() -> Callable[..., dict[str, Any]]:
    """Data of made-up runs, as `make_page(cells, [(axis key, values), …], **facts)`."""
    return made_up


@pytest.fixture(scope="session")
def rewrite() -> Callable[..., Path]:
    """Write made-up data as a page, as `rewrite(path, data)`; an older one is replaced."""
    return write_page
