"""Find what tells the runs of a sweep from one another."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.config.run import RunConfig

_SECTIONS = ("provider", "model", "request")

ID = "id"
"""The key under which it is told what the row of a table is called that a run was made by."""

_ID, _PROMPT = "run.id", "request.prompt"
_UNTOLD = frozenset({"run.line", "run.sha256", "run.slug", "vars.prompt", "vars.negative_prompt"})
"""Keys that a table's rows give, whose values other columns tell: the id and the prompt."""


@dataclass(frozen=True, slots=True)
class Varying:
    """Describe the keys that differ between runs, as one would override them, and each run's values."""

    keys: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]  # Any: values of a config


def varying(overrides: Sequence[Sequence[str]], configs: Sequence[RunConfig]) -> Varying:
    """Return the keys in the order in which the user gave them, then what varies without having been named.

    Of a table's rows, what each is called and its prompt stand first.
    """
    choices = [_lines_by_key(lines) for lines in overrides]
    named = dict.fromkeys(key for choice in choices for key in choice if key not in _UNTOLD)
    columns = {
        key: [_value(choice, key, config) for choice, config in zip(choices, configs, strict=True)] for key in named
    }
    columns = {key: column for key, column in columns.items() if _differs(column)}
    columns |= {key: column for key, column in _unnamed(configs, columns) if key not in columns}
    if _ID in columns:
        prompts: list[object] = [config.request.prompt for config in configs]
        first = {ID: columns.pop(_ID)} | ({_PROMPT: prompts} if _differs(prompts) else {})
        columns = first | {key: column for key, column in columns.items() if key not in first}
    return Varying(tuple(columns), tuple(zip(*columns.values(), strict=True)) or ((),) * len(configs))


def typed(lines: Sequence[str], key: str) -> str | None:
    """Return the text that was typed for a key, by the user and not by a table's row; None if there is none."""
    values = [line.partition("=")[2] for line in lines if line.removeprefix("+").startswith(f"{key}=")]
    return _text(values[-1]) if values else None


def _lines_by_key(lines: Sequence[str]) -> dict[str, str]:
    """Return each key's last override; of thousands of runs, neither keys nor values are copied."""
    pairs = ((sys.intern(line.partition("=")[0].lstrip("+~")), line) for line in lines)
    return {key: line for key, line in pairs if not key.startswith(("hydra.", "hydra/"))}


def _value(choice: Mapping[str, str], key: str, config: RunConfig) -> object:
    """Return the value that the run has, or for a group (and for a key that is none) the text of the override."""
    section, _, name = key.partition(".")
    holder = getattr(config, section, None) if section in RunConfig.model_fields else None
    if name and isinstance(holder, Mapping):
        return holder.get(name, _text(_assigned(choice, key)))
    if name and hasattr(holder, name):
        value = getattr(holder, name)
        return _text(_assigned(choice, key)) if value is None else value
    if not name and section not in _SECTIONS and holder is not None:
        return holder
    return _assigned(choice, key) or _option(holder)


def _assigned(choice: Mapping[str, str], key: str) -> str | None:
    """Return the text that a key's override gives it; None where there is none."""
    return choice[key].partition("=")[2] if key in choice else None


def _option(section: object) -> object:
    """Return what a section is called whose option no override names, as of a sweep's runs before it grew."""
    return getattr(section, "name", None) or getattr(section, "kind", None)


def _text(value: str | None) -> str | None:
    """Return the value of an override whose key loading consumes, as it does a prompt's file; None for no value."""
    if value is None or value == "null":
        return None
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1].replace(f"\\{value[0]}", value[0]) if quoted else value


def _unnamed(configs: Sequence[RunConfig], told: Collection[str]) -> Iterator[tuple[str, list[object]]]:
    for section in _SECTIONS:
        parts = [getattr(config, section) for config in configs]
        # A chosen group stands for all that it changes; so does an experiment.
        if not _differs(parts) or any(_is_group(key, section) for key in told):
            continue
        for name in sorted({name for part in parts for name in type(part).model_fields} - {"kind"}):
            column = [getattr(part, name, None) for part in parts]
            if _differs(column):
                yield f"{section}.{name}", column


def _is_group(key: str, section: str) -> bool:
    """Return whether `key` chooses the section's option, or an option that may change any section."""
    group = key.partition("@")[0]
    return group == section or "/" in key or ("." not in group and group not in RunConfig.model_fields)


def _differs(column: Sequence[object]) -> bool:
    return any(value is not column[0] and value != column[0] for value in column)
