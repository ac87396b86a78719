"""Fill named values into a text: `{name}` stands for one, `{{` and `}}` for braces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from runner.errors import ConfigError

from .problem import did_you_mean

_PART = re.compile(r"\$\{[^{}]*\}|\{\{|\}\}|(?<!\$)\{([A-Za-z_][\w.-]*)\}")
"""What means something in a text: an interpolation, which stays as it is, a doubled brace, or a placeholder."""


def placeholders(text: str) -> list[str]:
    """Return the names that a text asks for, each once, in their order."""
    return [*dict.fromkeys(found[1] for found in _PART.finditer(text) if found[1])]


def fill(text: str, names: Mapping[str, object]) -> str:
    """Return the text with its placeholders replaced; dots in a name look into nested mappings.

    A text without a placeholder stays as it is, doubled braces too. A `}}` is one brace only where a `{{` is open
    before it, so that JSON in a prompt keeps its braces. Raises `ConfigError` for names that are missing or hold no
    single value.
    """
    if not placeholders(text):
        return text
    whole = _PART.fullmatch(text)
    if whole and whole[1]:
        return _value(whole[1], names)  # no copy of it, as of a table's ten thousand prompts
    opened = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal opened
        if found[1]:
            return _value(found[1], names)
        if found[0] == "{{":
            opened += 1
            return "{"
        if found[0] == "}}" and opened:
            opened -= 1
            return "}"
        return found[0]

    return _PART.sub(replaced, text)


def look_up(names: Mapping[str, object], name: str) -> object | None:
    """Return the value of a name, whose dots look into nested mappings; None if there is none."""
    if name in names:
        return names[name]
    for place in (at for at, letter in enumerate(name) if letter == "."):
        inner = names.get(name[:place])
        if isinstance(inner, Mapping) and (found := look_up(inner, name[place + 1 :])) is not None:
            return found
    return None


def as_text(value: object) -> str:
    """Return a single value as text: numbers and truth values as YAML writes them, `true` and `1.0e+20`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e", 1)
    return str(value)


def _value(name: str, names: Mapping[str, object]) -> str:
    value = look_up(names, name)
    if isinstance(value, Mapping | list | tuple | set):
        inner = [f"{{{name}.{key}}}" for key in value] if isinstance(value, Mapping) else []
        hint = f"one of its values: {', '.join(inner[:3])}" if inner else "give it one value"
        kind = "a mapping" if isinstance(value, Mapping) else "a list"
        raise ConfigError(f"{{{name}}} is {kind}, and a text takes single values", hint=hint)
    if value is not None:
        return as_text(value)
    known = [*_names(names)]
    if name in known:
        raise ConfigError(f"{{{name}}} has no value", hint=f"give {name} one, or type {{{{ for a brace that is text")
    near = did_you_mean(name, known)
    meant = f"did you mean {{{near}}}? " if near else f"known: {', '.join(known[:5])}; " if known else ""
    raise ConfigError(f"{{{name}}} stands for nothing that is known", hint=f"{meant}{{{{ is a brace that is text")


def _names(names: Mapping[str, object], before: str = "") -> Iterator[str]:
    """Yield what a placeholder may name."""
    for name, value in names.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{before}{name}.")
        else:
            yield f"{before}{name}"
