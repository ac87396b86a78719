"""Expand a sweep to its points: what is typed and what `hydra.sweeper.params` names, as lists of overrides."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from runner.errors import ConfigError

Point = list[str]


def points(loader: ConfigLoader, master: DictConfig, arguments: Sequence[str]) -> list[Point]:
    """Return the overrides of each run; raises Hydra's errors, and `ConfigError`.

    A key's values are those that are typed, else those in `params`, which may be a text as one types it (`4,8`) or a
    list. A swept option that is added, as `+experiment=a,b`, brings its own `params`, which the others do not have.
    """
    parser = OverridesParser.create(config_loader=loader)
    typed = parser.parse_overrides([*arguments])
    own = [override for override in typed if _chooses_added_options(override)]
    if not own:
        return _product(parser, [*_lines(_params(master)), *arguments])
    found: list[Point] = []
    rest = [override for override in typed if override not in own]
    for choice in itertools.product(*(_choices(override) for override in own)):
        config = _composed(loader, master, [*(_line(override) for override in rest if _is_plain(override)), *choice])
        found += _product(parser, [*_lines(_params(config)), *(_line(override) for override in rest), *choice])
    return found


def _product(parser: OverridesParser, lines: Sequence[str]) -> list[Point]:
    return combinations(parser.parse_overrides([*lines]))


def combinations(overrides: Sequence[Override]) -> list[Point]:
    """Return every combination of what is swept, as Hydra's basic sweeper makes them; a key's last override counts."""
    found: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            found[key] = [f"{key}={override.get_value_element_as_str()}"]
        elif override.is_discrete_sweep():
            found[key] = [*_choices(override)]
        else:
            kind = override.value_type.name if override.value_type else "this"
            raise HydraException(f"{override.input_line}: a sweep of the type {kind} is for an optimiser alone")
    return [list(point) for point in itertools.product(*found.values())]


def _params(config: DictConfig) -> Mapping[str, Any]:  # Any: a text, a number, or a list of such
    found = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    params = found.get("params") if isinstance(found, dict) else None
    return {str(key): value for key, value in params.items()} if isinstance(params, dict) else {}


def _lines(params: Mapping[str, Any]) -> list[str]:  # Any: as above
    empty = next((key for key, value in params.items() if value == []), None)
    if empty is not None:
        raise ConfigError(f"hydra.sweeper.params: {empty} is an empty list; nothing was sent", hint=f"{empty}: [a, b]")
    return [f"{key}={_values(value)}" for key, value in params.items()]


def _values(value: object) -> str:
    """Return the choices of a value: a list's elements, or what a text says behind `key=`."""
    if isinstance(value, list):
        return ",".join(map(_in_grammar, value))
    return value if isinstance(value, str) else _in_grammar(value)


def _in_grammar(value: object) -> str:
    """Return one value as Hydra's grammar writes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_in_grammar(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(_in_grammar, value))}]"
    return QuotedString(value, Quote.single).with_quotes() if isinstance(value, str) else str(value)


def _chooses_added_options(override: Override) -> bool:
    return override.is_add() and override.is_discrete_sweep() and "." not in override.key_or_group


def _choices(override: Override) -> Iterator[str]:
    return (f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator())


def _is_plain(override: Override) -> bool:
    return not override.is_sweep_override()


def _line(override: Override) -> str:
    return str(override.input_line)


def _composed(loader: ConfigLoader, master: DictConfig, lines: Sequence[str]) -> DictConfig:
    # Unresolved: an override of an interpolation stands there as it was typed.
    named = [str(line) for line in OmegaConf.to_container(master.hydra.overrides.hydra, resolve=False) or ()]
    return loader.load_configuration(master.hydra.job.config_name, [*named, *lines], RunMode.MULTIRUN)
