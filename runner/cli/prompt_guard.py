"""Prompts that would not be what was typed: Hydra's grammar breaks them, or a file takes their place."""

from __future__ import annotations

import itertools
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runner.errors import ConfigError

if TYPE_CHECKING:
    from runner.config import Problem

_INTERPOLATION = re.compile(r"(\\*)\$\{")
_LONGEST = 1000
"""Characters of a command that somebody copies from a terminal; beyond, a file is the better place."""
_PROMPT_KEYS = frozenset({"request.prompt", "request.negative_prompt"})


def refuse_broken_prompts(overrides: Sequence[str], *, command: str = "python -m runner") -> None:
    """Raise `ConfigError`, with the override quoted for the shell, for a prompt that Hydra would misread."""
    _refuse_split(overrides, command)
    for override in overrides:
        key, found, text = override.partition("=")
        if found and key.lstrip("+") in _PROMPT_KEYS:
            reason = _misread(override, text)
            if reason:
                raise ConfigError(f"{key}: {reason}", hint=_hint(key, text, command))


def _refuse_split(overrides: Sequence[str], command: str) -> None:
    """Raise `ConfigError` for a prompt that the shell has split at its blanks: `request.prompt=A red fox`."""
    for place, override in enumerate(overrides):
        key, found, text = override.partition("=")
        words = list(itertools.takewhile(lambda word: "=" not in word and word[:1] != "~", overrides[place + 1 :]))
        if found and key.lstrip("+") in _PROMPT_KEYS and words:
            whole = " ".join([text, *words])
            raise ConfigError(f"{key}: the shell has split this prompt at its blanks: {whole[:80]!r}",
                              hint=_hint(key, whole, command))  # fmt: skip


def unheard(overrides: Sequence[str], request: object) -> list[Problem]:
    """Why a prompt among the overrides would not be sent, if so: the composed request takes it from a file."""
    from runner.config import Problem

    file = request.get("prompt_file") if isinstance(request, Mapping) else None
    if file is None or not any(line.lstrip("+").startswith("request.prompt=") for line in overrides):
        return []
    message = f"would not be sent: the text of request.prompt_file={file} takes its place"
    return [Problem("request.prompt", message, "leave one of the two out, or type request.prompt_file=null, too")]


def quoted(key: str, text: str) -> str:
    """One shell word that makes Hydra read `text` literally as the value of `key`."""
    from hydra.core.override_parser.types import Quote, QuotedString

    # OmegaConf takes the backslashes before an interpolation for escapes.
    literal = QuotedString(_INTERPOLATION.sub(r"\1\1\\${", text), Quote.single).with_quotes()
    return shlex.quote(f"{key}={literal}")


def _misread(override: str, text: str) -> str | None:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep, QuotedString
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_override(override)
        value = parsed._value  # noqa: SLF001 - value() would strip the quotes that this is about
    except HydraException:
        return f"Hydra cannot read this prompt: {text[:80]!r}"
    if isinstance(value, ChoiceSweep):
        unquoted = [item for item in value.list if not isinstance(item, QuotedString)]
        if unquoted and ", " in text:
            return f"the comma would make {len(value.list)} separate paid runs of one sentence: {text[:80]!r}"
    elif isinstance(value, (dict, list)):
        return f"Hydra reads this prompt as a {'mapping' if isinstance(value, dict) else 'list'}: {text[:80]!r}"
    return None


def _hint(key: str, text: str, command: str) -> str:
    name = key.lstrip("+")
    line = f"  {command} {quoted(name, text)}"
    typed = ["As one prompt, quoted for Hydra and the shell:", line] if printed_as_it_is(line) else []
    filed = ["Put the text in a file, saved as UTF-8:", f"  {command} request.prompt_file=prompt.txt"]
    if name != "request.prompt":
        filed = [] if typed else ["Put it in a YAML file of your own, as it can be printed here only with changes"]
    swept = f"To sweep over several prompts, quote each:  -m \"{name}='first','second'\""
    return "\n".join(["Nothing was sent.", *typed, *filed, swept])


def printed_as_it_is(line: str) -> bool:
    """Return whether a line can be copied from the terminal: it has no break, no invisible character, nothing lost."""
    from runner.display.line import clean

    try:
        line.encode(sys.stderr.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return len(line) <= _LONGEST and clean(line, len(line)) == line
