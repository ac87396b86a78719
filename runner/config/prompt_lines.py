"""Telling one prompt of many lines from many prompts, one a line."""

from __future__ import annotations

import itertools
import re
from collections import Counter

_FEWEST, _LONGEST = 6, 160
"""Lines from which on a text may be a list of prompts, and the characters up to which a line is short."""

_NARROWEST = 40
"""Characters that text is wrapped at, at least."""

_PART = re.compile(r"[-*•·#>|(\[{\"“']|\w[\w &/-]{0,30}:|\d+[.)]|\d+(?::\d\d)? ?[-–s]")
"""How a line begins that is a part of one prompt: a list's item, a named section, a numbered shot, a time, speech."""


def prompts_in(text: str) -> int:
    """Return how many prompts a text may hold, one in each short line; 1 where it reads as a single prompt.

    Paragraphs, lists, named sections and text that was wrapped at a width are a single prompt.
    """
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) < _FEWEST or not all(0 < len(line) <= _LONGEST for line in lines):
        return 1
    parts = sum(_PART.match(line) is not None for line in lines)
    return 1 if 2 * parts > len(lines) or _wrapped(lines) else len(lines)


def _wrapped(lines: list[str]) -> bool:
    """Return whether most lines end where the next one's first word would not have fitted."""
    width = max(map(len, lines))
    (_, alike), *_ = Counter(line.split()[0] for line in lines).most_common(1)
    if width < _NARROWEST or 2 * alike > len(lines):
        return False  # prompts after one pattern have much the same length, too
    full = [len(line) + 1 + len(after.split()[0]) > width for line, after in itertools.pairwise(lines)]
    return 2 * sum(full) > len(full)
