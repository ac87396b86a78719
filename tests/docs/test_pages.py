"""The pages: links lead somewhere, the front page is short, what is made from the code is as it would be made now."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
import yaml
from jsonschema import Draft7Validator

from runner.commands.catalog import COMMANDS, find
from runner.config.reference import SECTIONS, comments, keys, schema
from runner.config.shipped import CONF
from tests.docs.pages import PAGES, PICTURES, ROOT, anchors, links
from tests.docs.reference import MADE

FILES = sorted(CONF.rglob("*.yaml"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in links(page):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        there = page if not name else page.parent / name
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_page_is_linked_from_the_front_page():
    front = {target.partition("#")[0] for target in links(ROOT / "README.md")}
    assert {f"docs/{page.name}" for page in PAGES if page.parent != ROOT} <= front


def test_the_front_page_is_read_in_three_minutes():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 170
    assert text.index("<picture>") < text.index("<img ") < text.index("## ")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_every_picture_is_shown_is_small_and_loads_nothing(picture):
    shown = {(page.parent / target).resolve() for page in PAGES for target in links(page)}
    assert picture in shown
    assert picture.stat().st_size < {".svg": 40_000, ".webp": 150_000}[picture.suffix]
    if picture.suffix == ".svg":
        text = picture.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        text = text.replace("file:///home/ann", "")  # what the terminal shows
        assert re.findall(r"//|@import|href|url\((?!#)", text) == []


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_what_is_made_from_the_code_is_up_to_date(path):
    assert path.read_text(encoding="utf-8") == MADE[path](), "make reference"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_every_file_of_conf_names_its_schema_and_keeps_to_it(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert "# yaml-language-server: $schema=schema.json" in lines[: 1 + lines[0].startswith("# @package")]
    described = json.loads((path.parent / "schema.json").read_text(encoding="utf-8"))
    Draft7Validator.check_schema(described)
    data = json.loads(json.dumps(yaml.safe_load(text), default=str))  # dates as texts
    assert list(Draft7Validator(described).iter_errors(data)) == []


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        ("request", {"kind": "video", "duration_secs": 8}),
        ("request", {"kind": "video", "duration_seconds": "eight"}),
        ("provider", {"kind": "openai", "api_key": "sk-1"}),
        ("provider", {"headers": {"X-Team": ["film"]}}),
        ("model", {"kind": "video", "validation": "sometimes"}),
        ("tracking", {"kind": "mlflow", "files": "some"}),
        ("config", {"budget": {"max_usdollars": 3}}),
        ("experiment", {"request": {"kind": "video", "duration": 3}}),
    ],
)
def test_a_schema_refuses_what_the_config_refuses(section, wrong):
    assert list(Draft7Validator(schema(section)).iter_errors(wrong))


def test_a_file_of_ones_own_may_leave_keys_out_and_interpolate():
    for section, right in (
        ("request", {"defaults": ["video"], "duration_seconds": "${seconds}", "prompt": "a ${thing}"}),
        ("model", {"defaults": ["sora-2"], "usd_per_second": {"default": 0.07}}),
        (
            "provider",
            {"defaults": ["vllm_omni"], "base_url": "http://gpu.example:8000/v1", "headers": {"X-Team": "film"}},
        ),
        (
            "experiment",
            {"defaults": [{"override /model": "sora-2"}], "product": {"name": "x"}, "fallbacks": [{"model": "x"}]},
        ),
    ):
        assert list(Draft7Validator(schema(section)).iter_errors(right)) == [], section


@pytest.mark.parametrize("section", [each for each in SECTIONS if each not in ("experiment", "hydra")])
def test_every_key_has_a_type_and_a_comment(section):
    found = keys(section)
    assert found
    assert [key.path for key in found if not key.comment or not key.type] == []


def test_comments_stand_above_behind_or_with_the_key_before():
    text = (
        "# yaml-language-server: x\n# One\n# and two.\na: 1\nb: 2\n\n# Own\nc: 3  # more\n"
        "d:\n  e: 4  # behind\n  # below\n  f: 5\n"
    )
    assert comments(text) == {
        "a": "One and two.", "b": "One and two.", "c": "Own", "d": "Own", "d.e": "behind", "d.f": "below",
    }  # fmt: skip


def test_groups_and_extras_are_the_same_lists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for name in ("test", "check"):
        assert project["dependency-groups"][name] == project["project"]["optional-dependencies"][name]


def test_the_citation_has_the_project_s_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_pre_commit_runs_what_make_check_runs():
    check = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert check is not None
    typed = {line.strip().replace("$(BIN)", ".venv/bin") for line in check[1].splitlines()}
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert {hook["entry"] for hook in hooks} == typed


def test_the_workflow_runs_the_gate():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "gate.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["gate"]["steps"][-1]["run"].endswith(".ci/run")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_s_own_help_has_an_example(name, capsys):
    with pytest.raises(SystemExit) as ended:
        find([name, "--help"])(["--help"])
    assert ended.value.code == 0
    assert re.search(rf"examples?:\s+python -m runner {name}", capsys.readouterr().out)


def test_help_names_every_command_and_fits_a_screen():
    text = (CONF / "hydra" / "default.yaml").read_text(encoding="utf-8")
    help_text = text.partition("template: |-")[2]
    assert len(help_text.splitlines()) <= 60
    for name in COMMANDS:
        assert re.search(rf"^      {name} ", help_text, re.MULTILINE), name
