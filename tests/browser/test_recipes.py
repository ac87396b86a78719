"""A run's YAML and Python: read back as they were, and they make the run again."""

from __future__ import annotations

import ast
import json
import os

import pytest
import yaml
from omegaconf import OmegaConf

from runner.report.cell import LONGEST, shortened
from tests.command_line import command_line
from tests.forking import Forked

HOSTILE = [
    "plain", "", " ", "yes", "null", "1.5", "0x10", "16:9", "- a: b", "{a: 1}", "# no comment", "a # b", "a: b",
    "'", '"', "\\", "\\n", "a\nb\r\n\tc", "\x00\x01\x1b\x7f\x85\xa0", "\u2028\u2029\ufeff", "\u202eevil\u202c",
    "é ß 日本 🦊",
    "\ud800", "\uffff", "%d {} $x", "${oc.env:HOME}", "\\${a} \\\\${b} ${${c}} $${d} \\",
    "</script><script>", "x" * 32_000,
]  # fmt: skip

MOST = 2**53 - 1
"""JavaScript tells greater integers apart no more."""


def recipe(page, title: str) -> str:
    box = page.locator(f"#detail .recipe:has([aria-label='Copy the {title}'])")
    box.locator("summary").click()
    box.locator("pre:not(:empty)").wait_for()
    return box.locator("pre").evaluate("(code) => code.textContent")


def key(text: str) -> str:
    return text[:100] or "none"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_every_text_is_read_back_as_it_was(browser_recipes, text):
    yaml_text, python_text = browser_recipes(text)

    read = OmegaConf.to_container(OmegaConf.create(yaml.safe_load(yaml_text)), resolve=True)
    assert read["request"]["prompt"] == text
    assert read["request"]["extra_params"] == {key(text): [text, {"x": text}]}
    calls = [node for node in ast.walk(ast.parse(python_text)) if isinstance(node, ast.Call)]
    call = next(node for node in calls if getattr(node.func, "id", "") == "VideoGenerationRequest")
    given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    assert given == {"prompt": text, "extra_params": {key(text): [text, {"x": text}]}}


@pytest.fixture(scope="module")
def recipes_page(chromium, tmp_path_factory, rewrite, make_cell, make_page):
    path = rewrite(tmp_path_factory.mktemp("recipes") / "index.html", make_page([make_cell(0, [])]))
    page = chromium.new_context().new_page()
    page.goto(path.as_uri())
    page.wait_for_function("window.gallery")
    yield page
    page.context.close()


@pytest.fixture
def browser_recipes(recipes_page, make_cell, make_page):
    """The texts of a run with this prompt, also as a key and within lists."""

    def texts(prompt: str) -> tuple[str, str]:
        own = {
            "provider.kind": "emulator", "model.name": "sora-2", "request.kind": "video", "request.prompt": prompt,
            "request.extra_params": {key(prompt): [prompt, {"x": prompt}]},
        }  # fmt: skip
        data = json.dumps(make_page([make_cell(0, [], own=own)]))
        recipes_page.evaluate(f"gallery.store.set({{ open: '' }}); gallery.store.replaceData({data})")
        recipes_page.evaluate("gallery.store.set({ open: '0/0' })")
        return recipe(recipes_page, "YAML"), recipe(recipes_page, "Python")

    return texts


def test_numbers_and_empty_values_are_read_back(gallery, make_cell, make_page):
    own = {"a.b.c": MOST, "a.b.d": -1.5e-9, "a.e": True, "f": None, "g": [], "h": {}, "i": [1, None, False], "j.k": 0}
    page = gallery(make_page([make_cell(0, [], own=own)]), "#open=0%2F0")

    read = yaml.safe_load(recipe(page, "YAML"))

    assert read.pop("a") == {"b": {"c": MOST, "d": -1.5e-9}, "e": True}
    assert read.pop("defaults")
    assert read.pop("yes") is False
    assert read == {"f": None, "g": [], "h": {}, "i": [1, None, False], "j": {"k": 0}}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (MOST + 1, "a number of too many digits"),
        ("???", "a text that Hydra takes for a missing value"),
        (shortened("a\nfox 🦊" * LONGEST), "a text too long for this page"),
        ([{"x": shortened("a" * (LONGEST + 1))}], "a text too long for this page"),
    ],
    ids=["number", "missing", "text", "nested"],
)
def test_a_config_that_the_page_does_not_hold_as_it_is_has_no_recipe(gallery, make_cell, make_page, value, why):
    own = {"request.kind": "video", "request.extra_params.strange": value}
    page = gallery(make_page([make_cell(0, [], own=own)]), "#open=0%2F0")

    page.locator("#detail .muted", has_text=f"No YAML, no Python: request.extra_params.strange is {why}").wait_for()
    assert page.locator("#detail .recipe").count() == 0
    assert "python -m runner repeat out/0" in page.locator("#detail").inner_text()


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    """A directory with a real sweep on the embedded emulator, a video and what it takes to make it again."""
    place = tmp_path_factory.mktemp("emulated")
    quick = ("provider.latency=0.05", "provider.poll_interval=0.05", "progress=off")
    prompt = r"request.prompt='a fox, \'quick\': “brown” # 1 for \${HOME}'"
    sizes = ("request.duration_seconds=4,8", "request.aspect_ratio=9:16")
    run(place, "-m", *quick, prompt, *sizes, "yes=true", "hydra.sweep.dir=sweep")
    run(place, "report", "sweep")
    return place


def clean() -> dict[str, str]:
    """The environment without what others have set for themselves."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "AZURE_", "HYDRA_"))}


def run(place, *arguments: str) -> None:
    done = command_line(arguments, place, clean(), strict=True)
    assert done.returncode == 0, done.stderr


def python(place, program: str) -> str:
    """Execute a program in a process of its own, as `python -W error -c` does, and return what it prints."""
    with (place / "errors").open("w+") as errors:
        options = {"cwd": place, "env": clean(), "stderr": errors, "text": True, "strict": True}
        with Forked("tests.program", [program], **options) as process:
            printed, _ = process.communicate(120)
        errors.seek(0)
        assert process.returncode == 0, errors.read()
    return printed


def test_the_yaml_is_the_runs_config_and_runs(emulated, browse):
    page = browse(emulated / "sweep" / "index.html", "#open=0%2F1")
    text = recipe(page, "YAML")
    saved = json.loads((emulated / "sweep" / "1" / "result.json").read_text())["config"]

    read = yaml.safe_load(text)
    assert read.pop("defaults") == ["_self_", {"hydra": "default"}]
    assert saved["yes"] is True
    assert saved["request"]["prompt"].endswith("for ${HOME}")
    asked = {**saved, "yes": False}  # a consent is not repeated
    del asked["run"], asked["vars"]  # the prompt is filled
    assert read == {**asked, "request": {**saved["request"], "prompt": saved["request"]["prompt"].replace("$", r"\$")}}

    (emulated / "run.yaml").write_text(text, encoding="utf-8")
    run(emulated, "--config-dir", ".", "--config-name", "run", "hydra.run.dir=again")
    again = json.loads((emulated / "again" / "result.json").read_text())
    assert again["config"] == {**saved, "yes": False}
    assert again["status"] == "verified"


def test_the_python_makes_the_same_request(emulated, browse):
    page = browse(emulated / "sweep" / "index.html", "#open=0%2F1")
    program = f"{recipe(page, 'Python')}\nimport json\nprint(json.dumps(response.provider_metadata['request_sent']))"
    saved = json.loads((emulated / "sweep" / "1" / "result.json").read_text())

    file, sent = python(emulated, program).splitlines()

    assert file == "run-1.mp4"
    assert (emulated / file).stat().st_size > 10_000
    assert json.loads(sent) == saved["request_sent"]


def test_fallbacks_and_first_frames_are_kept(gallery, make_cell, make_page):
    own = {
        "provider.kind": "azure_openai", "provider.base_url": "https://r.example",
        "model.name": "sora-2", "model.deployment": "my-sora", "request.kind": "video", "request.prompt": "p",
        "request.image_list": [{"role": "first_frame", "image": "a.png"}, "b.png"],
        "fallbacks": [{"provider": {"kind": "openai"}, "model": {"name": "sora-2-pro"}}],
    }  # fmt: skip
    page = gallery(make_page([make_cell(0, [], own=own)]), "#open=0%2F0")
    names: dict = {}
    program = recipe(page, "Python").partition("response =")[0]

    exec(compile(program, "recipe", "exec"), names)

    assert (names["config"].provider, names["config"].model) == ("azure_openai", "my-sora")
    assert [(one.provider, one.model) for one in names["config"].fallback_configs] == [("openai", "sora-2-pro")]
    assert names["request"].image_list == [{"image": "a.png", "type": "first_frame"}, "b.png"]
