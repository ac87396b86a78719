"""Config files of one's own, in a folder given by --config-dir."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.app import run


@pytest.fixture
def own(here: Path):
    def write(name: str, text: str) -> None:
        path = here / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


@pytest.fixture
def said(capsys):
    """What a command with --config-dir prints, and its exit code."""

    def call(*arguments: str) -> tuple[int, str]:
        code = run(["--config-dir", "own", *arguments])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


def test_an_option_of_ones_own_takes_the_place_of_a_shipped_one(own, said):
    own("request/draft.yaml", "defaults: [video]\nduration_seconds: 12\nprompt: Our own draft\n")
    code, text = said("request=draft", "dry_run=true")
    assert code == 0
    assert "$1.20" in text


@pytest.mark.parametrize("name", ["config.yaml", "hydra/default.yaml"])
def test_a_file_that_runs_rely_on_is_not_shadowed(own, said, name):
    own(name, "defaults: [_self_]\n")
    code, text = said("dry_run=true")
    assert code == 2
    assert f"own/{name}" in text
    assert "--config-name" in text


OURS = "defaults:\n  - provider: emulator\n  - model: sora-2\n  - request: draft\n  - _self_\n"


def test_a_sweep_that_nothing_would_check_is_refused(own, said, here):
    own("ours.yaml", OURS)
    code, text = said("--config-name", "ours", "-m", "request.duration_seconds=4,8")
    assert code == 2
    assert "hydra: default" in text
    assert not (here / "multirun").exists()
    assert (
        said("--config-name", "ours", "-m", "hydra/sweeper=runner", "+dry_run=true", "request.duration_seconds=4,8")[0]
        == 0
    )


def test_a_primary_config_with_hydras_default_is_a_sweep_like_any(own, said):
    own("ours.yaml", OURS.replace("  - _self_", "  - hydra: default\n  - _self_"))
    code, text = said("--config-name", "ours", "-m", "request.duration_seconds=4,8", "+dry_run=true")
    assert (code, "2 runs" in text) == (0, True)


@pytest.mark.parametrize("mode", [[], ["-m"]])
def test_resolvers_of_a_callback_work_with_and_without_a_sweep(own, said, here, monkeypatch, mode):
    library = (
        "from hydra.experimental.callback import Callback\nfrom omegaconf import OmegaConf\n"
        "class Resolvers(Callback):\n    def __init__(self):\n"
        "        OmegaConf.register_new_resolver('team.slug', lambda name: f'slug-{name}', replace=True)\n"
    )
    (here / "teamlib_of_a_test.py").write_text(library)
    monkeypatch.syspath_prepend(here)
    own(
        "experiment/e.yaml",
        "# @package _global_\nrequest: {prompt: 'a ${team.slug:boat}'}\n"
        "hydra: {callbacks: {team: {_target_: teamlib_of_a_test.Resolvers}}}\n",
    )
    code, text = said(*mode, "+experiment=e", "dry_run=true", "request=draft")
    assert code == 0, text


@pytest.mark.parametrize("mode", [[], ["-m"]])
def test_keys_of_ones_own_are_taken_where_something_uses_them(own, said, mode):
    own("product/shoe.yaml", "name: red shoe\n")
    own(
        "experiment/e.yaml",
        "# @package _global_\ndefaults:\n  - /product: shoe\n  - _self_\n"
        "brand: acme\nrequest: {prompt: 'A reel of ${product.name}'}\nhydra: {run: {dir: 'outputs/${brand}'}}\n",
    )
    code, text = said(*mode, "+experiment=e", "dry_run=true")
    assert code == 0, text


@pytest.mark.parametrize("mode", [[], ["-m"]])
def test_a_key_that_nothing_uses_is_refused_as_a_misspelt_one(own, said, mode):
    own("experiment/e.yaml", "# @package _global_\nreplcia: 3\nspare: 1\n")
    code, text = said(*mode, "+experiment=e", "dry_run=true")
    assert code == 2
    assert "replcia: is no key here" in text
    assert "did you mean replica?" in text
    assert "${spare}" in text
