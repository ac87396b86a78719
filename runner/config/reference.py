"""Describe the keys of `conf/`: each with its comment, type and default, and each group as JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from .judge import JudgeConfig
from .model import ModelConfig
from .provider import ProviderConfig
from .request import RequestConfig
from .run import Tracking, WholeConfig
from .shipped import CONF, parsed_yaml

Schema = dict[str, Any]  # Any: JSON
Section = Literal["config", "provider", "model", "request", "tracking", "judge", "experiment", "hydra"]

GROUPS: tuple[Section, ...] = ("provider", "model", "request", "tracking")
"""The groups whose options fill the section of their name."""

SECTIONS: tuple[Section, ...] = ("config", *GROUPS, "judge", "experiment", "hydra")
"""What has a schema; `config` stands for `config.yaml`, the others for the folders of their names."""

FIRST = {"provider": "openai", "model": "sora-2", "request": "video", "tracking": "mlflow"}
"""The option of each group whose comment on a shared key is shown."""

_TYPES: dict[Section, Any] = {  # Any: a union is no class
    "provider": ProviderConfig, "model": ModelConfig, "request": RequestConfig, "tracking": Tracking,
    "judge": JudgeConfig,
}  # fmt: skip
_DIALECT = "http://json-schema.org/draft-07/schema#"
"""The version of JSON Schema that editors' YAML servers read."""

_INTERPOLATION = {"type": "string", "pattern": r"\$\{"}
_WORDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false",
          "array": "list", "object": "mapping", "null": "null"}  # fmt: skip


@dataclass(frozen=True)
class Key:
    """Describe one key.

    Attributes:
        path: dotted.
        type: in words.
        default: of the first option that has it.
        comment: of the same option.
        kinds: which of its section's kinds have it, where not all do, as in `video`.
    """

    path: str
    type: str
    default: object
    comment: str
    kinds: tuple[str, ...] = ()


def keys(section: Section) -> list[Key]:
    """Return the keys of a section in the order of its files; `config` has those that belong to no group."""
    made = schema(section)
    if section == "config":
        return list(_keys(made, _text("config"), ""))
    found: dict[str, Key] = {}
    for name in _options(section):
        for key in _keys(made, _text(f"{section}/{name}"), f"{section}."):
            found.setdefault(key.path, key)
    return list(found.values())


def comments(text: str) -> dict[str, str]:
    """Return the comment of each key of a YAML text by its dotted path.

    A comment stands above its key or behind it; keys that follow each other without one share it.
    """
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    above: list[str] = []
    for line in text.splitlines():
        bare = line.strip()
        match = _KEY.match(line)
        if not bare:
            above = []
        elif bare.startswith("#"):
            above = above if _is_header(bare) else [*([] if above[-1:] == [_USED] else above), bare.lstrip("# ")]
        elif match is not None:
            path = [*((indent, name) for indent, name in path if indent < len(match["indent"])),
                    (len(match["indent"]), match["name"].strip("'\""))]  # fmt: skip
            behind = match["rest"].rpartition(" # ")[2] if " # " in match["rest"] else ""
            shared = above[-1:] == [_USED]
            said = behind if behind and (shared or not above) else " ".join(each for each in above if each != _USED)
            if said:
                found[".".join(name for _, name in path)] = said.strip()
            above = above if shared or not above else [*above, _USED]
    return found


def schema(section: Section) -> Schema:
    """Return the JSON Schema of a section's YAML files; they may leave keys out, as files with `defaults` do."""
    if section == "hydra":
        made: Schema = {"type": "object", "description": "Hydra's own settings: hydra.cc/docs/configure_hydra/intro"}
    elif section in ("config", "experiment"):
        made = _whole(TypeAdapter(WholeConfig).json_schema())
    else:
        made = _lenient(TypeAdapter(_TYPES[section]).json_schema())
        _describe(made, section)
    return {"$schema": _DIALECT, **made, "title": f"runner: {section}"}


_USED = "\0"
"""Marks that a comment above has a key already: another comment begins anew."""

_KEY = re.compile(r"(?P<indent> *)(?P<name>[\w-]+|\"[^\"]+\"|'[^']+'):(?P<rest>(\s.*)?)$")


def _is_header(line: str) -> bool:
    return line.lstrip("# ").startswith(("@", "yaml-language-server:"))


def _text(name: str) -> str:
    return (CONF / f"{name}.yaml").read_text(encoding="utf-8")


def _options(section: Section) -> list[str]:
    names = sorted(path.stem for path in (CONF / section).glob("*.yaml"))
    return sorted(names, key=lambda name: name != FIRST.get(section))


def _keys(made: Schema, text: str, prefix: str) -> Iterator[Key]:
    said, values, variants = comments(text), parsed_yaml(text), _variants(made)
    for name, value in values.items():
        having = {kind: properties[name] for kind, properties in variants.items() if name in properties}
        if name in ("defaults", "kind") or not having:
            continue
        kinds = () if len(having) == len(variants) else tuple(having)
        described = next(iter(having.values()))
        inner = _target(described, made).get("properties") if isinstance(value, dict) else None
        for path, default, each in (
            [(f"{name}.{key}", value[key], inner.get(key, {})) for key in value]
            if inner
            else [(name, value, described)]
        ):
            yield Key(prefix + path, words(each), default, said.get(path, said.get(name, "")), kinds)


def _variants(made: Schema) -> dict[str, dict[str, Schema]]:
    """Return the properties of each kind of a section; of the kind that has none but its name, nothing."""
    targets = [_target(each, made) for each in made.get("anyOf", [made])]
    found = {each["properties"].get("kind", {}).get("const", ""): each["properties"] for each in targets}
    return {kind: properties for kind, properties in found.items() if kind != "none"}


def words(described: Schema) -> str:
    """Return a schema's type in words, as in `whole number or null`."""
    choices = described.get("anyOf") or described.get("oneOf")
    if choices:
        return " or ".join(dict.fromkeys(words(each) for each in choices if each != _INTERPOLATION))
    if "enum" in described:
        return ", ".join(str(each) for each in described["enum"])
    if "const" in described:
        return str(described["const"])
    if "$ref" in described:
        return "mapping"
    kind = str(described.get("type", "anything"))
    return _WORDS.get(kind, kind)


def _whole(made: Schema) -> Schema:
    """Return the schema of a primary config or an experiment: groups by name or in part, own keys, Hydra's keys."""
    made = _lenient(made)
    properties = made["properties"]
    choice = {group: {"type": ["string", "object"]} for group in ("provider", "model")}
    properties["fallbacks"] = {
        "type": "array", "items": {"type": "object", "properties": choice, "additionalProperties": False},
    }  # fmt: skip
    properties["hydra"] = {"type": "object"}
    made["additionalProperties"] = True  # own keys, for interpolations
    for path, said in comments(_text("config")).items():
        _explain(properties, path.split("."), said, made)
    for group in GROUPS:
        properties[group]["description"] = f"{group}=OPTION chooses one; keys here change it"
    return made


def _describe(made: Schema, section: Section) -> None:
    for name in reversed(_options(section)):
        text = _text(f"{section}/{name}")
        kind = parsed_yaml(text).get("kind")
        for each in (_target(variant, made) for variant in made.get("anyOf", [made])):
            if each["properties"].get("kind", {}).get("const") == kind:
                for path, said in comments(text).items():
                    _explain(each["properties"], path.split("."), said, made)


def _explain(properties: dict[str, Schema], path: list[str], said: str, made: Schema) -> None:
    described = properties.get(path[0])
    if described is not None and len(path) == 1:
        described["description"] = said
    elif described is not None:
        _explain(_target(described, made).get("properties", {}), path[1:], said, made)


def _target(each: Schema, made: Schema) -> Schema:
    """Return what a reference leads to, so that it can be changed."""
    found: Schema = made["$defs"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
    return found


def _lenient(made: Schema) -> Schema:
    """Let keys be left out, and any value be an interpolation; a union becomes one that editors complete."""
    if "oneOf" in made:
        made["anyOf"] = made.pop("oneOf")
        made.pop("discriminator", None)
    for each in (made, *made.get("$defs", {}).values()):
        if "properties" in each:
            each.pop("required", None)
            each["properties"] = {name: _open(value) for name, value in each["properties"].items()}
            each["properties"]["defaults"] = {
                "type": "array",
                "description": "what this file begins with, as in [video]",
            }
            each.pop("description", None)
    return made


def _open(value: Schema) -> Schema:
    value.pop("title", None)
    value.pop("default", None)
    value.pop("discriminator", None)
    if "oneOf" in value:
        value["anyOf"] = value.pop("oneOf")
    if value.get("type") == "string" or "$ref" in value or "const" in value:
        return value
    if "anyOf" in value:
        return {**value, "anyOf": [*value["anyOf"], _INTERPOLATION]}
    return {"anyOf": [value, _INTERPOLATION]}
