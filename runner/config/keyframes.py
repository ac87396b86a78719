"""Check whether a video's keyframes are where a server takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from .dialect import Dialect
from .problem import Problem
from .request import InputImage

_ROUNDING = 0.01
"""Seconds by which a written moment may be off, as 0.33 for a third."""


def check_keyframes(images: Iterable[InputImage], dialect: Dialect, name: str, end: int | None) -> Iterator[Problem]:
    """Yield keyframes that are too many, too close, or behind the end of the video; `name` is the dialect's."""
    moments = sorted(each.seconds for each in images if each.seconds is not None)
    key, most, gap = "request.image_list", dialect.most_keyframes, dialect.keyframe_gap
    if len(moments) > most:
        yield Problem(key, f"{len(moments)} keyframes; this server takes {most} ({name})")
    if moments and end is not None and moments[-1] > end:
        message = f"a keyframe at {moments[-1]:g} s lies behind the end of the video ({end} s)"
        yield Problem(key, message, "an earlier second, or a longer request.duration_seconds")
    for one, following in pairwise(moments):
        if following - one < gap - _ROUNDING:
            message = f"keyframes at {one:g} and {following:g} s: at least {gap:.2f} s lie between two ({name})"
            yield Problem(key, message)
