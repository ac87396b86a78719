"""Complete groups, options and keys from the config files alone, where Hydra would find nothing else in them.

Most lines are of that kind, and importing Hydra takes longer than a user wants to wait after TAB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.config.groups import below, files_tell_all
from runner.config.shipped import CONF, REFRESHED

Tree = Mapping[str, Any]
"""Any: a config, as YAML has it."""

_PLAIN = re.compile(r"[\w./-]*")
_WORD = re.compile(r"(?!-)[\w./-]*(=[\w./-]*)?")
_SWEEP = frozenset({"-m", "--multirun"})
_FIRST = ("provider", "model", "request", "tracking")
"""Groups whose options are sections of the same name."""


_GIVEN = object()
"""Stands for a value that was typed, of which Hydra knows what it means."""


class _UnknownError(Exception):
    """Tell that only Hydra knows."""


def plain_suggestions(words: Sequence[str], word: str) -> list[str] | None:
    """Return what `word` may become after other words; None where only Hydra can tell."""
    if not _WORD.fullmatch(word) or not files_tell_all():
        return None
    try:
        config = _composed(dict(_assigned(words)))
        return [*_groups(word), *_keys(config, word)]
    except _UnknownError:
        return None


def _assigned(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield keys with what the words assign to them."""
    for each in words:
        key, found, value = each.partition("=")
        if each in _SWEEP:
            continue
        if not found or not key or not _PLAIN.fullmatch(key) or not _PLAIN.fullmatch(value):
            raise _UnknownError
        yield key, value


def _composed(given: Mapping[str, str]) -> Tree:
    """Return the config without Hydra's own section, and with what is given at its keys."""
    config, chosen = _main()
    sections = {group: _option(group, given.get(group, name)) for group, name in chosen.items()}
    whole = _merged(config, sections)
    for key in given:
        if key not in chosen:
            *above, last = key.split(".")
            node = _node(whole, above)
            if last not in node or isinstance(node[last], dict | list):
                raise _UnknownError
            node[last] = _GIVEN
    return whole


def _main() -> tuple[dict[str, Any], dict[str, str]]:
    """Return the primary config, and which option of which group it chooses."""
    config = _read("config")
    chosen: dict[str, str] = {}
    for each in config.pop("defaults"):
        chosen |= each if isinstance(each, dict) else {}
    chosen.pop("hydra")
    if set(chosen) != {*_FIRST}:
        raise _UnknownError
    return config, chosen


def _option(group: str, name: str) -> dict[str, Any]:
    content = _read(f"{group}/{name}")
    merged: dict[str, Any] = {}
    for each in content.pop("defaults", ()):
        if not isinstance(each, str):
            raise _UnknownError
        merged = _merged(merged, {} if each == "_self_" else _option(group, each))
    return _merged(merged, content)


def _read(name: str) -> dict[str, Any]:
    import yaml

    path = next((path for root in (CONF, REFRESHED) if (path := root / f"{name}.yaml").is_file()), None)
    if path is None:
        raise _UnknownError
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (OSError, ValueError, yaml.YAMLError):
        raise _UnknownError from None
    if not isinstance(content, dict) or "@package" in text:
        raise _UnknownError
    return content


def _merged(one: Tree, other: Tree) -> dict[str, Any]:
    both = {key: _merged(one[key], other[key]) for key in one.keys() & other.keys() if _are_trees(one[key], other[key])}
    return {**one, **other, **both}


def _are_trees(*values: object) -> bool:
    return all(isinstance(value, dict) for value in values)


def _node(tree: Any, names: Sequence[str]) -> dict[str, Any]:
    for name in names:
        tree = tree.get(name) if isinstance(tree, dict) else None
    if not isinstance(tree, dict):
        raise _UnknownError
    return tree


def _groups(word: str) -> Iterator[str]:
    """Yield the groups, or a group's options, that begin so."""
    group, found, begun = word.partition("=")
    if found:
        if begun.startswith((".", "/")) or group.startswith("hydra") or ".." in group:
            raise _UnknownError
        yield from (f"{group}={option}" for option in below(group)[1] if option.startswith(begun))
        return
    if "/" in word:
        raise _UnknownError
    for name in below()[0]:
        if name.startswith(word):
            groups, options = below(name)
            # Hydra's own group has groups of other sources below it.
            ends = {(True, False): "/", (False, True): "="}
            yield name + ("" if name == "hydra" else ends.get((bool(groups), bool(options)), ""))


def _keys(config: Tree, word: str) -> Iterator[str]:
    """Yield the keys, or a key's value, that begin so."""
    key, found, begun = word.partition("=")
    *above, last = key.split(".")
    if above[:1] == ["hydra"]:
        raise _UnknownError
    if found and key in (*_FIRST, "experiment", "hydra"):
        return
    node = _node(config, above)
    if found:
        value = node.get(last)
        if begun or not (
            value is None or isinstance(value, int) or (isinstance(value, str) and _PLAIN.fullmatch(value))
        ):
            raise _UnknownError
        if value is not None:
            yield f"{word}{str(value).lower() if isinstance(value, bool) else value}"
        return
    before = "".join(f"{name}." for name in above)
    names = {name: "." if isinstance(value, dict | list) else "=" for name, value in node.items()}
    if not above:
        names["hydra"] = "."
    yield from (f"{before}{name}{end}" for name, end in names.items() if str(name).startswith(last))
