"""Metrics of a video's sound: loudness, silence, clipping."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .metric import VIDEO, Better, Metric, Subject

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
