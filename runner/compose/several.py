"""A single run that asks for several videos: a small sweep, in the directory that the run would have had."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf


def asks_for_several(config: DictConfig) -> bool:
    """Return whether `number_of_videos` is a whole number above one; others are for the run's own check."""
    number = OmegaConf.select(config, "request.number_of_videos")
    return isinstance(number, int) and not isinstance(number, bool) and number > 1


def sweep_overrides(config: DictConfig) -> list[str]:
    """Return what makes a sweep of the run and nothing more: no experiment's sweep beside it."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.types import Quote, QuotedString

    HydraConfig.instance().set_config(config)
    directory = QuotedString(str(config.hydra.run.dir), Quote.single).with_quotes()
    return [f"hydra.sweep.dir={directory}", "hydra.sweeper.params=null"]
