"""The pages of real sweeps, from the command line to the browser."""

from __future__ import annotations

import ast
import json
import zipfile
from pathlib import Path

import pytest

from runner.emulator.faults import FaultRule
from runner.emulator.settings import EmulatorSettings
from tests.browser.conftest import command
from tests.emulator_thread import EmulatorThread

from .test_hostile import HOSTILE
from .test_recipes import recipe

REFUSED = FaultRule.model_validate({"match": {"prompt": "forbidden"}, "fault": "moderation"})
VIDEOS = ("provider=vllm_omni", "model=wan2.2-t2v", "request.size=256x144")


def sweep(place: Path, name: str, *overrides: str, **settings: str) -> Path:
    """Make a sweep by the command line; returns its page."""
    chosen = EmulatorSettings(state_file=place / "state.sqlite3", latency=0.05, **settings)
    with EmulatorThread(chosen, rules=[REFUSED]) as server:
        usual = (f"provider.base_url={server.base_url}", "provider.poll_interval=0.02", "progress=off")
        command(place, "-m", *usual, *overrides, f"hydra.sweep.dir='{name}'", codes=(0, 1))
    return place / name / "index.html"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two sweeps: `videos`, of which some were refused, and `images` with three of each run."""
    place = tmp_path_factory.mktemp("swept")
    axes = ("request.prompt='a red fox','a forbidden thing'", "request.duration_seconds=1,2", "replica=0,1")
    sweep(place, "videos", *VIDEOS, *axes, dialect="vllm_omni")
    images = ("provider=openai", "model=gpt-image-2", "request=image", "request.n=3")
    sweep(place, "images", *images, "request.prompt='a red fox','a blue whale'")
    return place


def test_a_sweep_stands_by_its_axes_with_posters_and_replicas_together(browse, swept):
    page = browse(swept / "videos" / "index.html", width=1600, height=1000)
    assert page.locator(".heading").all_inner_texts() == ["1 s", "2 s"]
    assert page.locator(".rowhead").all_inner_texts() == ["a red fox", "a forbidden thing"]
    first = page.locator(".slot").first
    assert first.locator(".tile").count() == 2
    video = first.locator("video").first
    assert video.get_attribute("poster").endswith(".webp")
    assert "src" in video.evaluate("video => Object.keys(video.dataset)")
    failed = page.locator('.tile[data-group="failed"]').first
    assert "moderation" in failed.inner_text()
    assert "runner" in failed.locator(".command code").inner_text()


def test_a_run_of_several_images_shows_all(browse, swept):
    page = browse(swept / "images" / "index.html", width=1600, height=1000)
    loaded = "[...document.querySelectorAll('.tile img')].filter((one) => one.naturalWidth > 0)"
    page.wait_for_function(f"{loaded}.length >= 3")
    assert page.locator(".slot").first.locator(".tile img").count() == 3
    assert page.locator(".tile img").first.get_attribute("alt")


def test_several_sweeps_are_one_page_that_tells_who_made_what(browse, swept):
    command(swept, "report", "videos", "images", "--output", "both.html")
    page = browse(swept / "both.html")
    assert page.evaluate("gallery.store.data.sweeps.length") == 2
    page.evaluate("gallery.store.set({x: '', y: '', tab: '', fixed: {}})")
    assert page.locator(".tile").count() > 4


@pytest.mark.parametrize("which", ["videos", "images"])
def test_the_python_of_other_providers_is_accepted_by_the_api(browse, swept, which):
    page = browse(swept / which / "index.html", "#open=0%2F0")
    program = recipe(page, "Python")
    calls = [node for node in ast.parse(program).body if isinstance(node, ast.ImportFrom | ast.Assign)][:-1]

    names: dict = {}
    exec(compile(ast.Module(calls, []), "recipe", "exec"), names)

    saved = json.loads((swept / which / "0" / "result.json").read_text())["config"]
    assert names["config"].base_url == saved["provider"]["base_url"]
    assert names["request"].prompt == saved["request"]["prompt"]
    assert names["request"].size == saved["request"]["size"]
    assert names["config"].provider == {"videos": "vllm_omni", "images": "openai"}[which]


def test_hostile_prompts_go_through_a_sweep_whose_folder_is_zipped_and_moved(browse, tmp_path):
    prompts = [HOSTILE["script"], HOSTILE["bidi"], HOSTILE["long"], "a, b = 'c' # \"d\" 100%"]
    for number, prompt in enumerate(prompts):
        (tmp_path / f"{number}.txt").write_text(prompt)
    place = "a # sweep? 100% <b>"
    asked = ("request.prompt_file=0.txt,1.txt,2.txt,3.txt", "request.duration_seconds=1")
    index = sweep(tmp_path, place, *VIDEOS, *asked, dialect="vllm_omni")
    archive = tmp_path / "sweep.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in sorted(index.parent.rglob("*")):
            zipped.write(path, path.relative_to(tmp_path))
    elsewhere = tmp_path / "else # where"
    zipfile.ZipFile(archive).extractall(elsewhere)

    page = browse(elsewhere / place / "index.html")
    assert page.evaluate("gallery.store.data.cells.map(cell => cell.prompt)") == prompts
    page.evaluate("gallery.transport.toggle()")
    page.wait_for_function("[...gallery.grid.mounted()].some(({media}) => media.currentTime > 0)")
    assert "else%20%23%20where" in page.evaluate("document.querySelector('video').currentSrc")
    assert page.evaluate("window.pwned") is None
