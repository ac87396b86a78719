"""Hydra's config loader, but nothing that it composes is passed on before it was looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf


class GuardedLoader(ConfigLoader):
    """Composes as the loader that it is given; `check` sees each config of a run or a sweep first, and may raise."""

    def __init__(self, loader: ConfigLoader, check: Callable[[DictConfig], None]) -> None:
        self._loader = loader
        self._check = check

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose a run, or a sweep as a whole."""
        config: DictConfig = self._loader.load_configuration(
            config_name, overrides, run_mode, from_shell, validate_sweep_overrides
        )
        self._check(config)
        return config

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Compose one run of a sweep, which may bring axes of its own: later Hydras refuse that as another sweeper."""
        lines = OmegaConf.to_container(master_config.hydra.overrides.hydra)
        own = [str(line) for line in lines] if isinstance(lines, list) else []
        config: DictConfig = self._loader.load_configuration(
            master_config.hydra.job.config_name, [*own, *sweep_overrides], RunMode.RUN
        )
        # So that what time it is, for one, is the same for all.
        OmegaConf.copy_cache(from_config=master_config, to_config=config)
        return config

    def get_search_path(self) -> ConfigSearchPath:
        """Return where config is looked for."""
        return self._loader.get_search_path()

    def get_sources(self) -> list[ConfigSource]:
        """Return what is found there."""
        sources: list[ConfigSource] = self._loader.get_sources()
        return sources

    def list_groups(self, parent_name: str) -> list[str]:
        """Return the groups below a group, '' for all."""
        groups: list[str] = self._loader.list_groups(parent_name)
        return groups

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """Return the options of a group."""
        options: list[str] = self._loader.get_group_options(group_name, results_filter, config_name, overrides)
        return options

    def compute_defaults_list(self, config_name: str | None, overrides: list[str], run_mode: RunMode) -> Any:
        """Return the defaults list that the overrides lead to."""
        return self._loader.compute_defaults_list(config_name, overrides, run_mode)
