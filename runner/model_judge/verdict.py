"""Read what a judge said, leniently: JSON alone, in fences, or among other words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from runner.artifacts.result import StoredModel
from runner.config.judge import HIGHEST, LOWEST, OVERALL
from runner.providers.json_answer import kept, plain

from .question import BETTER

_NUMBER = re.compile(r"\s*(\d(?:\.\d+)?)\s*(?:/\s*5|out of 5|von 5)?\s*")
_SCORES, _REASONS = ("score", "rating", "value", "points"), ("reason", "reasons", "reasoning", "explanation", "why")
_CHOICES = ("better", "winner", "choice", "preference", "preferred")
_WORDS = {"a": "first", "1": "first", "left": "first", "one": "first", "b": "second", "2": "second", "right": "second",
          "two": "second", "equal": "tie", "draw": "tie", "same": "tie", "neither": "both_bad", "none": "both_bad",
          **{plain(each): each for each in BETTER}}  # fmt: skip
_LONGEST_REASON = 4000
_MOST_OBJECTS = 50


class Verdict(StoredModel):
    """Hold what a judge thinks: a score and a reason for each criterion, or which of two files is better."""

    scores: dict[str, float] = Field(default_factory=dict)
    better: str | None = None
    reasons: dict[str, str] = Field(default_factory=dict)


def read_scores(text: str, names: Sequence[str]) -> Verdict | None:
    """Return the scores of all `names`; None where one of them is missing or beyond the scale.

    Without a score of the whole, that is the mean of the others.
    """
    for found in _objects(text):
        verdict = _scored(found, names)
        if verdict is not None:
            return verdict
    return None


def read_choice(text: str) -> Verdict | None:
    """Return which of two is better; None where that is not said."""
    for found in _objects(text):
        values = {plain(name): value for name, value in found.items()}
        said = next((values[name] for name in _CHOICES if isinstance(values.get(name), str | int)), None)
        better = _WORDS.get(plain(str(said)).removesuffix("image").removesuffix("video")) if said is not None else None
        if better is not None:
            reason = _reason(values)
            return Verdict(better=better, reasons={"better": reason} if reason else {})
    return None


def _scored(found: Mapping[str, Any], names: Sequence[str]) -> Verdict | None:  # Any: JSON
    values = {plain(name): value for name, value in found.items()}
    for inner in ("scores", "criteria", "ratings", "result", "judgement", "judgment"):
        # Some put all of it one level deeper.
        if isinstance(values.get(inner), dict):
            values |= {plain(name): value for name, value in values[inner].items()}
    told = (values[name] for name in _REASONS if isinstance(values.get(name), dict))
    reasons: Mapping[str, Any] = next(told, {})  # Any: JSON
    scores: dict[str, float] = {}
    said: dict[str, str] = {}
    for name in names:
        value = values.get(plain(name))
        score = _score(value)
        if score is not None:
            scores[name] = score
        reason = _reason(value) if isinstance(value, dict) else reasons.get(name)
        if isinstance(reason, str) and reason.strip():
            said[name] = reason.strip()[:_LONGEST_REASON]
    own = [score for name, score in scores.items() if name != OVERALL]
    if OVERALL in names and OVERALL not in scores and own:
        scores[OVERALL] = round(sum(own) / len(own), 4)
    return Verdict(scores=scores, reasons=said) if {*scores} == {*names} else None


def _score(value: Any) -> float | None:  # Any: JSON
    if isinstance(value, dict):
        inner = {plain(name): each for name, each in value.items()}
        value = next((inner[name] for name in _SCORES if name in inner), None)
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value)
        value = float(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if LOWEST <= value <= HIGHEST else None


def _reason(value: Mapping[str, Any]) -> str:  # Any: JSON
    inner = {plain(name): each for name, each in value.items()}
    said = next((inner[name] for name in _REASONS if isinstance(inner.get(name), str)), "")
    return str(said).strip()[:_LONGEST_REASON]


def _objects(text: str) -> Iterator[dict[str, Any]]:  # Any: JSON
    """Yield the JSON objects in a text, as they begin, so that they can be kept; the outer come before those within."""
    decoder, place = json.JSONDecoder(), text.find("{")
    for _ in range(_MOST_OBJECTS):
        if place < 0:
            return
        try:
            found, _ = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            yield kept(found, str)  # an escape may have spelled half a character
        place = text.find("{", place + 1)
