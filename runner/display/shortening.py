"""Shorten texts so that they still differ: what they share is left out, and what is too long is cut in the middle."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from .line import cut, one_line, width

_COMMON = 16
"""Characters that all texts end with before those are left out."""

_MOST = 16
"""Places of a text that are known at most: where others part from it."""

_PIECES = 3
"""Pieces of a text that are shown at most, each from such a place on."""

_NARROW = 16
"""Columns below which one piece is shown, and its end is not."""


class Shortening:
    """Shorten texts of which a reader sees many, as a sweep's prompts, each to the columns that it has.

    A text is shown from where others part from it, so that in few columns it is still unlike them.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """Take all texts that are to be told apart."""
        lines = sorted({one_line(text) for text in texts} - {""})
        self._partings = dict(zip(lines, _partings(lines), strict=True))
        self._end = _shared_end(lines)

    def short(self, text: str, columns: int) -> str:
        """Return one of the texts in one line of at most so many columns."""
        line = one_line(text)
        if width(line) <= columns:
            return line
        starts = self._starts(line, columns)
        end = len(line) - self._end
        end = end if end > starts[-1] else len(line)
        *earlier, last = (line[start:stop] for start, stop in pairwise([*starts, end]))
        before, after = "…" * (starts[0] > 0), "…" * (end < len(line))
        room = columns - len(before) - len(after)
        kept = min(width(last), room - sum(min(width(piece), columns // 4) for piece in earlier))
        widths = shares([width(piece) for piece in earlier], room - kept)
        shown = [cut(piece, share) for piece, share in zip(earlier, widths, strict=True)]
        return cut(f"{before}{''.join(shown)}{_cut_inside(last, kept)}{after}", columns)

    def _starts(self, line: str, columns: int) -> list[int]:
        """Return where the pieces that are shown begin."""
        starts: list[int] = []
        for place in self._partings.get(line, ()):
            start = _word(line, place, columns // 3)
            # What stands close behind a start is seen with it.
            if not starts or start > starts[-1] + columns // 4:
                starts.append(start)
        if not starts or starts[0] <= 3:
            starts[:1] = [0]
        if columns < _NARROW:
            return starts[-1:]
        return starts if len(starts) <= _PIECES else [starts[0], *starts[1 - _PIECES :]]


def shares(wanted: Sequence[int], room: int) -> list[int]:
    """Return how many columns each has: what it wants, and where that is too much for `room`, all as much."""
    found = [0] * len(wanted)
    for done, place in enumerate(sorted(range(len(wanted)), key=lambda place: wanted[place])):
        found[place] = max(0, min(wanted[place], room // (len(wanted) - done)))
        room -= found[place]
    return found


def _partings(lines: Sequence[str]) -> Iterator[tuple[int, ...]]:
    """Yield for each of sorted lines the places at which others part from it."""
    if not lines:
        return
    shared = [_shared(one, other) for one, other in pairwise(lines)]
    before = [*_minima(shared)]
    after = [*_minima(shared[::-1])][::-1]
    for some, others in zip(before, after, strict=True):
        yield _first_and_last(sorted({*some, *others}))


def _minima(lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield, from none on, for each more of the lengths the different minima of the last one, two, … of them."""
    rising: list[int] = []
    yield ()
    for length in lengths:
        while rising and rising[-1] >= length:
            rising.pop()
        rising.append(length)
        yield _first_and_last(rising)


def _first_and_last(places: Sequence[int]) -> tuple[int, ...]:
    half = _MOST // 2
    return tuple(places) if len(places) <= _MOST else (*places[:half], *places[-half:])


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        half = (low + high + 1) // 2
        if one[low:half] == other[low:half]:
            low = half
        else:
            high = half - 1
    return low


def _shared_end(lines: Sequence[str]) -> int:
    """Return how many characters all lines end with alike, whole words; 0 where those are few."""
    if len(lines) < 2:
        return 0
    first = lines[0][::-1]
    for line in lines[1:]:
        first = first[: _shared(first, line[::-1])]
    whole = first.rfind(" ") + 1
    return whole if whole >= _COMMON else 0


def _word(line: str, place: int, most: int) -> int:
    """Return where the word begins in which a place is; the place itself where that is more than `most` before it."""
    place = min(place, len(line) - 1)
    if line[place] == " " and place + 1 < len(line):
        return place + 1
    begin = line.rfind(" ", 0, place) + 1
    if place - begin <= most:
        return begin
    while place > 0 and unicodedata.category(line[place]) in ("Mn", "Me"):
        place -= 1
    return place


def _cut_inside(text: str, columns: int) -> str:
    """Return the text's beginning and its end, in so many columns; of few, its beginning alone."""
    if width(text) <= columns:
        return text
    end = _ending(text, columns // 3) if columns >= _NARROW else ""
    return cut(text, columns - width(end)) + end


def _ending(text: str, columns: int) -> str:
    start = len(text) - columns  # no letter is narrower, but marks are
    while width(text[start:]) > columns:
        start += 1
    start = max(start, text.find(" ", start, start + columns - 1))
    while start < len(text) and (text[start] == " " or unicodedata.category(text[start]) in ("Mn", "Me")):
        start += 1
    return text[start:]
