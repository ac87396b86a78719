from __future__ import annotations

import json
import subprocess
import sys

import pytest

from runner.app import run

CODE = """
import sys
from runner.app import run
code = run(sys.argv[1:])
print(code, *sys.modules, file=sys.stderr)
"""
HYDRA = {"antlr4", "hydra", "omegaconf"}
NEVER = {"PIL", "av", "httpx2", "multipart", "openai", "rich", "starlette", "tenacity", "uvicorn"}
WORK = {"filelock", "sqlite3", "runner.artifacts.result", "runner.engine.run", "runner.ledger"}
VALIDATION = {"pydantic", "runner.config.run", "runner.providers.body"}


def started(tmp_path, *arguments: str) -> tuple[str, set[str]]:
    """The exit code and all that was imported until then."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    code, *modules = done.stderr.splitlines()[-1].split()
    return code, set(modules)


@pytest.mark.parametrize("arguments", [["--cfg", "job"], ["--info", "defaults"], ["--hydra-help"]])
def test_what_only_prints_imports_neither_models_nor_engine(tmp_path, arguments):
    code, modules = started(tmp_path, *arguments)

    assert code == "0"
    assert modules & (NEVER | WORK | VALIDATION) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["-sc", "query=bash"], ["ls"]])
def test_what_is_asked_most_imports_no_hydra_either(tmp_path, monkeypatch, arguments):
    (tmp_path / "outputs").mkdir()
    monkeypatch.setenv("COMP_LINE", "runner request.dur")

    code, modules = started(tmp_path, *arguments)

    assert code == "0"
    assert modules & (NEVER | WORK | VALIDATION | HYDRA) <= {"sqlite3", "runner.ledger"}


def test_an_interrupted_call_is_listed_without_models(tmp_path):
    place = tmp_path / "outputs" / "call"
    place.mkdir(parents=True)
    config = {"provider": {"kind": "openai"}, "model": {"name": "sora-2"}, "request": {"prompt": "x"}, "fallbacks": []}
    (place / "result.json").write_text(json.dumps({"status": "submitted", "spent_usd": 0.4, "config": config}))

    code, modules = started(tmp_path, "ls", "--json")

    assert code == "0"
    assert "runner.ledger.calls" in modules
    assert modules & (NEVER | WORK | VALIDATION | HYDRA) <= {"sqlite3", "runner.ledger"}


def test_help_says_what_hydra_would_print(tmp_path, capsys):
    assert run(["--help"]) == 0
    quick = capsys.readouterr().out
    assert run(["--help", "--config-name", "config"]) == 0
    assert capsys.readouterr().out == quick


def test_a_mistake_in_a_key_is_told_without_ledger_engine_or_sdk(tmp_path):
    code, modules = started(tmp_path, "request.duration_secondz=4")

    assert code == "2"
    assert modules & (NEVER | WORK) == set()
    assert modules >= VALIDATION, "the rest of the config is validated all the same"


def test_finding_our_plugins_imports_nothing_of_what_they_do(tmp_path):
    _, modules = started(tmp_path, "--cfg", "job")

    assert "hydra_plugins.runner.sweeper" in modules
    assert not {name for name in modules if name.startswith("runner.sweeps.")}
