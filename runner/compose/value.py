"""Single values, in Hydra's grammar, set on plain config data as Hydra would set them, without composing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from runner.errors import ConfigError

from .prompt_guard import unheard

Plain = dict[str, Any]  # Any: a config's values are whatever its author wrote
_GROUPS = frozenset({"provider", "model", "request", "experiment", "hydra"})


@dataclass(frozen=True, slots=True)
class Value:
    """Describe one `key=value`.

    Attributes:
        mark: what is typed before the key: a value may take an old one's place, `+` makes a new key, `++` does either.
    """

    path: tuple[str, ...]
    value: Any  # Any: as Plain
    mark: Literal["", "+", "++"] = ""

    def fits(self, config: Mapping[str, Any]) -> bool:  # Any: as Plain
        """Return whether setting it gives what Hydra's merging gives; if not, Hydra may still take it or refuse it."""
        node: object = config
        for part in self.path:
            if not isinstance(node, dict):
                return False
            if part not in node:
                return bool(self.mark) and all(self.path)
            node = node[part]
        # Mappings are merged, and a plus refuses what is there.
        return not isinstance(node, dict) and (self.mark != "+" or node is None)


def with_value(config: Mapping[str, Any], path: Sequence[str], value: object) -> Plain:  # Any: as Plain
    """Return a config with the value at `path`, sharing all else with the old one, which stays as it is."""
    key, *rest = path
    if not rest:
        return {**config, key: value}
    below = config.get(key, {})
    return {**config, key: with_value(below if isinstance(below, dict) else {}, rest, value)}


def apply(container: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:  # Any: as Plain
    """Return a config with each `key=value` set; `ConfigError` for what is no single value."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    changed = dict(container)
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
        path = override.key_or_group.split(".")
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
