"""Recognise overrides with a typing slip, as `key = value`, and suggest the command that was meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from runner.compose.guards import PROMPT_KEYS, ends_prompt, printed_as_it_is, quoted, refuse_in_arguments
from runner.config.problem import did_you_mean
from runner.config.shipped import Group, names
from runner.errors import ConfigError
from runner.shell import word as shell_word

_LOOKS_LIKE = "an override looks like request.duration_seconds=8"
_HOME = re.compile(r"(?<=[=,\[])~(?=/)")
_KIND = re.compile(r"(?P<group>model(?=\.name)|(?:provider|request)(?=\.kind))\.(?:name|kind)(?==)")
_GROUPS: tuple[Group, ...] = ("provider", "model", "request")


def refuse_slips(overrides: Sequence[str], *, command: str = "python -m runner", saved: bool = False) -> None:
    """Raise `ConfigError` for words that are no overrides, with what was meant; `saved` configs have no options."""
    refuse_corrected(overrides, command=command, saved=saved)
    tails = _tails(overrides)
    for place, word in enumerate(overrides):
        if "=" not in word and word[:1] != "~" and place not in tails:
            raise ConfigError(f"{word[:80]!r} is no key=value; nothing was sent", hint=meant(word) or _LOOKS_LIKE)


def refuse_corrected(overrides: Sequence[str], *, command: str = "python -m runner", saved: bool = False) -> None:
    """Raise `ConfigError`, with the command put right, for overrides that the shell has made other words of."""
    words, reasons = list(overrides), []
    for correct, reason in _RULES if saved else (*_RULES, _OPTIONS):
        corrected = correct(words)
        reasons += [reason] * (corrected != words)
        words = corrected
    if reasons:
        refuse_in_arguments(words)
        typed = f"{command} {_typed(words)}"
        hint = typed if printed_as_it_is(typed) else _LOOKS_LIKE
        raise ConfigError(f"{'; '.join(dict.fromkeys(reasons))}; nothing was sent", hint=hint)


def meant(word: str) -> str | None:
    """Return the override that a bare word may stand for, as `model=sora-2` for `sora-2`."""
    if "/" in word and _is_key(word.partition("/")[0]):
        return word.replace("/", "=", 1)
    if word in _keys():
        return f"{word}=…"
    near = ((group, did_you_mean(word, names(group))) for group in _GROUPS)
    return next((f"{group}={option}" for group, option in near if option), None)


def _without_colons(words: list[str]) -> list[str]:
    tails = _tails(words)
    return [
        word.replace(":", "=", 1)
        if "=" not in word and place not in tails and ":" in word and _is_key(word.partition(":")[0])
        else word
        for place, word in enumerate(words)
    ]


def _without_blanks(words: list[str]) -> list[str]:
    corrected: list[str] = []
    for word in words:
        opens = bool(corrected) and "=" not in corrected[-1] and word.startswith("=")
        closes = bool(corrected) and corrected[-1].endswith("=") and "=" not in word and word[:1] not in ("+", "~")
        corrected = [*corrected[:-1], corrected[-1] + word] if opens or closes else [*corrected, word]
    return corrected


def _with_commas(words: list[str]) -> list[str]:
    tails = _tails(words)
    corrected: list[str] = []
    for place, word in enumerate(words):
        continues = bool(corrected) and "=" in corrected[-1] and "=" not in word and place not in tails
        if continues and (
            corrected[-1].endswith(",") or word[:1].isdigit() or word[:1] == "," or _alike(corrected[-1], word)
        ):
            comma = "" if corrected[-1].endswith(",") or word[:1] == "," else ","
            corrected[-1] += comma + word
        else:
            corrected.append(word)
    return corrected


def _alike(before: str, word: str) -> bool:
    """Return whether a word is a file of the same kind as the value before it."""
    return Path(word).suffix != "" and Path(word).suffix == Path(before).suffix


def _with_equals(words: list[str]) -> list[str]:
    """Return `provider openai` as `provider=openai`."""
    tails = _tails(words)
    corrected: list[str] = []
    for place, word in enumerate(words):
        before = corrected[-1] if corrected else ""
        pair = bool(before) and "=" not in before + word and _is_key(before) and word[:1] not in ("+", "~", "-")
        corrected = [*corrected[:-1], f"{before}={word}"] if pair and place not in tails else [*corrected, word]
    return corrected


def _with_options(words: list[str]) -> list[str]:
    """Return `model.name=sora-2-pro` as `model=sora-2-pro`, which brings its own prices and rules."""
    return [_KIND.sub(lambda found: found["group"], word) if _names_options(word) else word for word in words]


def _names_options(word: str) -> bool:
    found = _KIND.match(word)
    options = set(word.partition("=")[2].split(","))
    return found is not None and any(options <= set(names(group)) for group in _GROUPS if group == found["group"])


def _with_home(words: list[str]) -> list[str]:
    home = str(Path.home())
    return [word if _key(word) in PROMPT_KEYS else _HOME.sub(lambda _: home, word) for word in words]


_RULES: tuple[tuple[Callable[[list[str]], list[str]], str], ...] = (
    (_without_colons, "a key and its value have = between them"),
    (_without_blanks, "there are no blanks around ="),
    (_with_commas, "several values have commas between them and no blanks"),
    (_with_equals, "a key and its value have = between them"),
    (_with_home, "the shell leaves a ~ inside a word as it is"),
)


_OPTIONS = (_with_options, "this key alone would keep everything else of the option chosen before")


def _tails(words: Sequence[str]) -> set[int]:
    """Return the places of words that belong to the prompt before them, which the shell has split."""
    tails: set[int] = set()
    inside = False
    for place, word in enumerate(words):
        is_key_of_next = place + 1 < len(words) and words[place + 1].startswith("=")
        if "=" in word:
            inside = _key(word) in PROMPT_KEYS
        elif ends_prompt(word):
            inside = False
        elif inside and not is_key_of_next:
            tails.add(place)
    return tails


def _typed(words: Sequence[str]) -> str:
    """Return the words for the shell, each prompt as one word with its tail."""
    tails = _tails(words)
    wholes: list[str] = []
    for place, word in enumerate(words):
        if place in tails:
            wholes[-1] += f" {word}"
        else:
            wholes.append(word)
    return " ".join(_one(whole) for whole in wholes)


def _one(word: str) -> str:
    key, _, text = word.partition("=")
    return quoted(key, text) if _key(word) in PROMPT_KEYS and text[:1] not in ("'", '"') else shell_word(word)


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+") if "=" in word else ""


def _is_key(word: str) -> bool:
    """Return whether the config has a section of this name, or a key."""
    return word.lstrip("+").partition(".")[0] in {*_keys(), "experiment", "hydra"}


def _keys() -> list[str]:
    from runner.config.loading import known_keys  # help needs no models

    return known_keys({}, "")
