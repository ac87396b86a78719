"""Write overrides of keys that Hydra's grammar is in the way of as it wants them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .guards import PROMPT_KEYS, literal, misread

_VARIABLE = re.compile(r"vars\.[^=]+=")
_WHERE = "prompts_where="


def as_hydra_reads_them(overrides: Sequence[str]) -> list[str]:
    """Return overrides of which each means to Hydra what its key makes of it.

    `vars.x=…` may be a key that is not there yet. `prompts_where=a=b,c=d` is one text. A prompt that holds a
    placeholder is one template, whatever commas it has.
    """
    fills = any(each.lstrip("+").startswith(("vars.", "prompts=")) for each in overrides)
    return [_read(override, fills=fills) for override in overrides]


def _read(override: str, *, fills: bool) -> str:
    key, _, text = override.partition("=")
    if _VARIABLE.match(override):
        return f"++{override}"
    if override.startswith(_WHERE) and text[:1] not in ("'", '"', ""):
        return assignment("prompts_where", text)
    if fills and key.lstrip("+") in PROMPT_KEYS and text[:1] not in ("'", '"'):
        from runner.config.template import placeholders

        return assignment(key, text) if placeholders(text) and misread(override, text) else override
    return override


def assignment(key: str, text: str) -> str:
    """Return an override that sets a key to a text as it stands."""
    return f"{key}={text_in_grammar(text)}"


def text_in_grammar(text: str) -> str:
    """Return a value that Hydra reads as this text, in which nothing is an interpolation."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(literal(text), Quote.single).with_quotes()
