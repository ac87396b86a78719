"""What is said about installing: the distribution's own name, and extras that exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
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


@pytest.mark.skipif(shutil.which("make") is None, reason="without make")
def test_make_demo_says_what_it_installs_before_it_does(tmp_path):
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\ncase "$1 $2" in\n"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;\n'
        f'"-m pip") echo "pip $*" ;;\n"-m runner") echo "a video" ;;\n*) exec {sys.executable} "$@" ;;\nesac\n'
    )
    python.chmod(0o755)
    command = ["make", "demo", f"PYTHON={python}", f"VENV={tmp_path}/venv"]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # of a `make test`
    done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=True, timeout=120)
    told, *others = done.stdout.splitlines()
    assert told.startswith(f"installing into {tmp_path}/venv/")
    assert "hydra-core, jinja2, omegaconf, openai, pillow" in told
    assert [line.partition(" ")[0] for line in others] == ["pip", "a"]
