"""Hydra's loader with a check before everything that it gives."""

from __future__ import annotations

import pytest
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from runner.compose.loader import GuardedLoader
from runner.errors import ConfigError


@pytest.fixture
def hydras(loader: ConfigLoader) -> ConfigLoader:
    return GlobalHydra.instance().config_loader()


def test_a_run_of_a_sweep_is_what_hydra_composes(hydras):
    guarded = GuardedLoader(hydras, lambda _config: None)
    master = guarded.load_configuration("config", ["hydra.mode=MULTIRUN", "hydra.job.name=x"], RunMode.MULTIRUN)
    overrides = ["model=sora-2-pro", "request.seed=1", "hydra.sweep.dir=a/${now:%f}"]
    ours, theirs = (each.load_sweep_config(master, overrides) for each in (guarded, hydras))
    assert OmegaConf.to_yaml(ours) == OmegaConf.to_yaml(theirs)
    assert OmegaConf.get_cache(ours) == OmegaConf.get_cache(theirs)


def test_what_is_composed_is_looked_at_before_it_is_given(hydras):
    def check(config):
        raise ConfigError(f"{config.request.kind} is not wanted")

    with pytest.raises(ConfigError, match="video is not wanted"):
        GuardedLoader(hydras, check).load_configuration("config", [], RunMode.RUN)


def test_it_tells_of_groups_and_places_what_hydra_tells(hydras):
    guarded = GuardedLoader(hydras, lambda _config: None)
    assert guarded.get_group_options("model") == hydras.get_group_options("model")
    assert guarded.list_groups("hydra") == hydras.list_groups("hydra")
    assert guarded.get_sources() == hydras.get_sources()
    assert guarded.get_search_path() is hydras.get_search_path()
    lists = [each.compute_defaults_list("config", [], RunMode.RUN).defaults for each in (guarded, hydras)]
    assert lists[0] == lists[1]
