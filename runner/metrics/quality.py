"""A metric of how natural a picture looks, without another to compare it with."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from .frame import luma_of
from .media import middle_picture, opened_image
from .metric import Better, Metric


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
