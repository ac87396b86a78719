"""Prompts that would not be what was typed: Hydra's grammar breaks them, or a file takes their place."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runner.errors import ConfigError
from runner.shell import line, word

if TYPE_CHECKING:
    from runner.config import Problem

_INTERPOLATION = re.compile(r"(\\*)\$\{")
_NO_NAME = re.compile(r"(?<!\\)(?:\\\\)*\$\{(?![A-Za-z_.$])[^}]*\}?")
"""What looks like an interpolation, and names no key of any config: a price, for one."""
_DELETION = re.compile(r"~[A-Za-z_][\w./@-]*")
"""`~key`; a price of ~5 dollars is none."""
_LONGEST = 1000
"""Characters of a command that somebody copies from a terminal; beyond, a file is the better place."""
PROMPT_KEYS = frozenset({"request.prompt", "request.negative_prompt"})
"""The keys whose values are sentences."""


def refuse_broken_prompts(overrides: Sequence[str], *, command: str = "python -m runner") -> None:
    """Raise `ConfigError`, with the override quoted for the shell, for a prompt that Hydra would misread."""
    for place, override in enumerate(overrides):
        key, found, text = override.partition("=")
        if not found or key.lstrip("+") not in PROMPT_KEYS:
            continue
        tail = list(itertools.takewhile(lambda each: not ends_prompt(each), overrides[place + 1 :]))
        whole = " ".join([text, *tail])
        reason = _split(whole) if tail else _misread(override, text)
        if reason:
            rest = [*overrides[:place], *overrides[place + 1 + len(tail) :]]
            said = _hint(key, _unquoted(whole), f"{command} {line(rest)}".strip())
            raise ConfigError(f"{key}: {reason}: {whole[:80]!r}", hint=said)


def ends_prompt(word: str) -> bool:
    """Return whether a word is an override, and no part of a prompt before it that the shell has split."""
    return "=" in word or _DELETION.fullmatch(word) is not None


def unheard(overrides: Sequence[str], request: object) -> list[Problem]:
    """Return why a prompt among the overrides would not be sent, if so: the composed request takes it from a file."""
    from runner.config import Problem

    file = request.get("prompt_file") if isinstance(request, Mapping) else None
    if file is None or not any(each.lstrip("+").startswith("request.prompt=") for each in overrides):
        return []
    message = f"would not be sent: the text of request.prompt_file={file} takes its place"
    return [Problem("request.prompt", message, "leave one of the two out, or type request.prompt_file=null, too")]


def quoted(key: str, text: str) -> str:
    """One shell word that makes Hydra read `text` literally as the value of `key`, in the shortest quotes for both."""
    from hydra.core.override_parser.types import Quote, QuotedString

    # OmegaConf takes the backslashes before an interpolation for escapes.
    escaped = _INTERPOLATION.sub(r"\1\1\\${", text)
    return min((word(f"{key}={QuotedString(escaped, quote).with_quotes()}") for quote in Quote), key=len)


def _split(whole: str) -> str:
    quotes = "these are no quotes to the shell, and " if _curly(whole) else ""
    return f"{quotes}the shell has split this prompt at its blanks"


def _misread(override: str, text: str) -> str | None:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep, QuotedString
    from hydra.errors import HydraException

    try:
        value = OverridesParser.create().parse_override(override).value()
    except HydraException:
        return "these are no quotes to Hydra" if _curly(text) else "Hydra cannot read this prompt"
    if isinstance(value, ChoiceSweep):
        unquoted = [item for item in value.list if not isinstance(item, QuotedString)]
        if unquoted and ", " in text:
            return f"the comma would make {len(value.list)} separate paid runs of one sentence"
    elif isinstance(value, (dict, list)):
        return f"Hydra reads this prompt as a {'mapping' if isinstance(value, dict) else 'list'}"
    elif (looked_up := _NO_NAME.search(text)) is not None:
        return f"Hydra would look up {looked_up[0]} in the config"
    return None


def _hint(key: str, text: str, command: str) -> str:
    name = key.lstrip("+")
    whole = f"  {command} {quoted(name, text)}"
    typed = ["As one prompt, quoted for Hydra and the shell:", whole] if printed_as_it_is(whole) else []
    filed = ["Put the text in a file, saved as UTF-8:", f"  {command} request.prompt_file=prompt.txt"]
    if name != "request.prompt":
        filed = [] if typed else ["Put it in a YAML file of your own, as it can be printed here only with changes"]
    swept = f"To sweep over several prompts, quote each:  -m \"{name}='first','second'\""
    return "\n".join(["Nothing was sent.", *typed, *filed, swept])


def printed_as_it_is(text: str) -> bool:
    """Return whether a line can be copied from the terminal: it has no break, no invisible character, nothing lost."""
    from runner.display.line import clean

    try:
        text.encode(sys.stderr.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return len(text) <= _LONGEST and clean(text, len(text)) == text


def _unquoted(text: str) -> str:
    """Return a text without the quotes that it stands in as a whole."""
    inner = text[1:-1]
    straight = len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" and text[0] not in inner
    return inner if straight or _curly(text) else text


def _curly(text: str) -> bool:
    """Return whether a text stands between quotes that a word processor makes, and no shell knows."""
    return len(text) > 2 and text[:1] in "“”„«‘‚" and text[-1:] in "”“»’‘"  # noqa: RUF001 - they are meant
