"""Write what Hydra leaves in a run's `.hydra/`: its config, Hydra's own, and the overrides, as YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import yaml

from runner.artifacts.atomic import disk_errors

from .composer import Plain

_NUMBER = re.compile(r"[-+]?[0-9._]*[0-9][0-9._]*(?:[eE][-+]?[0-9]+)?")
"""Texts that OmegaConf reads as numbers, of which YAML 1.1 knows fewer."""


def _dumper(base: Any) -> Any:  # Any: a class of PyYAML's
    class Dumper(base):  # type: ignore[misc]  # as above
        def ignore_aliases(self, _data: object) -> bool:
            """Write what runs share as often as it stands there."""
            return True

    def text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if _NUMBER.fullmatch(text) else None)

    Dumper.add_representer(str, text)
    Dumper.add_multi_representer(PurePath, lambda dumper, path: text(dumper, str(path)))
    return Dumper


_SLOW = _dumper(yaml.SafeDumper)
_QUICK = _dumper(yaml.CSafeDumper) if yaml.__with_libyaml__ else _SLOW


def rendered(document: Mapping[str, Any] | Sequence[str]) -> str:  # Any: as Plain
    """Return plain data as YAML in block style, which OmegaConf and Hydra read back as it is."""
    try:
        return _dump(document, _QUICK)
    except UnicodeEncodeError:  # a directory's name that is no UTF-8, which libyaml does not write
        return _dump(document, _SLOW)


def _dump(document: object, dumper: Any) -> str:  # Any: a class of PyYAML's
    text: str = yaml.dump(document, Dumper=dumper, default_flow_style=False, allow_unicode=True, sort_keys=False)
    return text


class Renderer:
    """Render mappings as YAML. A section that is as it was in the mapping before is taken as it was rendered."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[object, str, str]] = {}

    def rendered(self, document: Plain) -> str:
        """Return the mapping as the function `rendered` does."""
        return "".join(self._section("", key, value) for key, value in document.items()) or rendered({})

    def below(self, name: str, document: Plain) -> str:
        """Return a mapping that has nothing but this one, under a name."""
        sections = "".join(self._section(name, key, value) for key, value in document.items())
        return f"{name}:\n{sections}" if sections else rendered({name: {}})

    def _section(self, name: str, key: str, value: object) -> str:
        known, spelled, text = self._last.get((name, key), (None, "", ""))
        if text and known is value:
            return text
        # Equal is not enough: 1 and true are, and stand there as they are.
        if not text or spelled != repr(value):
            alone = {key: value}
            text = rendered({name: alone}).removeprefix(f"{name}:\n") if name else rendered(alone)
        self._last[name, key] = value, repr(value), text
        return text


@dataclass(frozen=True, slots=True)
class Documents:
    """Hold a run's config and Hydra's (None: there is none), interpolations unresolved, and its overrides."""

    task: Plain
    overrides: Sequence[str]
    hydra: Plain | None = None

    def write(self, directory: Path, renderer: Renderer | None = None) -> None:
        """Write them into `directory`, which is made if need be; raises `DiskError`.

        One `renderer` for all runs of a sweep renders what they share once.
        """
        renderer = renderer or Renderer()
        with disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
            _write(directory / "config.yaml", renderer.rendered(self.task))
            if self.hydra is not None:
                _write(directory / "hydra.yaml", renderer.below("hydra", self.hydra))
            _write(directory / "overrides.yaml", rendered([*self.overrides]))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
