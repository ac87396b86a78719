"""Metrics of how far a file is from what its request asked for: size, duration, frames a second."""

from __future__ import annotations

from typing import ClassVar

from .frame import Frame
from .metric import VIDEO, Better, Metric, Subject


class SizeError(Metric):
    """Measure by how much width or height, whichever is worse, is not the one that was asked for.

    Range: 0 and more. Unit: share of what was asked. Better: lower. Source: the decoded picture; none where the
    request names no size.
    """

    better: ClassVar[Better] = "lower"
    depends_on = ("width", "height")

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._worst: float | None = None

    def see(self, frame: Frame) -> None:
        wide, high = self.subject.width, self.subject.height
        if frame.number == 0 and wide and high:
            self._worst = max(abs(frame.width - wide) / wide, abs(frame.height - high) / high)

    def value(self) -> float | None:
        return self._worst


class _Timed(Metric):
    """Take note of when frames are shown."""

    better: ClassVar[Better] = "lower"
    media = VIDEO

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.frames = 0
        self.last = 0.0

    def see(self, frame: Frame) -> None:
        self.frames += 1
        self.last = frame.seconds

    @property
    def fps(self) -> float | None:
        """Return frames a second; None of a single one."""
        return (self.frames - 1) / self.last if self.last else None


class DurationError(_Timed):
    """Measure by how many seconds the picture is longer or shorter than was asked for.

    Range: 0 and more. Unit: seconds. Better: lower. Source: the decoded frames, the last shown as long as the others;
    none where the request names no duration.
    """

    depends_on = ("seconds",)

    def value(self) -> float | None:
        if self.subject.seconds is None or self.fps is None:
            return None
        return abs(self.last + 1 / self.fps - self.subject.seconds)


class FpsError(_Timed):
    """Measure by how many frames a second the video has more or fewer than were asked for.

    Range: 0 and more. Unit: frames a second. Better: lower. Source: the decoded frames; none where the request names
    no rate.
    """

    depends_on = ("fps",)

    def value(self) -> float | None:
        if self.subject.fps is None or self.fps is None:
            return None
        return abs(self.fps - self.subject.fps)
