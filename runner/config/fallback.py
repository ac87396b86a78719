"""Fallbacks as a user writes them: option names, or mappings that change some keys of an option."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .problem import Problem, did_you_mean
from .shipped import Group, names

Option = Callable[[Group, str], Mapping[str, Any] | None]  # Any: not yet validated
"""An option's keys by its group and name, None if there is none."""

_NAMED_BY: dict[Group, str] = {"provider": "kind", "model": "name"}
"""The key by which a mapping says whose keys it changes."""


def expanded(container: Mapping[str, Any], option: Option) -> Mapping[str, Any]:  # Any: not yet validated
    """Return the config with each name among its fallbacks replaced by that option's keys; unknown names stay.

    A fallback without a provider keeps the run's, one without a model keeps the run's.
    """
    listed = container.get("fallbacks")
    if not listed or not isinstance(listed, list | tuple):
        return container
    return {**container, "fallbacks": [_entry(entry, container, option) for entry in listed]}


def unknown_options(container: Mapping[str, Any]) -> Iterator[Problem]:  # Any: not yet validated
    """Yield the names that stand for no option."""
    for number, entry in enumerate(container.get("fallbacks") or ()):
        for group in _NAMED_BY:
            name = entry.get(group) if isinstance(entry, Mapping) else None
            if isinstance(name, str):
                near = did_you_mean(name, names(group))
                yield Problem(f"fallbacks.{number}.{group}", f"{name!r} is no option of conf/{group}/",
                              f"did you mean {near}?" if near else f"one of {', '.join(names(group))}")  # fmt: skip


def _entry(entry: object, container: Mapping[str, Any], option: Option) -> object:  # Any: not yet validated
    if not isinstance(entry, Mapping):
        return entry
    return {**entry, **{group: _section(entry.get(group), group, container, option) for group in _NAMED_BY}}


def _section(given: object, group: Group, container: Mapping[str, Any], option: Option) -> object:  # Any: as above
    if given is None:
        return container.get(group)
    if isinstance(given, str):
        found = option(group, given)
        return given if found is None else found
    if isinstance(given, Mapping):
        return {**(option(group, str(given.get(_NAMED_BY[group]))) or {}), **given}
    return given
