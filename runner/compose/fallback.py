"""Names among a run's fallbacks, looked up where Hydra finds its config groups: --config-dir included."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import MissingConfigException
from hydra.types import RunMode
from omegaconf import OmegaConf

from runner.config.loading import expanded
from runner.config.shipped import Group

from .secret_guard import refuse_in_config


def with_options(container: Mapping[str, Any]) -> Mapping[str, Any]:  # Any: not yet validated
    """Return the config with its fallbacks' options filled in; `SecretError` if one of them holds a credential."""
    if not container.get("fallbacks") or not GlobalHydra.instance().is_initialized():
        return container
    loader = GlobalHydra.instance().config_loader()
    return expanded(container, lambda group, name: _option(loader, group, name))


@functools.lru_cache(maxsize=64)
def _option(loader: ConfigLoader, group: Group, name: str) -> Mapping[str, Any] | None:  # Any: not yet validated
    if name not in loader.get_group_options(group):
        return None
    try:
        config = loader.load_configuration(None, [f"+{group}={name}"], RunMode.RUN)
    except MissingConfigException:
        return None
    # As a run's own sections are: as written, which names a credential's variable, and with what that brings to light.
    refuse_in_config({group: OmegaConf.to_container(config[group])})
    found = OmegaConf.to_container(config[group], resolve=True)
    refuse_in_config({group: found})
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else None
