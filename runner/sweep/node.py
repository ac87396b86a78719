"""Nodes of an OmegaConf config, read and replaced without what `config.key = value` costs: 0.1 to 0.8 ms each time."""

# ruff: noqa: SLF001 - OmegaConf's private API is what this module keeps to itself

from __future__ import annotations

import copy
from collections.abc import Sequence
from enum import Enum
from typing import Any, TypeVar

from omegaconf import Container, DictConfig, ListConfig, Node, OmegaConf
from omegaconf.nodes import ValueNode

_N = TypeVar("_N", bound=Node)

Children = dict[Any, Node]  # Any: a config's keys may be numbers


def children(config: DictConfig) -> Children:
    """The mapping's own nodes by key; they are its content itself, no copy."""
    found: Children = config.__dict__["_content"]
    return found


def child(config: DictConfig, key: str) -> DictConfig:
    """The mapping at `key`, which is one."""
    node = children(config)[key]
    if not isinstance(node, DictConfig):
        raise TypeError(f"{key} is a {type(node).__name__} and no mapping")
    return node


def replace_children(config: DictConfig, content: Children) -> None:
    """Give the mapping other nodes."""
    config.__dict__["_content"] = content


def twin(node: _N) -> _N:
    """A node of its own with the same value: changing one leaves the other."""
    return copy.deepcopy(node) if isinstance(node, Container) else _light_twin(node)


def set_text(config: DictConfig, key: str, value: str | int) -> None:
    """Replace the value at `key`, whose type it has, in a new node."""
    content = children(config)
    node = _light_twin(content[key])
    node.__dict__["_val"] = value
    content[key] = node


def set_lines(config: DictConfig, key: str, lines: Sequence[str]) -> None:
    """Replace the list of texts at `key`."""
    old = children(config)[key]
    if not isinstance(old, ListConfig) or not lines or not (like := _first(old)):
        config[key] = [*lines]
        return
    new = _light_twin(old)
    new.__dict__["_content"] = [_line(like, new, index, text) for index, text in enumerate(lines)]
    children(config)[key] = new


def plain(node: Node) -> Any:  # Any: the node's value
    """The node as plain data: interpolations unresolved, enums by name."""
    if isinstance(node, ListConfig) and (lines := _texts_in(node)):
        return lines
    if isinstance(node, Container) and not node._is_interpolation():
        return OmegaConf.to_container(node, resolve=False, enum_to_str=True)
    value = node._value()
    return value.name if isinstance(value, Enum) else value


def plain_except(config: DictConfig, known: Any, changed: Sequence[str]) -> Any:  # Any: plain data
    """The mapping as plain data, taken from `known` but for what lies at the dotted paths `changed`."""
    content = config.__dict__["_content"]
    if "" in changed or not isinstance(known, dict) or not isinstance(content, dict):
        return plain(config)
    below: dict[object, list[str]] = {}
    for path in changed:
        key, _, rest = path.partition(".")
        below.setdefault(key, []).append(rest)
    # A key that is no text, as in {1: …}, is spelled otherwise in a path.
    if any(type(key) is not str for key in content):
        return plain(config)
    return {key: _plain_at(node, known, key, below) for key, node in content.items()}


def _plain_at(node: Node, known: dict[str, Any], key: str, below: dict[object, list[str]]) -> Any:  # Any: plain data
    if key not in known or (key in below and not isinstance(node, DictConfig)):
        return plain(node)
    if key in below and isinstance(node, DictConfig):
        return plain_except(node, known[key], below[key])
    return known[key]


def _texts_in(node: ListConfig) -> list[str]:
    """The list's texts, if it holds some and nothing else."""
    content = node.__dict__["_content"]
    if not isinstance(content, list):
        return []
    texts = [each._value() for each in content if isinstance(each, ValueNode)]
    return texts if len(texts) == len(content) and all(type(text) is str for text in texts) else []


def _first(node: ListConfig) -> ValueNode | None:
    content = node.__dict__["_content"]
    return content[0] if isinstance(content, list) and content and isinstance(content[0], ValueNode) else None


def _line(like: ValueNode, parent: ListConfig, index: int, text: str) -> ValueNode:
    node = _light_twin(like)
    node.__dict__.update(_parent=parent, _val=text)
    node._metadata.key = index
    return node


def _light_twin(node: _N) -> _N:
    """A copy with metadata of its own; `deepcopy` takes ten times as long for a value."""
    new = object.__new__(type(node))
    new.__dict__.update(node.__dict__, _flags_cache=None)
    metadata = new.__dict__["_metadata"] = object.__new__(type(node._metadata))
    metadata.__dict__.update(node._metadata.__dict__)
    metadata.flags = None if metadata.flags is None else dict(metadata.flags)
    return new
