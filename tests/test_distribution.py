"""What is said about installing: the distribution's own name, and extras that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEXTS = [
    *(path for folder in ("runner", "conf", "hydra_plugins") for path in sorted((ROOT / folder).rglob("*.[py]*"))),
    *sorted(ROOT.glob("*.md")),
]


def named(pattern: str) -> list[str]:
    texts = [path.read_text(encoding="utf-8") for path in TEXTS if path.suffix in (".py", ".yaml", ".md")]
    return [found for text in texts for found in re.findall(pattern, text)]


def test_every_hint_names_this_distribution():
    # "runner" is a stranger's on the package index.
    assert named(rf"pip install '?(?!{PROJECT['name']})(\w*runner\[?)") == []
    assert named(r"(?<![\w.])runner\[(\w+)\]") == []


@pytest.mark.parametrize("extra", sorted(set(named(rf"{PROJECT['name']}\[([\w,-]+)\]"))))
def test_every_extra_in_a_hint_is_declared(extra):
    assert set(extra.split(",")) <= PROJECT["optional-dependencies"].keys()


def test_both_scripts_start_the_same_program():
    assert PROJECT["scripts"] == dict.fromkeys(("mediarunner", "runner"), "runner.__main__:main")
