"""Metrics of how a picture looks: brightness, contrast, sharpness, colourfulness; of a video the mean of its frames."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .frame import Frame
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
