"""Metrics of what happens from frame to frame, of a video's sound, and of how far a file is from what was asked for."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

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


RATE = 48_000
"""Samples a second and channel that every metric hears."""

BLOCK = RATE // 10
"""Samples of a tenth of a second, the parts in which metrics hear."""

Sound = NDArray[np.float32]
"""Channels × samples of a tenth of a second (the last part may be shorter), 1.0: full scale."""


class SoundMetric(Metric):
    """Hear a video's sound; a video without any has no value."""

    media = VIDEO

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.samples = 0


class Loudness(SoundMetric):
    """Measure the integrated loudness of the sound, of at most two channels.

    Range: -70 (silence) to about 0. Unit: LUFS. Better: depends; -14 to -23 is usual. Source: ITU-R BS.1770-4, with
    its filter applied to the spectrum of each block of 400 ms.
    """

    _FLOOR: ClassVar[float] = -70.0
    _GATE: ClassVar[float] = -10.0
    _PARTS: ClassVar[int] = 4

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._last: list[Sound] = []
        self._powers: list[float] = []
        self._weights = _k_weights(BLOCK * self._PARTS)

    def hear(self, sound: Sound) -> None:
        self.samples += sound.shape[1]
        if sound.shape[1] < BLOCK:
            return
        self._last = [*self._last[1 - self._PARTS :], sound]
        if len(self._last) == self._PARTS:
            spectrum = np.fft.rfft(np.concatenate(self._last, axis=1), axis=1)
            self._powers.append(float((np.abs(spectrum) ** 2 @ self._weights).sum()))

    def value(self) -> float | None:
        if not self.samples:
            return None
        powers = np.array(self._powers)
        loud = powers[_lufs(powers) > self._FLOOR]
        if not loud.size:
            return self._FLOOR
        gated = loud[_lufs(loud) > float(_lufs(loud.mean())) + self._GATE]
        return float(_lufs(gated.mean()))


def _lufs(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(power, 1e-12)))


def _k_weights(length: int) -> NDArray[np.float64]:
    """Return by what each bin of |rfft|² counts in the mean square behind BS.1770's two filters, at 48 kHz."""
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(length))
    shelf = np.polyval([1.19839281085285, -2.69169618940638, 1.53512485958697], turn) / np.polyval(
        [0.73248077421585, -1.69065929318241, 1.0], turn
    )
    high = np.polyval([1.0, -2.0, 1.0], turn) / np.polyval([0.99007225036621, -1.99004745483398, 1.0], turn)
    both_sides = np.full(turn.size, 2.0)
    both_sides[0] = both_sides[-1] = 1.0
    return np.asarray(np.abs(shelf * high) ** 2 * both_sides / length**2)


class Silence(SoundMetric):
    """Measure in which share of the time the sound is below -60 dB of full scale.

    Range: 0 to 1. Unit: share of the tenths of a second. Better: lower, where sound is wanted. Source: the level that
    FFmpeg's `silencedetect` takes for silence.
    """

    better: ClassVar[Better] = "lower"
    _LEVEL: ClassVar[float] = 0.001

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._silent = 0

    def hear(self, sound: Sound) -> None:
        self.samples += sound.shape[1]
        if float(np.sqrt(np.square(sound).mean())) < self._LEVEL:
            self._silent += sound.shape[1]

    def value(self) -> float | None:
        return self._silent / self.samples if self.samples else None


class Clipping(SoundMetric):
    """Measure which share of the samples is at full scale or beyond.

    Range: 0 to 1. Unit: share of the samples. Better: lower. Source: counting samples of 0.999 and more.
    """

    better: ClassVar[Better] = "lower"
    _FULL: ClassVar[float] = 0.999

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._clipped = 0.0

    def hear(self, sound: Sound) -> None:
        self.samples += sound.shape[1]
        self._clipped += float((np.abs(sound) >= self._FULL).sum()) / sound.shape[0]

    def value(self) -> float | None:
        return self._clipped / self.samples if self.samples else None


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
