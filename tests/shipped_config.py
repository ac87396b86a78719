"""The shipped conf/ with overrides: Hydra composes each option once, and what most tests ask for is made of those."""

from __future__ import annotations

import functools
import pickle

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override, OverrideType
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.compose.app import initialize
from runner.compose.loader import Compositions, Repository, parsed_override
from runner.config.shipped import CONF

_SECTIONS = frozenset({"provider", "model", "request", "tracking"})
"""Groups whose options say nothing outside their own section, which is asserted of each that is used."""


@functools.cache
def task(overrides: tuple[str, ...]) -> DictConfig:
    """A composed config without its `hydra` node, unresolved: what it takes from the environment may change."""
    lines = [parsed_override(line) for line in overrides]
    options = {line.key_or_group: str(line.input_line) for line in lines if _is_option(line)}
    values = [line for line in lines if not _is_option(line)]
    config = None
    if len(options) + len(values) == len(lines) and all(map(_is_value, values)):
        config = _put_together(options, values)
    return _composed(*overrides) if config is None else config


def reading_once(loader: ConfigLoader) -> ConfigLoader:
    """Let a loader read each file once, as it does for users."""
    loader.repository = Repository(loader.get_search_path())
    return loader


def _put_together(options: dict[str, str], values: list[Override]) -> DictConfig | None:
    """What Hydra makes of it; None where a value is refused, so that Hydra says why."""
    config: DictConfig = pickle.loads(_usual())
    OmegaConf.set_struct(config, True)
    for group, line in options.items():
        config[group] = _section(group, line)
    try:
        for line in values:
            force = line.type is OverrideType.FORCE_ADD
            OmegaConf.update(config, line.key_or_group, line.value(), merge=True, force_add=force)
    except OmegaConfBaseException:
        return None
    return config


@functools.cache
def _section(group: str, line: str) -> DictConfig:
    """What an option says, which is nothing outside its section."""
    config = _composed(line)
    whole, usual = OmegaConf.to_container(config), OmegaConf.to_container(pickle.loads(_usual()))
    assert isinstance(whole, dict)
    assert isinstance(usual, dict)
    assert {**whole, group: None} == {**usual, group: None}, f"{line} says something outside its section"
    section = config[group]
    assert isinstance(section, DictConfig)
    return section


@functools.cache
def _usual() -> bytes:
    return pickle.dumps(_composed())


def _composed(*overrides: str) -> DictConfig:
    """What Hydra makes of all overrides."""
    config = _shipped().load("config", [*overrides], RunMode.RUN)
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def _is_option(line: Override) -> bool:
    alone = line.type is OverrideType.CHANGE and line.package is None
    return alone and line.key_or_group in _SECTIONS and not line.is_sweep_override() and isinstance(line.value(), str)


def _is_value(line: Override) -> bool:
    """Whether Hydra sets it after all is composed, and where its place among other overrides means nothing."""
    key = line.key_or_group
    plain = line.type in (OverrideType.CHANGE, OverrideType.FORCE_ADD) and line.package is None
    return (
        plain
        and "." in key
        and not {"/", "[", "@"} & {*key}
        and not (line.is_hydra_override() or line.is_sweep_override())
    )


@functools.cache
def _shipped() -> Compositions:
    """What composes the shipped conf/, as commands do."""
    with initialize(CONF):
        return Compositions(reading_once(GlobalHydra.instance().config_loader()))
