"""Overrides of single values on a saved config, in Hydra's grammar but without composing anything."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from runner.errors import ConfigError

from .prompt_guard import unheard

_GROUPS = frozenset({"provider", "model", "request", "experiment", "hydra"})


def apply(container: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:  # Any: a plain config tree
    """A copy of the config with each `key=value` set; `ConfigError` for what is no single value."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    changed: dict[str, Any] = copy.deepcopy(dict(container))  # Any: as above
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise ConfigError(f"an override cannot be read: {str(error).splitlines()[0]}", hint="key=value") from error
    for override in parsed:
        line = override.input_line or override.key_or_group
        if override.is_sweep_override() or override.is_delete() or override.package is not None:
            raise ConfigError(f"{line}: resume and repeat take single values only", hint="one key=value each")
        if override.key_or_group in _GROUPS:
            raise ConfigError(
                f"{line}: a saved config has no groups left to choose from",
                hint="change single values, as in model.deployment=NAME, or start a new run with this choice",
            )
        _set(changed, override.key_or_group.split("."), _value(override.key_or_group, override.value()))
    for problem in unheard(overrides, changed.get("request")):
        raise ConfigError(f"{problem.key}: {problem.message}", hint=problem.hint)
    return changed


def _value(key: str, value: object) -> object:
    """The value; tracking pays for nothing, and can be chosen anew by its name."""
    return {"kind": value} if key == "tracking" and isinstance(value, str) else value


def _set(node: dict[str, Any], path: Sequence[str], value: object) -> None:  # Any: a plain config tree
    for part in path[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise ConfigError(f"{'.'.join(path)}: {part} holds a value, not keys")
        node = child
    node[path[-1]] = value
