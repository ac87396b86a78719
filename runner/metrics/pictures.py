"""Metrics of how a picture looks, and of what is written in it; of a video the mean of its frames."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .frame import Frame, luma_of
from .media import middle_picture, opened_image
from .metric import Better, Metric, Subject


class PictureMetric(Metric):
    """Average a number of each frame that is looked at."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._sum = 0.0
        self._count = 0

    def see(self, frame: Frame) -> None:
        if frame.examined:
            self._sum += self.of(frame)
            self._count += 1

    def value(self) -> float | None:
        return self._sum / self._count if self._count else None

    def of(self, frame: Frame) -> float:
        """Return the frame's number."""
        raise NotImplementedError


class Brightness(PictureMetric):
    """Measure the mean brightness.

    Range: 0 (black) to 1 (white). Unit: share of full scale. Better: depends. Source: Rec. 709's luma of the coded
    values.
    """

    def of(self, frame: Frame) -> float:
        return frame.mean_luma / 255


class Contrast(PictureMetric):
    """Measure by how much brightness differs within a picture.

    Range: 0 to 0.5. Unit: standard deviation, as share of full scale. Better: depends. Source: RMS contrast, Peli
    1990.
    """

    def of(self, frame: Frame) -> float:
        return float(frame.small_luma.std()) / 255


class Colourfulness(PictureMetric):
    """Measure how colourful a picture is.

    Range: 0 (grey) to about 110. Unit: none; 33 is moderately, 59 quite, 82 highly colourful. Better: depends.
    Source: Hasler and Süsstrunk 2003, on a copy 160 pixels wide.
    """

    def of(self, frame: Frame) -> float:
        red, green, blue = (frame.small[..., channel] for channel in range(3))
        across, along = red - green, (red + green) / 2 - blue
        spread = np.hypot(across.std(), along.std())
        return float(spread + 0.3 * np.hypot(across.mean(), along.mean()))


class Sharpness(PictureMetric):
    """Measure how much fine detail there is: noise counts as detail, and a larger picture of the same has less.

    Range: 0 to some 10,000. Unit: variance of the Laplacian of brightness (0 to 255). Better: higher. Source: Pech-
    Pacheco et al. 2000, on at most four whole frames a second.
    """

    better: ClassVar[Better] = "higher"

    def of(self, frame: Frame) -> float:
        return laplacian_variance(frame.luma)


def laplacian_variance(luma: NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian of a picture's brightness, 0 for one that is too small to have any."""
    if min(luma.shape) < 3:
        return 0.0
    whole = luma.astype(np.int16)
    edges = 4 * whole[1:-1, 1:-1]
    edges -= whole[:-2, 1:-1]
    edges -= whole[2:, 1:-1]
    edges -= whole[1:-1, :-2]
    edges -= whole[1:-1, 2:]
    found = edges.ravel().astype(np.float32)
    return float(found @ found / found.size - found.mean() ** 2)


class Brisque(Metric):
    """Measure distortion, as of noise, blur and compression, in a video in its middle frame.

    Range: 0 (natural) to about 100. Unit: none. Better: lower. Source: BRISQUE, Mittal et al. 2012.
    """

    better: ClassVar[Better] = "lower"

    def value(self) -> float | None:
        path = self.subject.path
        picture = middle_picture(path, whole=True) if self.subject.is_video else opened_image(path)
        if min(picture.size) < _SMALLEST:
            return None
        grey = luma_of(np.asarray(picture, np.float32)) / 255
        half = Image.fromarray(grey).resize((picture.width // 2, picture.height // 2), Image.Resampling.BICUBIC)
        # Its own `score` takes no arrays of one number for numbers, as NumPy does not since 2.4.
        found = (_model().calculate_brisque_features(np.asarray(each, np.float64)) for each in (grey, half))
        return float(
            _model().calculate_image_quality_score([float(np.ravel(each)[0]) for part in found for each in part])
        )


_SMALLEST = 32
"""Pixels of a side, below which there is too little to tell."""


@functools.cache
def _model() -> Any:  # Any: the package declares no types
    from brisque import BRISQUE

    return BRISQUE()


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
