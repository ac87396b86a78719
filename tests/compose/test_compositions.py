"""What differs in single values is composed once: all configs are those that Hydra composes, and files may change."""

from __future__ import annotations

import shutil

import pytest
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf

from runner.compose import loader as module
from runner.compose.app import initialize
from runner.compose.loader import Compositions, Repository
from runner.config.shipped import CONF
from tests.compose.test_composer import SHAPES

FOR_SWEEPS = [
    ["model=sora-2,sora-2-pro", "request.duration_seconds=4,8", "hydra.mode=MULTIRUN", "hydra.sweep.dir=out"],
    ["hydra.mode=RUN,MULTIRUN"],
    ["model=???"],
    ["request.size=null", "vars={a: 1}", "+vars.b=2", "vars.a=3"],
    ["request.seed=1", "request={seed:2}", "request.seed=3"],
    ["hydra.run.dir=a/${now:%f}", "hydra.job.chdir=true"],
    ["reuse_from=[a,'b c']", "provider=openai", "reuse_from=[]", "exclude=[{model: sora-2, seeds: [1, null]}]"],
    ["reuse_from=[${request.prompt},b]", "request.prompt=[a fox]", "request=draft", "exclude.0=x"],
    ["request.prompt=[]", "request.prompt.0=x"],
]


@pytest.fixture(scope="module")
def hydras(loader: ConfigLoader) -> ConfigLoader:
    return GlobalHydra.instance().config_loader()


def outcome(load, overrides, mode, **options):
    """A config as plain data in its order, with its flags and types, or what was raised."""
    try:
        config = load("config", list(overrides), mode, **options)
    except Exception as error:  # noqa: BLE001 - compared with the other's
        return type(error), str(error)
    flags = [OmegaConf.is_struct(config), OmegaConf.is_readonly(config), OmegaConf.is_readonly(config.hydra)]
    types = [OmegaConf.get_type(config.hydra, str(key)) for key in config.hydra]
    return repr(OmegaConf.to_container(config)), flags, types


CASES = [*((shape, RunMode.RUN) for shape in SHAPES), *((shape, mode) for shape in FOR_SWEEPS for mode in RunMode)]


@pytest.mark.parametrize(
    ("overrides", "mode"), CASES, ids=lambda value: value.name if isinstance(value, RunMode) else " ".join(value)
)
def test_every_config_is_the_one_that_hydra_composes(hydras, overrides, mode):
    compositions = Compositions(hydras)
    theirs = outcome(hydras.load_configuration, overrides, mode)
    for _ in range(2):
        assert outcome(compositions.load, overrides, mode) == theirs


@pytest.mark.parametrize("mode", RunMode)
def test_what_a_sweep_is_to_choose_may_stand_there(hydras, mode):
    lines = ["request.seed=1,2", "model=sora-2,sora-2-pro", "request.prompt=a fox"]
    ours, theirs = (
        outcome(load, lines, mode, validate_sweep_overrides=False)
        for load in (Compositions(hydras).load, hydras.load_configuration)
    )
    assert ours == theirs


def test_a_sweep_and_its_runs_take_one_composition(hydras, monkeypatch):
    monkeypatch.setattr(module, "_SHARED", {})
    calls = []

    def load(*arguments):
        calls.append(arguments)
        return composed(*arguments)

    composed = hydras.load_configuration
    monkeypatch.setattr(hydras, "load_configuration", load)
    for overrides in (
        ["provider=openai", "hydra.sweep.dir=out", "request.seed=1,2", "hydra.mode=MULTIRUN"],
        ["hydra.sweep.dir=out", "hydra.mode=MULTIRUN", "provider=openai", "dry_run=true"],
        ["provider=openai", "request.prompt=a fox"],
        ["provider=openai", "request.prompt=a fox", "reuse_from=[a,b]", "exclude=[{model: sora-2}]"],
    ):
        Compositions(hydras).load("config", overrides, RunMode.MULTIRUN)
    assert len(calls) == 1


def test_a_file_that_was_changed_is_read_again(tmp_path, monkeypatch):
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    monkeypatch.setattr(module, "CONF", conf)

    def seed():
        GlobalHydra.instance().clear()
        initialize(conf)
        loader = GlobalHydra.instance().config_loader()
        loader.repository = Repository(loader.get_search_path())
        return Compositions(loader).load("config", ["request.prompt=a fox"], RunMode.RUN).request.seed

    before = seed()
    preset = conf / "request/video.yaml"
    preset.write_text(preset.read_text().replace("seed: null", "seed: 4711"))
    assert (before, seed()) == (None, 4711)
    GlobalHydra.instance().clear()


def test_a_group_of_ones_own_is_no_value_although_a_key_has_its_name(tmp_path):
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    (conf / "name").mkdir()
    (conf / "name/mine.yaml").write_text("x: 1")
    GlobalHydra.instance().clear()
    initialize(conf)
    hydras = GlobalHydra.instance().config_loader()
    theirs = outcome(hydras.load_configuration, ["name=mine"], RunMode.RUN)
    assert outcome(Compositions(hydras).load, ["name=mine"], RunMode.RUN) == theirs
    assert issubclass(theirs[0], HydraException)
    GlobalHydra.instance().clear()


def test_configs_are_no_one_elses(hydras):
    compositions = Compositions(hydras)
    first = compositions.load("config", ["request.seed=1"], RunMode.RUN)
    first.request.prompt = "changed"
    assert compositions.load("config", ["request.seed=1"], RunMode.RUN).request.prompt != "changed"
