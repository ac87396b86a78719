"""Say one thing that is wrong with a run, the way its user would correct it."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Literal

from .shipped import Group, names

if TYPE_CHECKING:
    from pydantic import ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """Describe what is wrong at `key`, the key as one would override it.

    A `warning` is shown and does not stop the run.
    """

    key: str
    message: str
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.text} ({self.hint})" if self.hint else self.text

    @property
    def text(self) -> str:
        """Return the key and what is wrong, without the hint."""
        return f"{self.key}: {self.message}" if self.key else self.message

    def as_warning(self) -> Problem:
        """Return the same, as something to be shown only."""
        return replace(self, severity="warning")


def did_you_mean(given: str, known: Iterable[str]) -> str | None:
    """Return the known word nearest to `given`, or the only one that begins with it, if there is any."""
    known = list(known)
    begun = [word for word in known if len(given) > 2 and word.startswith(given)]
    if len(begun) == 1:
        return begun[0]
    matches = difflib.get_close_matches(given, known, n=1, cutoff=0.6)
    return matches[0] if matches else None


_TAGS = frozenset({"openai", "azure_openai", "compatible", "emulator", "video", "image", "none", "mlflow", "wandb"})


_TAGGED = frozenset({"provider", "model", "request", "tracking"})
"""The keys after which pydantic names the variant that was chosen."""


_MISSING = "is missing"
_PRIMARY = "begin a primary config of your own with 'defaults: [config, _self_]'"
_MANY = 3
"""Missing keys of a model from which on it is described by too little to name each."""

SAY_TEXT = "say that it is text: "
_TYPE_THIS = {
    "budget": "budget.max_usd={}",
    "request.size": "request.size=1280x720, or another WIDTHxHEIGHT; request.aspect_ratio='16:9' chooses one, too",
    "request.extra_params": "+request.extra_params.NAME={}",
    "request.image_list": "request.image_list=photo.png",
    "request.prompt": SAY_TEXT + "\"request.prompt='{}'\"",
    "request.lora": "'request.lora={{name: {}, path: /models/style, scale: 0.8}}'",
}
"""What is meant by values that are nearly right."""

_FIRST = {"provider": "openai", "model": "sora-2", "request": "video", "tracking": "mlflow"}
"""An option of each group that one of one's own may begin with."""

_FALLS_BACK: tuple[Group, ...] = ("provider", "model")

_SIZE = re.compile(r"\s*([1-9]\d{1,4})\s*[xX*×,:]\s*([1-9]\d{1,4})\s*")
_WITH_UNIT = re.compile(r"\W?(\d+(?:\.\d+)?)\s*[A-Za-z]*")
"""A number with what it counts, as `8s` or `$10`."""


def _to_type(key: str, kind: object, given: object) -> str | None:
    """Return what to type in place of a value of the wrong type or form."""
    key = re.sub(r"\.\d+$", "", key)
    text = _text(given).lower() if isinstance(given, bool) else _text(given)
    if key == "request.size" and (size := _SIZE.fullmatch(text)):
        return f"request.size={size[1]}x{size[2]}"
    if key == "fallbacks" and isinstance(given, str):
        return f"'fallbacks=[{_fallback(given)}]'"
    if key in _TYPE_THIS and isinstance(given, str | int | float):
        return _TYPE_THIS[key].format(text)
    if key == "request.prompt" and given is None:
        return "\"request.prompt='A red fox'\""
    if key in _FIRST and isinstance(given, str):
        return f"{key}={given} is typed, or stands in a file's defaults list as '- override /{key}: {given}'"
    if isinstance(given, list) and given:
        return f"a sweep over them: python -m runner -m {key}={','.join(map(str, given))}"
    return _of_kind(key, str(kind), text)


def _fallback(text: str) -> str:
    """Return the entry that a word among the fallbacks stands for: the option of that name, or the nearest one."""
    exact = [f"{{{group}: {text}}}" for group in _FALLS_BACK if text in names(group)]
    near = ((group, did_you_mean(text, names(group))) for group in _FALLS_BACK)
    return next(iter([*exact, *(f"{{{group}: {name}}}" for group, name in near if name)]), "{model: NAME}")


def _of_kind(key: str, kind: str, text: str) -> str | None:
    if kind.startswith("bool"):
        return f"{key}=true or {key}=false"
    if kind.startswith(("int", "float")):
        number = _WITH_UNIT.fullmatch(text)
        whole = ", a whole one" if kind.startswith("int") else ""
        return f"{key}={number[1]}" if number and not text.replace(".", "").isdigit() else f"{key}=NUMBER{whole}"
    return None


_MODEL_KEY = re.compile(r"(model|fallbacks\.\d+\.model)\.(.+)")


def from_validation_error(error: ValidationError) -> list[Problem]:
    """Return Pydantic's complaints as problems; no input value is repeated for keys that may hold a secret."""
    problems = [_problem(dict(detail)) for detail in error.errors(include_url=False)]
    missing = [(found, problem) for problem in problems if (found := _of_model(problem)) is not None]
    for model in dict.fromkeys(found[0] for found, _ in missing):
        lacking = {problem: found[1] for found, problem in missing if found[0] == model}
        if len(lacking) >= _MANY:
            names = ", ".join([*lacking.values()][:_MANY])
            whole = Problem(model, f"lacks {len(lacking)} keys, as {names}",
                            "begin the file with 'defaults: [sora-2]' (or the shipped model that is nearest), "
                            "and change what differs")  # fmt: skip
            problems = [whole, *(problem for problem in problems if problem not in lacking)]
    return problems


def _of_model(problem: Problem) -> tuple[str, str] | None:
    """Return the model, the run's or a fallback's, in which a key is missing, and the key."""
    found = _MODEL_KEY.fullmatch(problem.key) if problem.message == _MISSING else None
    return (found[1], found[2]) if found else None


def _problem(detail: dict[str, object]) -> Problem:
    location = detail["loc"]
    location = location if isinstance(location, tuple) else ()
    before = (None, *location)
    key = ".".join(
        str(part) for part, parent in zip(location, before, strict=False) if part not in _TAGS or parent not in _TAGGED
    )
    message = str(detail["msg"]).removeprefix("Value error, ")
    kind = detail["type"]
    if kind == "extra_forbidden":
        return Problem(key, "is no key here")
    if kind == "missing":
        return Problem(key, _MISSING, _PRIMARY if key in _FIRST else None)
    if kind == "union_tag_not_found":
        begun = f"begin the file with 'defaults: [{_FIRST.get(key, 'NAME')}]', and change what differs"
        return Problem(key, "lacks its kind", begun)
    given = detail.get("input")
    said = message[0].lower() + message[1:]
    if "key" in key:
        return Problem(key, said)
    if isinstance(given, str | int | float | bool):
        said = f"{_shown(given)} is not allowed: {said}"
    return Problem(key, said, _to_type(key, kind, given))


def _text(value: object) -> str:
    try:
        return str(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or lists in lists without end
        return "it"


def _shown(value: object) -> str:
    text = _text(value)
    return repr(text if len(text) <= 60 else text[:57] + "…") if isinstance(value, str) else text


def ranges(numbers: Sequence[int]) -> str:
    """Return `0-3, 7` for 0, 1, 2, 3, 7."""
    ordered = sorted(set(numbers))
    starts = [ordered[0], *(right for left, right in pairwise(ordered) if right != left + 1)]
    ends = [*(left for left, right in pairwise(ordered) if right != left + 1), ordered[-1]]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


_DEEPEST = 100
"""Lists and mappings in each other; one that holds itself goes deeper than any."""

_MOST_BITS = 10_000
"""Of a whole number: Python writes none of more than 4,300 digits."""


def fault_of(value: object, depth: int = 0) -> str | None:
    """Return what is wrong with a value, None if it is plain data that UTF-8 and JSON can carry."""
    if depth > _DEEPEST:
        return f"nests more than {_DEEPEST} lists or mappings"
    parts: Iterable[object]
    match value:
        case Mapping():
            if any(not isinstance(key, str) for key in value):
                return "has a key that is no text"
            parts = chain.from_iterable(value.items())
        case list() | tuple():
            parts = value
        case _:
            return _fault_of_one(value)
    return next(filter(None, (fault_of(each, depth + 1) for each in parts)), None)


def _fault_of_one(value: object) -> str | None:
    match value:
        case str():
            is_whole = value.isascii() or not re.search("[\ud800-\udfff]", value)
            return None if is_whole else "holds half a character, as \\ud83d without the half that follows it"
        case float():
            return None if math.isfinite(value) else f"is {value}, which is no number"
        case int():
            return None if value.bit_length() < _MOST_BITS else "is too large a number to be written down"
        case None:
            return None
    return f"is {kind_of(value)}"


def kind_of(value: object) -> str:
    """Return in words what kind of value it is."""
    words = {bool: "a truth value", int: "a number", float: "a number", list: "a list", tuple: "a list", str: "a text"}
    return "empty" if value is None else words.get(type(value), f"of the type {type(value).__name__}")
