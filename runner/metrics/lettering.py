"""A metric of what is written in a picture: whether the lettering that the prompt asks for can be read."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import Any, ClassVar

import numpy as np

from .media import middle_picture, opened_image
from .metric import Better, Metric

_QUOTED = re.compile(
    r"""“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»|「([^」]+)」|"([^"]+)"|(?<!\w)'([^'\n]+)'(?!\w)|(?<!\w)‘([^’\n]+)’(?!\w)"""
)


class Lettering(Metric):
    """Measure how much of the lettering that the prompt quotes can be read, in a video in its middle frame.

    Range: 0 to 1 (all of it). Unit: share of the letters and digits, capitals or not. Better: higher. Source: RapidOCR
    (PP-OCR); none where the prompt quotes nothing.
    """

    better: ClassVar[Better] = "higher"
    depends_on = ("prompt",)

    def value(self) -> float | None:
        asked = quoted(self.subject.prompt)
        if not asked:
            return None
        path = self.subject.path
        picture = middle_picture(path, whole=True) if self.subject.is_video else opened_image(path)
        found = _reader()(np.asarray(picture)[..., ::-1])  # blue, green, red
        seen = [str(text) for text in (found.txts or ())]
        return sum(likeness(text, seen) for text in asked) / len(asked)


@functools.cache
def _reader() -> Callable[[Any], Any]:  # Any: RapidOCR declares no types
    from rapidocr import RapidOCR

    engine: Callable[[Any], Any] = RapidOCR()  # Any: as above
    return engine


def quoted(prompt: str) -> list[str]:
    """Return the texts between quotation marks in which there is something to read, each once."""
    found = (next(filter(None, match.groups())) for match in _QUOTED.finditer(prompt))
    return list(dict.fromkeys(text for text in found if _plain(text)))


def likeness(asked: str, seen: Sequence[str]) -> float:
    """Return how much of the asked text the most like part of what was read has, 0 to 1."""
    wanted, read = _plain(asked), _plain("".join(seen))
    if wanted in read:
        return 1.0
    starts = range(max(1, len(read) - len(wanted) + 1))
    return max(
        SequenceMatcher(None, wanted, read[start : start + len(wanted)], autojunk=False).ratio() for start in starts
    )


def _plain(text: str) -> str:
    """Return letters and digits alone, without capitals and accents."""
    return "".join(each for each in unicodedata.normalize("NFKD", text).casefold() if each.isalnum())
