"""Metrics of what happens from frame to frame: motion, flicker; black, frozen and duplicated frames."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from .frame import Array, Frame
from .metric import VIDEO, Better, Metric, Subject


class Differences(Metric):
    """Compare each frame of a video with the one before; one of a single frame has no value."""

    media = VIDEO

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._before: Array | None = None
        self.pairs = 0

    def see(self, frame: Frame) -> None:
        if self._before is not None:
            self.pairs += 1
            self.compare(self._before, frame.small_luma, frame.seconds)
        self._before = frame.small_luma

    def compare(self, before: Array, now: Array, seconds: float) -> None:
        """Take the brightness of two frames, of which the second is shown at `seconds`."""
        raise NotImplementedError


class Motion(Differences):
    """Measure by how much the picture changes from frame to frame; cuts count, too.

    Range: 0 to about 100. Unit: standard deviation of the difference of brightness (0 to 255). Better: depends.
    Source: the temporal information of ITU-T P.910, here its mean, on a copy 160 pixels wide.
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._sum = 0.0

    def compare(self, before: Array, now: Array, seconds: float) -> None:
        del seconds
        self._sum += float((now - before).std())

    def value(self) -> float | None:
        return self._sum / self.pairs if self.pairs else None


class DuplicatedFrames(Differences):
    """Measure which share of the frames shows the same as the one before.

    Range: 0 to 1. Unit: share of the frames. Better: lower. Source: no part of a copy 160 pixels wide differs by more
    than one step of 255.
    """

    better: ClassVar[Better] = "lower"
    _STEP: ClassVar[float] = 1.0

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._same = 0

    def compare(self, before: Array, now: Array, seconds: float) -> None:
        del seconds
        self._same += bool(np.abs(now - before).max() <= self._STEP)

    def value(self) -> float | None:
        return self._same / self.pairs if self.pairs else None


class FrozenFrames(Differences):
    """Measure in which share of the time the picture stands still for at least half a second.

    Range: 0 to 1. Unit: share of the video's time. Better: lower. Source: FFmpeg's `freezedetect`: the mean difference
    from where the stillness began is at most 0.1 % of full scale.
    """

    better: ClassVar[Better] = "lower"
    _NOISE: ClassVar[float] = 0.255
    _SHORTEST: ClassVar[float] = 0.5

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._still: Array | None = None
        self._since = self._now = self._frozen = 0.0

    def compare(self, before: Array, now: Array, seconds: float) -> None:
        still = before if self._still is None else self._still
        if float(np.abs(now - still).mean()) <= self._NOISE:
            self._still = still
        else:
            self._end()
            self._still, self._since = None, seconds
        self._now = seconds

    def _end(self) -> None:
        if self._still is not None and self._now - self._since >= self._SHORTEST:
            self._frozen += self._now - self._since

    def value(self) -> float | None:
        self._end()
        self._still = None
        return self._frozen / self._now if self.pairs and self._now else None


class Flicker(Metric):
    """Measure how unsteady the brightness of the whole picture is; a steady fade counts nothing.

    Range: 0 to 2. Unit: share of full scale, the mean change of the change from frame to frame. Better: lower.
    Source: second difference of the mean brightness.
    """

    better: ClassVar[Better] = "lower"
    media = VIDEO

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._means: list[float] = []

    def see(self, frame: Frame) -> None:
        self._means.append(frame.mean_luma)

    def value(self) -> float | None:
        changes = np.abs(np.diff(self._means, 2)) if len(self._means) > 2 else np.empty(0)
        return float(changes.mean()) / 255 if changes.size else None


class BlackFrames(Metric):
    """Measure which share of the frames is black.

    Range: 0 to 1. Unit: share of the frames. Better: lower. Source: FFmpeg's `blackdetect`: at least 98 % of the
    picture is below 10 % of full scale.
    """

    better: ClassVar[Better] = "lower"
    _DARK: ClassVar[float] = 25.5
    _SHARE: ClassVar[float] = 0.98

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._black = self._frames = 0

    def see(self, frame: Frame) -> None:
        self._frames += 1
        self._black += bool((frame.small_luma < self._DARK).mean() >= self._SHARE)

    def value(self) -> float | None:
        return self._black / self._frames if self._frames else None
