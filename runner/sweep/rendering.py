"""The text of `.hydra/*.yaml`, byte for byte as OmegaConf writes it, rendered once per value and not once per run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from omegaconf._utils import get_omega_conf_dumper

from runner.identity import ByIdentity

_MEMO_LIMIT = 8192
_BARE = re.compile(r"(?=[^/=]*[/=])[A-Za-z/][A-Za-z0-9_/.=,+:\\-]*(?<!:)")
"""Without spaces no line is folded, and with a slash or an equals sign it is neither number, date nor truth value."""
_DIGITS = re.compile(r"0|[1-9][0-9]{0,17}")
_SHARED_DEPTH = 2
"""How deep in a document mappings are looked for that the configs of a choice share."""


class Renderer:
    """Renders plain data in block style; equal entries of earlier runs are reused.

    Nested mappings are joined here; everything else is left to PyYAML with OmegaConf's dumper, nested as deep as it
    stands, so that line folding, quoting and indentation are its own. What was rendered must not be changed then.
    """

    def __init__(self) -> None:
        self._memo: dict[tuple[int, str, type, str], str] = {}
        self._heads: dict[tuple[int, str], str | None] = {}
        self._blocks: ByIdentity[str] = ByIdentity()

    def forget(self) -> None:
        """Keep nothing of what was rendered."""
        self._memo.clear()
        self._heads.clear()
        self._blocks.forget()

    def mapping(self, plain: Mapping[str, Any]) -> str:  # Any: a config's values are whatever its author wrote
        """A whole document that is a mapping."""
        return self._block(plain, 0) if plain else _dump({})

    def sequence(self, lines: Sequence[str]) -> str:
        """A whole document that is a list of strings."""
        return "".join(map(self._line, lines)) if lines else _dump([])

    def _line(self, text: str) -> str:
        return f"- {text}\n" if _is_bare(text) else self._remembered(0, "", text, [text])

    def _block(self, plain: Mapping[Any, Any], depth: int) -> str:  # Any: as above; keys may be numbers
        known = self._blocks.get(plain, depth) if depth <= _SHARED_DEPTH else None
        if known is not None:
            return known
        text = "".join([self._entry(key, value, depth) for key, value in plain.items()])
        return self._blocks.keep(plain, text, depth) if depth <= _SHARED_DEPTH else text

    def _entry(self, key: object, value: object, depth: int) -> str:
        if type(key) is str:
            tail = self._tail(value, depth)
            head = self._head(key, depth) if tail is not None else None
            if head is not None:
                return f"{head}{tail}"
        return self._remembered(depth, repr(key), value, {key: value})

    def _tail(self, value: object, depth: int) -> str | None:
        """What follows a key's colon, if it needs no YAML library."""
        if _is_bare(value):
            return f" {value}\n"
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            return f" '{value}'\n"
        if isinstance(value, dict) and value:
            return f"\n{self._block(value, depth + 1)}"
        if isinstance(value, list) and value and all(isinstance(each, str) and _is_bare(each) for each in value):
            return "\n" + "".join([f"{'  ' * depth}- {each}\n" for each in value])
        return None

    def _head(self, key: str, depth: int) -> str | None:
        """The key with its colon, if it stands on a line with what follows."""
        place = (depth, key)
        if place in self._heads:
            return self._heads[place]
        head = _nested({key: {}}, depth)
        usual = head.endswith(": {}\n") and "\n" not in head[:-1] and not head.lstrip().startswith("?")
        found = head.removesuffix(" {}\n") if usual else None
        if len(self._heads) < _MEMO_LIMIT:
            self._heads[place] = found
        return found

    def _remembered(self, depth: int, key: str, value: object, document: object) -> str:
        identity = (depth, key, type(value), repr(value))
        text = self._memo.get(identity)
        if text is None:
            text = _nested(document, depth)
            if len(self._memo) < _MEMO_LIMIT:
                self._memo[identity] = text
        return text


def _is_bare(value: object) -> bool:
    """Whether YAML writes a value as it stands: a number, or a path or assignment that can be nothing else."""
    return type(value) is int or (isinstance(value, str) and _BARE.fullmatch(value) is not None)


def _nested(document: object, depth: int) -> str:
    for _ in range(depth):
        document = {"a": document}
    lines = _dump(document).splitlines(keepends=True)
    return "".join(lines[depth:])


def _dump(document: object) -> str:
    dumper = _QUICK if _QUICK is not None and _is_printable_ascii(document) else get_omega_conf_dumper()
    text: str = yaml.dump(document, default_flow_style=False, allow_unicode=True, sort_keys=False, Dumper=dumper)
    return text


def _is_printable_ascii(value: object) -> bool:
    """Whether both emitters write the same: they differ beyond ASCII, at line breaks, in empty and very long keys."""
    if isinstance(value, str):
        return value.isascii() and value.isprintable()
    if isinstance(value, dict):
        return all(_is_printable_ascii(key) and 0 < len(str(key)) < 100 for key in value) and all(
            map(_is_printable_ascii, value.values())
        )
    return not isinstance(value, list) or all(map(_is_printable_ascii, value))


def _quick_dumper() -> type | None:
    """OmegaConf's dumper on libyaml's emitter, five times as fast; None where PyYAML was built without it."""
    base = getattr(yaml, "CDumper", None)
    if base is None:
        return None
    dumper = type("QuickDumper", (base,), {})
    yaml.add_representer(str, get_omega_conf_dumper().str_representer, Dumper=dumper)
    return dumper


_QUICK = _quick_dumper()
