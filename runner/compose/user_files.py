"""Config files as users save them: perhaps with a byte order mark, or in an encoding that is refused by name."""

from __future__ import annotations

import copy
import io
import os
import re
from pathlib import Path
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import OmegaConf

from runner.errors import ConfigError
from runner.text_file import read_text

_HEADER = re.compile(r"\s*#\s*@(\w+)\s+(\S+)\s*")


class Repository(ConfigRepository):
    """Where Hydra looks for config; of each directory the files are read as users save them."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Take the sources of a search path, as Hydra does whenever that changes."""
        super().initialize_sources(config_search_path)
        self.sources = [
            UserFiles(source.provider, source.full_path()) if source.scheme() == "file" else source
            for source in self.sources
        ]

    def __deepcopy__(self, _memo: dict[int, Any]) -> Repository:  # Any: as the copy module has it
        """Share the sources, of which Hydra only changes which they are; copying all they hold would take 20 ms."""
        return copy.copy(self)


class UserFiles(ConfigSource):
    """A directory of YAML files."""

    @staticmethod
    def scheme() -> str:
        """Return what its addresses begin with."""
        return "file"

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file as Hydra does; raises `ConfigError` where it is no UTF-8 text."""
        path = self._place(_with_ending(config_path))
        if not path.is_file():
            raise ConfigLoadError(f"Config not found : {path}")
        text = read_text(path)
        return ConfigResult(
            self.provider, self.full_path(), OmegaConf.load(_Text(text, str(path))), _header(text, path)
        )

    def available(self) -> bool:
        """Return whether the directory is there."""
        return self.is_group("")

    def is_group(self, config_path: str) -> bool:
        """Return whether there is a directory of this name."""
        return self._place(config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        """Return whether there is a file of this name."""
        return self._place(_with_ending(config_path)).is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the names of the directories and files in a directory, or of one kind of them."""
        found = {path for path in self._place(config_path).iterdir() if path.name not in ("__pycache__", "__init__.py")}
        groups = {path.name for path in found if path.is_dir()}
        configs = {path.stem for path in found if path.suffix == ".yaml" and path.is_file()}
        return sorted(
            (groups if results_filter is not ObjectType.CONFIG else set())
            | (configs if results_filter is not ObjectType.GROUP else set())
        )

    def _place(self, name: str) -> Path:
        return Path(os.path.realpath(os.path.join(self.path, name)))  # noqa: PTH118 - as Hydra does, text for text


class _Text(io.StringIO):
    """A text with the name that YAML's errors tell."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


def _with_ending(name: str) -> str:
    return name if name.endswith(".yaml") else f"{name}.yaml"


def _header(text: str, path: Path) -> dict[str, str | None]:
    """Return what the comments before anything else say, as in `# @package _global_`; raises `ConfigError`."""
    header: dict[str, str | None] = {"package": None}
    for line in text.splitlines():
        found = _HEADER.fullmatch(line)
        if found is not None:
            header[found[1]] = found[2]
        elif line.strip():
            if line.lstrip("# \t").startswith("@") and line.lstrip().startswith("#"):
                raise ConfigError(f"{path}: cannot be read: {line.strip()[:80]!r}", hint="# @package _global_")
            break
    return header
