"""Hydra's config loader without what it does again and again: copying its sources, reading and merging the same files.

Composing one config takes Hydra some 80 ms, of which copying takes a quarter, the scanner of PyYAML, written in Python,
a fifth, and merging a third; a config with a mistake in it is composed again to know all that is wrong, and a sweep's
first runs are composed of the same files as the sweep.
"""

from __future__ import annotations

import copy
import functools
import io
import pickle
from pathlib import Path
from typing import Any, Generic, TypeVar

import hydra.conf
import yaml
from hydra._internal import defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.core_plugins.importlib_resources_config_source import ImportlibResourcesConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import GroupDefault, InputDefault, ResultDefault
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import get_yaml_loader

from runner.config.shipped import directory
from runner.text_file import read_text

_T = TypeVar("_T")


_choices_map = getattr(defaults_list, "_create_interpolation_map", None)


def _map_if_asked(
    overrides: Any, entries: list[InputDefault], self_added: Any
) -> DictConfig | None:  # Any: Hydra's own
    """All choices so far, for the entries of a defaults list that are interpolations; None where there are none.

    Hydra makes this map for each file that it reads, for a sixth of the time of composing.
    """
    return _choices_map(overrides, entries, self_added) if _choices_map and any(map(_interpolates, entries)) else None


def _interpolates(entry: InputDefault) -> bool:
    if entry.is_self() or (isinstance(entry, GroupDefault) and entry.is_options()):
        return False
    return bool(entry.is_interpolation())


if _choices_map is not None:
    defaults_list._create_interpolation_map = _map_if_asked  # type: ignore[assignment]  # noqa: SLF001


class ConfigLoader(ConfigLoaderImpl):
    """Composes as Hydra does."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.repository = Repository(config_search_path)
        self._merged: dict[str, Mould[DictConfig]] = {}

    def _compose_config_from_defaults_list(self, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        """What the same files amount to, which are merged once."""
        key = repr((defaults, repo.get_sources()))
        if key in self._merged:
            return self._merged[key].cast()
        config: DictConfig = super()._compose_config_from_defaults_list(defaults=defaults, repo=repo)
        self._merged[key] = Mould(config)
        return config


class Repository(ConfigRepository):
    """Where config is looked for; Hydra's "deep" copies of it share the sources."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Have what is shipped read quickly, and all else by Hydra."""
        super().initialize_sources(config_search_path)
        self.sources = [_quick(source) for source in self.sources]
        self._loaded: dict[str, Mould[ConfigResult]] = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        """A config with its defaults list, read once; None if there is none."""
        if config_path in self._loaded:
            return self._loaded[config_path].cast()
        found: ConfigResult | None = super().load_config(config_path)
        if found is not None:
            self._loaded[config_path] = Mould(found)
        return found

    def __deepcopy__(self, _memo: dict[int, Any]) -> Repository:  # Any: as the copy module has it
        # Hydra would copy every registered config with the sources, for 20 ms; all that it changes is which they are.
        return copy.copy(self)


class ShippedSource(FileConfigSource):
    """Our own files, whose YAML libyaml and PyYAML read alike; of a user's that need not be so."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file as Hydra does."""
        return _read(self, Path(self.path, self._normalize_file_name(config_path)))


class UsersSource(FileConfigSource):
    """Somebody's files, which may begin with a byte order mark, before which Hydra sees no `@package`."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file as Hydra does; raises `ConfigError` where it is no UTF-8 text."""
        name = self._normalize_file_name(config_path)
        path = Path(self.path, name)
        if not path.is_file():
            raise ConfigLoadError(f"Config not found : {path}")
        text = read_text(path)
        header = ConfigSource._get_header_dict(text[:512])  # noqa: SLF001 - as its other sources do
        config = OmegaConf.load(_Text(text, str(path)))
        return ConfigResult(self.provider, f"{self.scheme()}://{self.path}", config, header)


class _Text(io.StringIO):
    """A text with the name that YAML's errors tell."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


class HydrasSource(ImportlibResourcesConfigSource):
    """Hydra's own files, of which the same is true."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file as Hydra does."""
        return _read(self, Path(hydra.conf.__file__).parent / self._normalize_file_name(config_path))


class Mould(Generic[_T]):
    """Makes objects like one as it was at first, in a fifth of the time that `deepcopy` takes."""

    def __init__(self, model: _T) -> None:
        try:
            self._cast = functools.partial(pickle.loads, pickle.dumps(model))
        except (AttributeError, TypeError, pickle.PicklingError):  # a dataclass of a user's, made in a function
            self._cast = functools.partial(copy.deepcopy, copy.deepcopy(model))

    def cast(self) -> _T:
        """Another one."""
        made: _T = self._cast()
        return made


def _quick(source: ConfigSource) -> ConfigSource:
    """The same source, reading quickly, if we know what is in it."""
    if source.scheme() == "file":
        shipped = Path(source.path) == directory() and yaml.__with_libyaml__
        return (ShippedSource if shipped else UsersSource)(source.provider, source.path)
    if yaml.__with_libyaml__ and source.full_path() == "pkg://hydra.conf" and Path(hydra.conf.__file__).is_file():
        return HydrasSource(source.provider, source.full_path())
    return source


def _read(source: ConfigSource, path: Path) -> ConfigResult:
    text, content = _parsed(path)
    header = ConfigSource._get_header_dict(text[:512])  # noqa: SLF001 - as its other sources do
    config = OmegaConf.create({} if content is None else content)
    return ConfigResult(source.provider, source.full_path(), config, header)


@functools.cache
def _parsed(path: Path) -> tuple[str, Any]:  # Any: a config tree
    text = path.read_text(encoding="utf-8")
    return text, yaml.load(text, Loader=_loader())  # noqa: S506 - OmegaConf's loader is a safe one


@functools.cache
def _loader() -> type[yaml.SafeLoader]:
    """OmegaConf's loader on libyaml's parser."""
    from yaml._yaml import CParser
    from yaml.constructor import SafeConstructor
    from yaml.resolver import Resolver

    class Loader(CParser, get_yaml_loader()):  # type: ignore[misc]  # a class that OmegaConf makes
        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    return Loader
