from __future__ import annotations

import subprocess
import sys

import pytest

import runner
from runner import errors


def test_the_public_names_are_sorted_and_there():
    assert runner.__all__ == sorted(runner.__all__)
    assert all(getattr(runner, name) is not None for name in runner.__all__)
    assert dir(runner) == runner.__all__


def test_the_whole_error_tree_is_public():
    assert set(errors.__all__) <= set(runner.__all__)
    assert all(getattr(runner, name) is getattr(errors, name) for name in errors.__all__)


def test_there_are_no_other_names():
    with pytest.raises(AttributeError, match="generate_song"):
        _ = runner.generate_song


def loaded_by(program: str) -> str:
    heavy = "('openai', 'httpx2', 'av', 'PIL', 'hydra', 'omegaconf', 'pydantic')"
    program = f"import sys\n{program}\nprint([name for name in {heavy} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import runner") == "[]"


def test_importing_the_functions_loads_neither_the_sdk_nor_hydra():
    assert loaded_by("from runner import generate_video, VideoGenerationConfig") == "['pydantic']"
