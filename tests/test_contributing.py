"""What CONTRIBUTING says of adding things, tried on a copy of the project; and the files that it names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDES = ("CONTRIBUTING.md", "docs/architecture.md")


@pytest.mark.parametrize("guide", GUIDES)
def test_every_file_that_is_named_exists(guide):
    text = (ROOT / guide).read_text(encoding="utf-8")
    named = re.findall(r"`((?:runner|tests|conf|docs|hydra_plugins)/[\w./-]+|[a-z]+/[\w-]+\.(?:py|md|yaml))`", text)
    assert named
    places = (ROOT, ROOT / "runner")
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's own files, in which commands run."""
    for name in ("runner", "conf", "hydra_plugins"):
        shutil.copytree(ROOT / name, tmp_path / name)  # with what is compiled
    return tmp_path


def command(project: Path, *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "AZURE_", "HYDRA_"))}
    typed = [sys.executable, "-m", "runner", *arguments]
    environment = {**kept, "PYTHONPATH": str(project), "ACME_KEY": "an-emulated-key"}
    done = subprocess.run(typed, cwd=project, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_compatible_server_is_one_entry_and_one_file(project, emulator):
    dialects = project / "runner/config/dialect.py"
    text = dialects.read_text(encoding="utf-8")
    entry = '"xai": _XAI, "acme": Dialect(video_operations=frozenset({"create"}), tells_mark=False)'
    dialects.write_text(text.replace('"xai": _XAI', entry, 1), encoding="utf-8")
    option = (project / "conf/provider/sglang.yaml").read_text(encoding="utf-8")
    option = option.replace("dialect: sglang", "dialect: acme").replace("SGLANG_BASE_URL", "ACME_BASE_URL")
    (project / "conf/provider/acme.yaml").write_text(option, encoding="utf-8")

    reached = (f"provider.base_url={emulator.base_url}", "provider.api_key_env=ACME_KEY")
    command(project, "provider=acme", *reached, "provider.poll_interval=0.05")

    assert len([*project.glob("outputs/*/*/video.mp4")]) == 1
    assert "dialect: acme" in next(project.glob("outputs/*/*/.hydra/config.yaml")).read_text(encoding="utf-8")


def test_a_model_is_one_file(project, emulator):
    option = (project / "conf/model/sora-2.yaml").read_text(encoding="utf-8")
    (project / "conf/model/acme-1.yaml").write_text(option.replace("name: sora-2", "name: acme-1"), encoding="utf-8")

    assert "acme-1" in command(project, "model=acme-1", "dry_run=true")
    assert "acme-1" in command(project, "models")
