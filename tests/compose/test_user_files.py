from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.object_type import ObjectType
from hydra.types import RunMode
from omegaconf import OmegaConf

from runner.compose.app import initialize
from runner.compose.loader import Repository
from runner.config.shipped import CONF
from runner.errors import ConfigError

OVERRIDES = [
    [],
    ["request.duration_seconds=4", "+request.extra_params.a=1"],
    ["request=image", "model=gpt-image-2"],
    ["+experiment=draft_vs_pro"],
    ["hydra.verbose=true", "~request.duration_seconds", "hydra/launcher=basic"],
]
SHIPPED = sorted(CONF.rglob("*.yaml"))


@pytest.fixture(autouse=True)
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RUNNER_STARTED", "2026-11-23/09-30-00-test")
    with initialize(CONF):
        yield


def search_path(extra: Path | None = None):
    path = create_config_search_path(str(CONF))
    if extra is not None:
        path.prepend(provider="command-line", path=f"file://{extra}", anchor=SearchPathQuery(provider="schema"))
    return path


def reading(path: ConfigSearchPath) -> ConfigLoaderImpl:
    """Hydra's loader over the files as they are read here."""
    loader = ConfigLoaderImpl(path)
    loader.repository = Repository(path)
    return loader


def composed(loader: ConfigLoaderImpl, overrides: list[str], mode: RunMode = RunMode.RUN) -> str:
    return OmegaConf.to_yaml(loader.load_configuration("config", overrides, mode))


@pytest.mark.parametrize("overrides", OVERRIDES, ids=" ".join)
def test_it_composes_what_hydra_composes(overrides):
    own, hydras = reading(search_path()), ConfigLoaderImpl(search_path())
    assert composed(own, overrides) == composed(hydras, overrides)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_users_file_is_read_alike_with_a_byte_order_mark_and_without(tmp_path, end):
    (tmp_path / "experiment").mkdir()
    text = f"# @package _global_{end}request:{end}  prompt: A café{end}".encode()
    (tmp_path / "experiment" / "plain.yaml").write_bytes(text)
    (tmp_path / "experiment" / "marked.yaml").write_bytes(b"\xef\xbb\xbf" + text)
    loader = reading(search_path(tmp_path))

    plain, marked = (composed(loader, [f"+experiment={name}", "hydra=default"]) for name in ("plain", "marked"))
    assert "prompt: A café" in plain
    assert marked == plain.replace("experiment=plain", "experiment=marked").replace(
        "experiment: plain", "experiment: marked"
    )


def test_a_users_file_in_another_encoding_is_refused_by_name_and_byte(tmp_path):
    (tmp_path / "experiment").mkdir()
    path = tmp_path / "experiment" / "latin.yaml"
    path.write_bytes("# @package _global_\nrequest: {prompt: A café}\n".encode("latin-1"))

    with pytest.raises(ConfigError, match=rf"{path} is no UTF-8 text: byte 43 .counted from 0, in line 2. is 0xe9"):
        composed(reading(search_path(tmp_path)), ["+experiment=latin"])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_shipped_file_is_read_as_by_omegaconf(path):
    name = str(path.relative_to(CONF))
    read = reading(search_path()).repository.sources[1].load_config(name)
    hydras = ConfigLoaderImpl(search_path()).repository.sources[1].load_config(name)

    assert OmegaConf.load(path) == read.config
    assert repr(OmegaConf.to_container(read.config)) == repr(OmegaConf.to_container(hydras.config))
    assert (read.header, read.provider, read.path) == (hydras.header, hydras.provider, hydras.path)


def test_files_of_the_user_are_read_by_hydra_and_come_first(tmp_path):
    (tmp_path / "request").mkdir()
    (tmp_path / "request" / "video.yaml").write_text(
        "# mine\nkind: video\nprompt: 1:30\nseed: 0o7\nextra: [a:b, 1e3]\n"
    )
    own, hydras = reading(search_path(tmp_path)), ConfigLoaderImpl(search_path(tmp_path))

    assert composed(own, []) == composed(hydras, [])
    assert "extra" in composed(own, [])


def test_a_defaults_list_may_choose_by_what_was_chosen(tmp_path):
    for name, text in {
        "own.yaml": "defaults:\n  - _self_\n  - tone: low\n  - trim: ${tone}",
        "tone/low.yaml": "pitch: 1",
        "tone/high.yaml": "pitch: 9",
        "trim/low.yaml": "cut: long",
        "trim/high.yaml": "cut: short",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    loader = reading(search_path(tmp_path))

    for tone, pitch, cut in (("low", 1, "long"), ("high", 9, "short")):
        config = loader.load_configuration("own", [f"tone={tone}"], RunMode.RUN)
        assert (config.tone.pitch, config.trim.cut) == (pitch, cut)


def test_a_header_that_says_nothing_is_refused(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "odd.yaml").write_text("# @package _global_ too\nreplica: 1\n")
    with pytest.raises(ConfigError, match=r"odd.yaml: cannot be read: '# @package _global_ too'"):
        composed(reading(search_path(tmp_path)), ["+experiment=odd"])


def test_a_search_path_given_with_one_command_is_not_kept_for_the_next(tmp_path):
    (tmp_path / "request").mkdir()
    (tmp_path / "request" / "mine.yaml").write_text("kind: video\nprompt: mine\n")
    own, hydras = reading(search_path()), ConfigLoaderImpl(search_path())
    overrides = [f"hydra.searchpath=[file://{tmp_path}]", "request=mine"]

    assert composed(own, overrides) == composed(hydras, overrides)
    assert "mine" not in own.get_group_options("request")
    assert composed(own, []) == composed(hydras, [])


def test_it_lists_the_groups_that_hydra_lists():
    own, hydras = reading(search_path()), ConfigLoaderImpl(search_path())
    for group in ("", "hydra", "hydra/launcher", "model", "provider"):
        for kind in ObjectType.CONFIG, ObjectType.GROUP:
            assert own.get_group_options(group, kind) == hydras.get_group_options(group, kind)


def test_a_file_is_read_as_it_is_when_a_command_begins(tmp_path):
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment" / "own.yaml"
    for prompt in ("before", "afterwards"):
        file.write_text(f"# @package _global_\nrequest:\n  prompt: {prompt}\n")
        loader = reading(search_path(tmp_path))
        assert f"prompt: {prompt}" in composed(loader, ["+experiment=own"])


@pytest.mark.parametrize("name", ["config", "hydra/job_logging/default"])
def test_what_is_done_with_a_config_changes_no_other_one_s(name):
    path = search_path()
    theirs = ConfigLoaderImpl(path).repository.load_config(name)
    for repository in (Repository(path), Repository(path)):
        for _ in range(2):
            found = repository.load_config(name)
            assert found == theirs
            found.config["added"] = found.header["added"] = "x"
