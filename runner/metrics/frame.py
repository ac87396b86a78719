"""Hold one decoded picture; the arrays that metrics share are made when the first of them asks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video import VideoFrame
    from PIL.Image import Image

WIDTH = 160
"""Pixels of the small copy's longer side."""

EXAMINED_A_SECOND = 4
"""Frames of a video's second that metrics of the whole picture look at: those between look much alike."""

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Rec. 709's weights of red, green and blue, here of the values as they are coded."""

Array = NDArray[np.float32]


class _Source(Protocol):
    """Make the arrays of a picture, whatever it was decoded by."""

    size: tuple[int, int]

    def small(self) -> NDArray[np.uint8]: ...

    def luma(self) -> NDArray[np.uint8]: ...


class Frame:
    """Describe a picture of a file.

    Attributes:
        width: in pixels.
        height: in pixels.
        number: from 0.
        seconds: when it is shown, counted from the first.
        examined: whether metrics of the whole picture look at it.
    """

    def __init__(self, source: _Source, number: int = 0, seconds: float = 0.0, *, examined: bool = True) -> None:
        """Take what the arrays are made of."""
        self._source = source
        self.width, self.height = source.size
        self.number = number
        self.seconds = seconds
        self.examined = examined

    @cached_property
    def small(self) -> Array:
        """Return height × width × (red, green, blue), 0 to 255, of a copy that is 160 pixels at its longer side."""
        return self._source.small().astype(np.float32)

    @cached_property
    def small_luma(self) -> Array:
        """Return height × width of the small copy's brightness, 0 to 255."""
        return luma_of(self.small)

    @cached_property
    def mean_luma(self) -> float:
        """Return the picture's mean brightness, 0 to 255."""
        return float(self.small_luma.mean())

    @cached_property
    def luma(self) -> NDArray[np.uint8]:
        """Return height × width of the whole picture's brightness, 0 to 255."""
        return self._source.luma()


class DecodedFrame:
    """Make arrays of a video's frame."""

    def __init__(self, frame: VideoFrame) -> None:
        self._frame = frame
        self.size = frame.width, frame.height

    def small(self) -> NDArray[np.uint8]:
        made = self._frame.reformat(*small_size(*self.size), "rgb24", interpolation="AREA", threads=1)
        return np.asarray(made.to_ndarray(), np.uint8)

    def luma(self) -> NDArray[np.uint8]:
        return np.asarray(self._frame.reformat(format="gray", dst_color_range="JPEG", threads=1).to_ndarray(), np.uint8)


class DecodedImage:
    """Make arrays of a still picture in RGB."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self.size = image.size

    def small(self) -> NDArray[np.uint8]:
        from PIL.Image import Resampling

        return np.asarray(self._image.resize(small_size(*self.size), Resampling.BOX))

    def luma(self) -> NDArray[np.uint8]:
        return luma_of(np.asarray(self._image, np.float32)).round().astype(np.uint8)


def small_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height of the small copy, each at least 8 pixels; a smaller picture stays as it is."""
    scale = min(1.0, WIDTH / max(width, height))
    return max(min(8, width), round(width * scale)), max(min(8, height), round(height * scale))


def luma_of(picture: Array) -> Array:
    """Return the brightness of a picture in RGB."""
    return picture @ _LUMA
