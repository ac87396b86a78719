"""Group the reasons that many runs share but for numbers: print one a few times, then count it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from runner.artifacts.result import ErrorRecord, Result

from .line import clean

_NUMBERED = re.compile(r"[^\s,;:()'\"]*\d[^\s,;:()'\"]*")
"""Job ids, prices, indices: what makes the same text another for each run."""

_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Group:
    """Hold the runs with one reason; `message` is safe to print, with a … for what differs between them."""

    error: ErrorRecord
    message: str
    runs: tuple[int, ...]


class Reasons:
    """Count texts by their kind, and tell of each how often it has come.

    Attributes:
        texts: each kind's first text, by its key.
        counts: how often each kind came.
        first: who came with it first.
        printed: how many of them were printed.
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.first: dict[str, int] = {}
        self.printed = 0

    def count(self, text: str, run: int) -> tuple[str, int]:
        """Take in what `run` came with; the key of its kind, and how many have come with that by now."""
        key = kind(text)
        if key not in self.texts:
            self.texts[key], self.first[key] = text, run
        self.counts[key] += 1
        return key, self.counts[key]


def kind(text: str) -> str:
    """Return what is left of a text without what has a digit in it."""
    return _NUMBERED.sub("#", text[:_LONGEST])


def groups(results: Sequence[Result]) -> list[Group]:
    """Return why runs did not succeed, the commonest reason first."""
    found: dict[tuple[str, str | None, str], list[tuple[ErrorRecord, int]]] = {}
    for result in results:
        if (error := result.error) is not None:
            found.setdefault((error.type, error.code, kind(error.message)), []).append((error, result.index))
    return [
        Group(each[0][0], clean(_common([error.message for error, _ in each]), _LONGEST), tuple(run for _, run in each))
        for each in sorted(found.values(), key=len, reverse=True)
    ]


def warned(results: Sequence[Result]) -> list[tuple[str, tuple[int, ...]]]:
    """Return what runs were warned of, safe to print, with the runs' numbers; the commonest first."""
    found: dict[str, list[tuple[str, int]]] = {}
    for result in results:
        for key, text in {kind(text): text for text in result.warnings}.items():
            found.setdefault(key, []).append((text, result.index))
    return [
        (clean(_common([text for text, _ in each]), _LONGEST), tuple(run for _, run in each))
        for each in sorted(found.values(), key=len, reverse=True)
    ]


def _common(messages: Sequence[str]) -> str:
    """Return the first of messages of one kind, without those of its numbers that others have not."""
    first, *others = [_NUMBERED.findall(message[:_LONGEST]) for message in dict.fromkeys(messages)]
    same = iter([all(other[place] == number for other in others) for place, number in enumerate(first)])
    return _NUMBERED.sub(lambda match: match.group() if next(same, True) else "…", messages[0])
