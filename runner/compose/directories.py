"""Refuse a directory that is typed and would not be read: the same command would pay again somewhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from runner.errors import ConfigError
from runner.shell import word

Kind = Literal["run", "sweep"]
"""Whose directory: `hydra.run.dir` or `hydra.sweep.dir`."""

_OTHER: dict[Kind, Kind] = {"run": "sweep", "sweep": "run"}
_OF = {"run": "a single run", "sweep": "a sweep"}


def typed_directory(overrides: Sequence[str], kind: Kind) -> str | None:
    """Return the directory that is typed for a single run or for a sweep, None if none is; raises Hydra's errors."""
    found = None
    own = [each for each in overrides if each.lstrip("+").startswith("hydra.")]
    for override in OverridesParser.create().parse_overrides(own):
        if override.is_delete():
            continue
        if override.key_or_group == f"hydra.{kind}.dir":
            found = override.get_value_element_as_str()
        elif override.key_or_group == f"hydra.{kind}" and isinstance(value := override.value(), dict):
            found = str(value["dir"]) if "dir" in value else found
    return found


def misplaced(overrides: Sequence[str], read: Kind) -> str | None:
    """Return the directory that is typed for the other kind alone, None if there is none."""
    return None if typed_directory(overrides, read) is not None else typed_directory(overrides, _OTHER[read])


def refuse_misplaced(overrides: Sequence[str], config: DictConfig, read: Kind) -> None:
    """Raise `ConfigError` for a directory of the other kind, unless the config makes of it the one that is read."""
    given, other = misplaced(overrides, read), _OTHER[read]
    if given is None or f"{other}.dir" in str(OmegaConf.to_container(config.hydra[read], resolve=False)):
        return
    hint = f"{word(f'hydra.{read}.dir={given}')} chooses the directory of {_OF[read]}"
    raise ConfigError(f"hydra.{other}.dir is the directory of {_OF[other]}, and this is {_OF[read]}; nothing was sent",
                      hint=hint)  # fmt: skip


def refuse_both(overrides: Sequence[str]) -> None:
    """Raise `ConfigError` for both, where a command without -m makes a sweep."""
    if typed_directory(overrides, "run") is not None and typed_directory(overrides, "sweep") is not None:
        raise ConfigError("hydra.run.dir and hydra.sweep.dir both say where this sweep goes; nothing was sent",
                          hint="leave one of the two out")  # fmt: skip
