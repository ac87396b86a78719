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


@pytest.mark.parametrize("group", ["provider", "model", "request", "experiment", "tracking", "hydra"])
def test_a_file_that_ends_in_yml_is_never_passed_over(own, said, group):
    own(f"{group}/draft.yml", "duration_seconds: 12\n")
    code, text = said("dry_run=true")
    assert code == 2
    assert f"mv own/{group}/draft.yml own/{group}/draft.yaml" in text


OURS_AT_ITS_BEST = "defaults: [config, _self_]\nrequest: {prompt: a hat}\n"


def test_a_primary_config_may_begin_with_the_shipped_one(own, said):
    own("ours.yaml", OURS_AT_ITS_BEST)
    code, text = said("--config-name", "ours", "-m", "replica=1,2", "dry_run=true")
    assert (code, "2 runs" in text) == (0, True)


@pytest.mark.parametrize(
    ("name", "content", "typed", "told"),
    [
        ("request/mine.yaml", "defaults: [video]\nrequest: {prompt: a hat}\n", "request=mine", "without 'request:'"),
        ("request/mine.yaml", "defaults: [video]\nmodel: sora-2-pro\n", "request=mine", "model goes into a file of ex"),
        ("request/mine.yaml", "prompt: a hat\n", "request=mine", "'defaults: [video]'"),
        ("provider/mine.yaml", "base_url: http://127.0.0.1:9/v1\n", "provider=mine", "'defaults: [openai]'"),
        ("mine.yaml", "defaults: [video]\n", "request=mine", "mv own/mine.yaml own/request/mine.yaml"),
        (
            "requests/mine.yaml",
            "defaults: [video]\n",
            "request=mine",
            "mv own/requests/mine.yaml own/request/mine.yaml",
        ),
        ("conf/request/mine.yaml", "defaults: [video]\n", "request=mine", "--config-dir own/conf"),
        ("product/mine.yml", "name: shoe\n", "+product=mine", "mv own/product/mine.yml own/product/mine.yaml"),
        (
            "draft.yaml",
            "defaults: [video]\nprompt: a hat\n",
            "request=draft",
            "mv own/draft.yaml own/request/draft.yaml",
        ),
        ("requests/draft.yaml", "prompt: a hat\n", "request=draft", "own/requests/draft.yaml would not be read"),
        ("experiment/e.yaml", "request: {prompt: a hat}\n", "+experiment=e", "'# @package _global_'"),
        ("experiment/e.yaml", "# Mine\n# @package _global_\nreplica: 1\n", "+experiment=e", "'# @package _global_'"),
        ("experiment/e.yaml", "", "+experiment=e", "'# @package _global_'"),
        (
            "experiment/e.yaml",
            "request: {prompt: '${experiment.brand}'}\nbrand: acme\n",
            "+experiment=e",
            "'# @package _global_'",
        ),
        ("experiment/e.yaml", "defaults:\n  - override /request: draft\n", "+experiment=e", "# @package _global_"),
        ("experiment/e.yaml", "# @package _global_\nexperiment: {replica: 1}\n", "+experiment=e", "below it come from"),
        ("experiment/e.yaml", "# @package _global_\nprompt: a hat\n", "+experiment=e", "did you mean request.prompt?"),
        ("experiment/e.yaml", "# @package _global_\nrequest: draft\n", "+experiment=e", "'- override /request: draft'"),
        (
            "experiment/e.yaml",
            "# @package _global_\ndefaults:\n  - override request: draft\n",
            "+experiment=e",
            "'- override /request: NAME'",
        ),
        (
            "experiment/e.yaml",
            "# @package _global_\ndefaults:\n  - request: draft\n",
            "+experiment=e",
            "'- override /request: draft'",
        ),
        (
            "experiment/e.yaml",
            "# @package _global_\nparams: {replica: '1,2'}\n",
            "+experiment=e",
            "hydra: sweeper: params:",
        ),
        (
            "experiment/e.yaml",
            "# @package _global_\nhydra: {params: {replica: '1,2'}}\n",
            "+experiment=e",
            "hydra: sweeper: params:",
        ),
        ("experiment/e.yaml", "# @package _global_\n- replica\n", "+experiment=e", "experiment/e.yaml: Cannot merge"),
        ("experiment/e.yaml", "# @package _global_\nreplica: 1: 2\n", "+experiment=e", "own/experiment/e.yaml"),
        ("ours.yaml", "request: {prompt: a hat}\n", "--config-name=ours", "'defaults: [config, _self_]'"),
        ("ours.yml", OURS_AT_ITS_BEST, "--config-name=ours", "mv own/ours.yml own/ours.yaml"),
        ("ours.yaml", OURS_AT_ITS_BEST, "--config-name=own/ours", "--config-dir own --config-name ours"),
    ],
)
@pytest.mark.parametrize("mode", [[], ["-m"]])
def test_a_file_that_is_wrong_or_lies_wrong_is_refused_with_what_to_do(
    own, said, here, mode, name, content, typed, told
):
    own(name, content)
    code, text = said(*mode, typed, "dry_run=true")
    assert code == 2
    assert told in text
    assert "Traceback" not in text
    assert [path.name for path in here.iterdir()] == ["own"]


def test_a_directory_of_the_users_other_files_is_no_mistake(own, said):
    own("draft.yaml", OURS_AT_ITS_BEST)
    own("docker-compose.yml", "services: {}\n")
    own("models/sora-2.yaml", "weights: here\n")
    assert said("request=draft", "model=sora-2", "dry_run=true")[0] == 0


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_checks_hang_on_what_a_sweeper_is_and_not_on_its_name(own, said):
    own("ours.yaml", OURS_AT_ITS_BEST)
    for group, hydras in (("sweeper", "basic_sweeper.BasicSweeper"), ("launcher", "basic_launcher.BasicLauncher")):
        own(f"hydra/{group}/runner.yaml", f"_target_: hydra._internal.core_plugins.{hydras}\n")
    code, text = said("-m", "replica=1,2", "dry_run=true")
    assert code == 2
    assert "neither checked nor priced" in text


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
@pytest.mark.filterwarnings("ignore:register_new_resolver:UserWarning")  # OmegaConf 2.4 has another name for it
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
    own("experiment/e.yaml", "# @package _global_\nreplcia: 3\nlamp: 1\n")
    code, text = said(*mode, "+experiment=e", "dry_run=true")
    assert code == 2
    assert "replcia: is no key here" in text
    assert "did you mean replica?" in text
    assert "${lamp}" in text


def test_defaults_lists_that_lead_round_are_refused(own, said):
    own("experiment/a.yaml", "# @package _global_\ndefaults: [/experiment/b]\n")
    own("experiment/b.yaml", "# @package _global_\ndefaults: [/experiment/a]\n")
    for more in ([], ["-m"]):
        code, text = said("+experiment=a", "dry_run=true", *more)
        assert code == 2
        assert "leads back to itself by its defaults list" in text


@pytest.mark.parametrize(
    ("name", "content", "typed", "told"),
    [
        (
            *("request/mine.yaml", "defaults: [vidoe]\n", ["request=mine"]),
            "request/mine.yaml: its defaults list names vidoe, and there is no request/vidoe.yaml",
        ),
        (
            *("mine.yaml", "defaults: [config, nope, _self_]\n", ["--config-name", "mine"]),
            "mine.yaml: its defaults list names nope, and there is no nope.yaml",
        ),
        (
            *("experiment/e.yaml", "# @package _global_\nrequest: {prompt: '${oc.env:NOT_SET_ANYWHERE}'}\n"),
            *(["+experiment=e"], "export NOT_SET_ANYWHERE=…"),
        ),
        (
            *("experiment/e.yaml", "# @package _global_\nprompts: {prompt: A red fox}\n", ["+experiment=e"]),
            "prompts: names a file, or is a list of rows, each of which begins with '- '",
        ),
    ],
    ids=["beside it", "primary", "environment", "mapping"],
)
def test_what_a_file_of_one_s_own_says_wrong_is_told_in_plain_words(own, said, name, content, typed, told):
    own(name, content)
    code, text = said(*typed, "dry_run=true")
    assert code == 2
    assert told in text
    assert "tuple" not in text


def test_a_second_directory_is_refused_as_one_of_them_would_not_be_read(own, said):
    own("request/mine.yaml", "defaults: [video]\n")
    for second in (["--config-dir", "own"], ["--config-dir=own"], ["-cd", "own"]):
        code, text = said(*second, "request=mine", "dry_run=true")
        assert code == 2
        assert "--config-dir is given twice" in text
