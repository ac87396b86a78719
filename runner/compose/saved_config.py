"""Read the config that a run was made with, and set single values on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.errors import ConfigError

from .composer import Plain, with_value
from .typed import unheard

_GROUPS = frozenset({"provider", "model", "request", "experiment", "hydra"})


def read_saved(path: Path) -> Plain | None:
    """Return the config in a `config.yaml`, resolved; None where it cannot be read."""
    with suppress(OSError, yaml.YAMLError, OmegaConfBaseException, ValueError, RecursionError):
        found = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
        return {str(key): value for key, value in found.items()} if isinstance(found, dict) else None
    return None


def apply(container: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:  # Any: as Plain
    """Return a config with each `key=value` set; `ConfigError` for what is no single value."""
    changed = dict(container)
    try:
        lines = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise ConfigError(f"an override cannot be read: {str(error).splitlines()[0]}", hint="key=value") from error
    for override in lines:
        line = override.input_line or override.key_or_group
        if override.is_sweep_override() or override.is_delete() or override.package is not None:
            raise ConfigError(f"{line}: resume and repeat take single values only", hint="one key=value each")
        if override.key_or_group in _GROUPS:
            raise ConfigError(
                f"{line}: a saved config has no groups left to choose from",
                hint="change single values, as in model.deployment=NAME, or start a new run with this choice",
            )
        path = override.key_or_group.split(".")
        if path[0] in ("vars", "run"):
            hint = "type the prompt as it is to be: \"request.prompt='A red fox'\""
            raise ConfigError(f"{line}: a saved config's prompt is filled already; nothing was sent", hint=hint)
        _refuse_below_value(changed, path)
        changed = with_value(changed, path, _value(override.key_or_group, override.value()))
    for problem in unheard(overrides, changed.get("request")):
        raise ConfigError(f"{problem.key}: {problem.message}", hint=problem.hint)
    return changed


def _value(key: str, value: object) -> object:
    """Return the value; tracking pays for nothing, and can be chosen anew by its name."""
    return {"kind": value} if key == "tracking" and isinstance(value, str) else value


def _refuse_below_value(config: Mapping[str, Any], path: Sequence[str]) -> None:  # Any: as Plain
    node: object = config
    for part in path[:-1]:
        node = node.get(part, {}) if isinstance(node, Mapping) else node
        if not isinstance(node, Mapping):
            raise ConfigError(f"{'.'.join(path)}: {part} holds a value, not keys")
