from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.app import run
from runner.commands.catalog import COMMANDS
from runner.commands.completion import asked, plain_suggestions, suggestions


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("outputs/multirun/2026", "outputs/.emulator", "own/request"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "own/request/ours.yaml").write_text("defaults: [video]\n")
    (tmp_path / "outputs/notes.txt").touch()
    return tmp_path


def offered(line: str) -> set[str]:
    return set(suggestions(line))


@pytest.mark.parametrize("program", ["runner", "python -m runner", "/usr/bin/python3.11 -m runner"])
def test_the_first_word_may_be_a_command(program):
    assert offered(f"{program} sho") == {"show"}
    assert {*COMMANDS, "provider=", "request."} <= offered(f"{program} ")


@pytest.mark.parametrize("command", ["ls", "repeat", "report", "resume", "show"])
def test_commands_are_offered_directories(command):
    assert offered(f"runner {command} ") == {"outputs/", "own/"}
    assert offered(f"runner {command} ou") == {"outputs/"}
    assert offered(f"runner {command} outputs/") == {"outputs/multirun/"}
    assert offered(f"runner {command} outputs/multirun/2") == {"outputs/multirun/2026/"}
    assert offered(f"runner {command} nowhere/") == set()


def test_a_directory_by_its_whole_path_or_from_home(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    assert offered(f"runner show {here}/ou") == {f"{here}/outputs/"}
    assert offered("runner show ~/ou") == {"~/outputs/"}
    assert "/tmp/" in offered("runner show /tm") or not Path("/tmp").is_dir()


@pytest.mark.parametrize(
    "before", ["", "doctor ", "-m ", "model=nope ", "nope=1 ", "request.prompt='a b' ", "--nope ", "= "]
)
def test_groups_options_and_keys_are_offered_whatever_is_wrong_before(before, capfd):
    assert offered(f"runner {before}provider=az") == {"provider=azure_openai"}
    assert offered(f"runner {before}request.dur") == {"request.duration_seconds="}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("command", ["repeat", "resume"])
def test_keys_and_no_groups_are_offered_after_the_directory_of_what_is_saved(command):
    assert offered(f"runner {command} outputs/2026 request.dur") == {"request.duration_seconds="}
    assert offered(f"runner {command} outputs/2026 request.seed=1 provider.poll_i") == {"provider.poll_interval="}
    assert offered(f"runner {command} outputs/2026 dry_run=") == offered("runner dry_run=")
    assert "dry_run=" in offered(f"runner {command} outputs/2026 ")
    assert offered(f"runner {command} outputs/2026 ") & {"provider=", "model=", "request="} == set()


def test_overrides_are_offered_after_what_makes_a_character():
    assert offered("runner character ") == {"create", "show"}
    assert offered("runner character sh") == {"show"}
    assert offered("runner character create ") == set()
    for action in ("create boat.mp4", "create boat.mp4 --name Boat", "show char_1"):
        assert offered(f"runner character {action} provider=az") == {"provider=azure_openai"}
    assert offered("runner character show char_1 --config-dir ow") == {"own/"}
    assert "request=ours" in offered("runner character show char_1 --config-dir own request=")


def test_options_of_ones_own_are_offered(here):
    assert offered("runner --config-dir ow") == {"own/"}
    assert "request=ours" in offered("runner --config-dir own request=")
    (here / "own/config.yaml").write_text("refused: true\n")
    assert "request=draft" in offered("runner --config-dir own request=")


@pytest.mark.parametrize("typed", [[], ["install=tcsh"], ["query=bash", "install=bash"], ["foo=bash"]])
def test_a_shell_that_is_not_known_is_refused(typed, capsys):
    assert run(["-sc", *typed]) == 2
    assert "install=bash" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (["python", "-m", "runner", "sho"], ["show "]),
        (["runner", "show", "outputs/mu"], ["outputs/multirun/"]),
        # Bash ends words at = and colons, and wants what comes behind.
        (["runner", "provider", "=", "az"], ["azure_openai "]),
        (["runner", "request.dur"], ["request.duration_seconds="]),
        (["python", "-m", "http"], []),
        (["python", "setup"], []),
    ],
)
def test_bash_takes_what_is_offered(words, replies):
    typed = " ".join(words).replace(" = ", "=")
    script = f"""
        eval "$(python -m runner -sc install=bash)"
        COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE="{typed}"; COMP_POINT={len(typed)}
        _runner_complete; printf '%s\n' "${{COMPREPLY[@]}}"
        eval "$(python -m runner -sc uninstall=bash)"; complete -p runner 2>/dev/null
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert [line for line in done.stdout.split("\n") if line] == replies


_LINES = [
    ((), ("", "h", "hydra", "p", "prov", "provider", "mod", "experiment", "re", "request", "t", "tags", "ye", "zzz")),
    ((), ("request.", "request.d", "request.seed", "budget.", "budget.max", "run.", "storage.")),
    ((), ("provider=", "provider=o", "provider=zz", "model=sora", "request=", "experiment=", "tracking=", "nope=")),
    ((), ("dry_run=", "replica=", "request.seed=", "request.thumbnail=", "request.kind=", "name=", "repeat=")),
    (("provider=openai",), ("provider.", "provider.latency", "provider.poll", "model.")),
    (("-m", "request=draft", "model=gpt-image-1"), ("request.", "model.s", "request.duration_seconds=")),
    (("request=image", "request.n=2", "budget.max_usd=3"), ("request.", "request.q", "budget.m", "bat")),
]


@pytest.mark.parametrize(("before", "words"), _LINES)
def test_what_files_tell_is_what_hydra_would_offer(before, words):
    for word in words:
        offered = plain_suggestions(before, word)
        assert offered is not None, word
        assert sorted({*offered}) == sorted({*asked(before, word)}), word


@pytest.mark.parametrize(
    ("before", "word"),
    [
        ((), "hydra."),
        ((), "nope."),
        ((), "tags."),
        ((), "hydra/"),
        ((), "+request."),
        ((), "--cf"),
        ((), "request.prompt="),
        ((), "request.image_list."),
        ((), "request.seed=4"),
        (("--config-dir", "own"), "request="),
        (("experiment=draft_vs_pro",), "request."),
        (("model=sora-2,sora-2-pro",), "model."),
        (("model=nope",), "model."),
        (("request.nope=1",), "request."),
        (("request.seed=1",), "request.seed="),
        (("hydra.sweep.dir=x",), "request."),
    ],
)
def test_what_files_do_not_tell_is_left_to_hydra(before, word):
    assert plain_suggestions(before, word) is None


def test_with_a_plugin_that_may_bring_groups_hydra_is_asked(here, monkeypatch):
    (here / "site/hydra_plugins/ours").mkdir(parents=True)
    monkeypatch.syspath_prepend(here / "site")
    assert plain_suggestions((), "provider=az") is None
    assert offered("runner provider=az") == {"provider=azure_openai"}
