"""Read overrides as they are typed: as Hydra's grammar wants them, or refused with the command that was meant."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner.config.problem import Problem, did_you_mean
from runner.config.shipped import Group, names
from runner.errors import ConfigError
from runner.shell import line
from runner.shell import word as shell_word

from .guards import refuse_in_arguments

_INTERPOLATION = re.compile(r"(\\*)\$\{")
_ESCAPED = re.compile(r"(\\*)\1\\\$\{")
"""What `literal` makes of an interpolation: of its backslashes twice as many, and one."""
_NO_NAME = re.compile(r"(?<!\\)(?:\\\\)*\$\{(?![A-Za-z_.$])[^}]*\}?")
"""What looks like an interpolation, and names no key of any config: a price, for one."""
_DELETION = re.compile(r"~[A-Za-z_][\w./@-]*")
"""`~key`; a price of ~5 dollars is none."""
_LONGEST = 1000
"""Characters of a command that somebody copies from a terminal; beyond, a file is the better place."""
PROMPT_KEYS = frozenset({"request.prompt", "request.negative_prompt"})
"""The keys whose values are sentences."""
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
        from runner.config.request import placeholders

        return assignment(key, text) if placeholders(text) and misread(override, text) else override
    return override


def refuse_mistyped(overrides: Sequence[str], *, command: str = "python -m runner", saved: bool = False) -> None:
    """Raise `ConfigError`, with what was meant, for what is no override or would not be read as it was meant.

    `saved` configs have no options.
    """
    refuse_slips(overrides, command=command, saved=saved)
    refuse_broken_prompts(overrides, command=command)


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


def refuse_broken_prompts(overrides: Sequence[str], *, command: str = "python -m runner") -> None:
    """Raise `ConfigError`, with the override quoted for the shell, for a prompt that Hydra would misread."""
    for place, override in enumerate(overrides):
        key, found, text = override.partition("=")
        if not found or key.lstrip("+") not in PROMPT_KEYS:
            continue
        tail = list(itertools.takewhile(lambda each: not ends_prompt(each), overrides[place + 1 :]))
        whole = " ".join([text, *tail])
        quotes = "these are no quotes to the shell, and " if _curly(whole) else ""
        split = f"{quotes}the shell has split this prompt at its blanks"
        reason = split if tail else misread(override, text)
        if reason:
            rest = [*overrides[:place], *overrides[place + 1 + len(tail) :]]
            said = _prompt_hint(key, _unquoted(whole), f"{command} {line(rest)}".strip())
            raise ConfigError(f"{key}: {reason}: {whole[:80]!r}", hint=said)


def ends_prompt(word: str) -> bool:
    """Return whether a word is an override, and no part of a prompt before it that the shell has split."""
    return "=" in word or _DELETION.fullmatch(word) is not None


def misread(override: str, text: str) -> str | None:
    """Return how Hydra would read a prompt other than as it was meant, if so."""
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


def _prompt_hint(key: str, text: str, command: str) -> str:
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


def unheard(overrides: Sequence[str], request: object) -> list[Problem]:
    """Return why a prompt among the overrides would not be sent, if so: the composed request takes it from a file."""
    file = request.get("prompt_file") if isinstance(request, Mapping) else None
    if file is None or not any(each.lstrip("+").startswith("request.prompt=") for each in overrides):
        return []
    message = f"would not be sent: the text of request.prompt_file={file} takes its place"
    return [Problem("request.prompt", message, "leave one of the two out, or type request.prompt_file=null, too")]


def unread(overrides: Sequence[str], config: Mapping[str, object]) -> list[Problem]:
    """Return a warning of directories to reuse from that are typed although nothing is to be reused."""
    if config.get("reuse") or not any(each.lstrip("+").startswith("reuse_from=") for each in overrides):
        return []
    return [Problem("reuse_from", "is read with reuse=true alone: nothing is reused", "reuse=true, too", "warning")]


def assignment(key: str, text: str) -> str:
    """Return an override that sets a key to a text as it stands."""
    return f"{key}={text_in_grammar(text)}"


def text_in_grammar(text: str) -> str:
    """Return a value that Hydra reads as this text, in which nothing is an interpolation."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(literal(text), Quote.single).with_quotes()


def quoted(key: str, text: str) -> str:
    """Return one shell word that makes Hydra read `text` literally as the value of `key`, in the shortest quotes."""
    from hydra.core.override_parser.types import Quote, QuotedString

    escaped = literal(text)
    return min((shell_word(f"{key}={QuotedString(escaped, quote).with_quotes()}") for quote in Quote), key=len)


def literal(text: str) -> str:
    """Return what OmegaConf resolves to `text`: it takes the backslashes before an interpolation for escapes."""
    return _INTERPOLATION.sub(r"\1\1\\${", text)


def unescaped(text: str) -> str:
    """Return the text of which `literal` makes this one."""
    return _ESCAPED.sub(lambda found: found[1] + "${", text)
