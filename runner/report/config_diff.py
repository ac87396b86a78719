"""Compare runs' configs by dotted key: what all have in common, and what each has of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from runner.artifacts.redaction import redacted
from runner.config.run import RunConfig

Leaves = dict[str, Any]
"""Dotted key to JSON. Any: JSON."""

HOW = frozenset(
    [
        "budget",
        "delete_remote",
        "dry_run",
        "fail_fast",
        "gallery",
        "metrics",
        "name",
        "objective",
        "progress",
        "reuse",
        "reuse_from",
        "storage",
        "tags",
        "tracking",
        "verify",
        "yes",
    ]
)
"""Keys of a config that say how a call behaved and nothing of what it made: two sweeps seldom have the same."""

_FILLED = {f"vars.{name}": f"request.{name}" for name in ("prompt", "negative_prompt")}
"""Words by which a table's prompt is sent as it stands, and where it stands then."""

LONGEST = 65_536
"""Characters of a text that are shown: twice the longest prompt; an image that was given as text is longer."""

_SIMPLE = (bool, int, str, type(None))


class ConfigDiff:
    """Compare many configs; only fields that differ are looked into."""

    def __init__(self, configs: Sequence[RunConfig]) -> None:
        self._first = _leaves(configs[0]) if configs else {}
        fields = _differing_fields(configs)
        self._own = [dict(_of(config, fields)) for config in configs]
        # A field that differs may hold leaves that do not.
        self._differing = {key for own in self._own[1:] for key in _unlike(own, self._own[0])}

    @property
    def shared(self) -> Leaves:
        """Return the leaves that all configs have equal."""
        return {key: value for key, value in self._first.items() if key not in self._differing}

    def own(self, number: int) -> Leaves:
        """Return the other leaves, of one config."""
        own = {key: value for key, value in self._own[number].items() if key in self._differing}
        twice = {key for key, filled in _FILLED.items() if key in own and own[key] == own.get(filled)}
        return {key: value for key, value in own.items() if key not in twice}


def _unlike(one: Leaves, other: Leaves) -> Iterator[str]:
    missing = object()
    return (key for key in {**one, **other} if one.get(key, missing) != other.get(key, missing))


def _differing_fields(configs: Sequence[RunConfig]) -> dict[str, list[str]]:
    """Return, by section, the fields that are not the same in all configs; a section without fields is its own."""
    found: dict[str, dict[str, None]] = {}
    for config in configs[1:]:
        for section in RunConfig.model_fields:
            one, other = getattr(config, section), getattr(configs[0], section)
            if one is not other and one != other:
                found.setdefault(section, {}).update(dict.fromkeys(_differing(one, other)))
    return {section: [*names] for section, names in found.items()}


def _differing(one: object, other: object) -> Iterator[str]:
    if not (isinstance(one, BaseModel) and isinstance(other, BaseModel)):
        yield ""
        return
    missing = object()
    for name in {**type(one).model_fields, **type(other).model_fields}:
        if getattr(one, name, missing) != getattr(other, name, missing):
            yield name


def _of(config: RunConfig, fields: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Any]]:  # Any: JSON
    """Yield the leaves of some fields of some sections."""
    for section, names in fields.items():
        part = getattr(config, section)
        if not isinstance(part, BaseModel) or "" in names:
            yield from _flat(section, redacted(config.model_dump(mode="json", include={section}))[section])
            continue
        known = type(part).model_fields
        for name in names:
            if name in known:
                yield from _field(part, section, name)


def _field(part: BaseModel, section: str, name: str) -> Iterator[tuple[str, Any]]:  # Any: JSON
    value = getattr(part, name)
    if type(value) not in _SIMPLE:
        value = part.model_dump(mode="json", include={name})[name]
    yield from _flat(f"{section}.{name}", redacted({name: value})[name])


def _leaves(config: RunConfig) -> Leaves:
    return {
        key: value
        for section, part in redacted(config.model_dump(mode="json")).items()
        for key, value in _flat(section, part)
    }


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:  # Any: JSON
    if isinstance(value, dict) and value and not any("." in name for name in value):
        for name, child in value.items():
            yield from _flat(f"{key}.{name}", child)
    else:
        yield key, shortened(value)


def shortened(value: Any) -> Any:  # Any: JSON in, the same JSON out
    """Return the same JSON without what is too long to be looked at, as an image in a text."""
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:80]}… ({len(value):,} characters)"
    if isinstance(value, list):
        return [shortened(child) for child in value]
    return value
