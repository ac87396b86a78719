"""Metrics of what a file looks like beside others: the image that it was to begin with, and other replicas."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .frame import Array, Frame, luma_of
from .media import middle_picture, opened_image
from .metric import VIDEO, Better, Metric, Subject

if TYPE_CHECKING:
    from PIL.Image import Image


class FirstFrameLikeness(Metric):
    """Measure how much a video's first frame looks like the image that it was to begin with.

    Range: -1 to 1 (the same). Unit: structural similarity of brightness. Better: higher. Source: SSIM, Wang et al.
    2004, in windows of 8 × 8 pixels of a copy 160 pixels wide; none where the request has no such image.
    """

    better: ClassVar[Better] = "higher"
    depends_on = ("first_frame",)
    media = VIDEO

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._likeness: float | None = None

    def see(self, frame: Frame) -> None:
        if frame.number == 0 and self.subject.first_frame is not None:
            from PIL import ImageOps

            size = (frame.small.shape[1], frame.small.shape[0])
            asked = ImageOps.fit(opened_image(self.subject.first_frame), size)
            self._likeness = structural_similarity(luma_of(np.asarray(asked, np.float32)), frame.small_luma)

    def value(self) -> float | None:
        return self._likeness


_WINDOW = 8
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""What keeps SSIM's quotients from division by zero, as its authors have it."""


def structural_similarity(one: Array, other: Array) -> float:
    """Return the mean SSIM of two pictures of one size, 0 to 255."""
    mean_one, mean_other = _window_means(one), _window_means(other)
    variance_one = _window_means(one * one) - mean_one**2
    variance_other = _window_means(other * other) - mean_other**2
    shared = _window_means(one * other) - mean_one * mean_other
    likeness = (2 * mean_one * mean_other + _C1) * (2 * shared + _C2)
    return float((likeness / ((mean_one**2 + mean_other**2 + _C1) * (variance_one + variance_other + _C2))).mean())


def _window_means(picture: Array) -> Array:
    """Return the mean of each window."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, (min(_WINDOW, *picture.shape),) * 2)
    return np.asarray(windows.mean(axis=(2, 3)), np.float32)


class NearDuplicates(Metric):
    """Count the other replicas of the request that look almost the same; of videos, their middles are compared.

    Range: 0 and more. Unit: files. Better: lower. Source: ImageHash's `phash`; at most 6 of its 64 bits differ. None
    where there is no other replica.
    """

    better: ClassVar[Better] = "lower"
    depends_on = ("siblings",)
    _MOST_BITS: ClassVar[int] = 6

    def value(self) -> float | None:
        if not self.subject.siblings:
            return None
        own = perceptual_hash(self.subject.path, video=self.subject.is_video)
        others = [perceptual_hash(path, video=self.subject.is_video) for path in self.subject.siblings]
        return float(sum((own ^ other).bit_count() <= self._MOST_BITS for other in others))


@lru_cache(4096)
def perceptual_hash(path: Path, *, video: bool) -> int:
    """Return the 64 bits of a picture's, or a video's middle frame's, `phash`."""
    import imagehash

    picture: Image = middle_picture(path) if video else opened_image(path)
    return int(str(imagehash.phash(picture)), 16)
