"""Warn of results that are not what was asked for: they are paid and whole all the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.artifacts.result import Artifact

from .recorder import RunRecorder

_ROUNDED = 16
"""Models make sides of whole blocks of so many pixels."""
_SECONDS, _PART = 0.5, 0.1
"""A length may differ by the larger of seconds and the part of what was asked for: containers and models round."""
_RATIO = 0.03
_FORMATS = {"jpg": "jpeg", "tif": "tiff"}


def warn_of_mismatch(recorder: RunRecorder, artifact: Artifact) -> None:
    """Warn where a file's size, length, shape or format is another than the request said; `auto` says nothing."""
    sent = recorder.result.request_sent
    pairs = [*_sizes(recorder, sent, artifact), *_formats(sent, artifact), *_lengths(sent, artifact)]
    if any(differs for _, _, differs in pairs):
        asked, got = " ".join(pair[0] for pair in pairs), " ".join(pair[1] for pair in pairs)
        recorder.warn(f"asked for {asked}, got {got}{_excuse(sent, artifact)}")


_Pair = tuple[str, str, bool]
"""What was asked for, what came, and whether that is a difference."""


def _sizes(recorder: RunRecorder, sent: Mapping[str, Any], artifact: Artifact) -> list[_Pair]:  # Any: JSON
    if not artifact.width or not artifact.height:
        return []
    got = f"{artifact.width}x{artifact.height}"
    if (asked := _asked_size(sent)) is not None:
        return [(f"{asked[0]}x{asked[1]}", got, asked != (artifact.width, artifact.height))]
    ratio = _numbers(str(sent.get("aspect_ratio") or recorder.run.config.request.aspect_ratio or ""), ":")
    if ratio is None or sent.get("size") is not None:
        return []
    wrong = abs(artifact.width * ratio[1] / (artifact.height * ratio[0]) - 1) > _RATIO
    return [(f"{ratio[0]}:{ratio[1]}", got, wrong)]


def _asked_size(sent: Mapping[str, Any]) -> tuple[int, int] | None:  # Any: JSON
    sides = (sent.get("width"), sent.get("height"))
    if all(isinstance(side, int) for side in sides):
        return int(sides[0] or 0), int(sides[1] or 0)
    return _numbers(str(sent.get("size") or ""), "x")


def _numbers(text: str, between: str) -> tuple[int, int] | None:
    first, found, second = text.partition(between)
    if not (found and first.isdecimal() and second.isdecimal() and int(first) and int(second)):
        return None
    return int(first), int(second)


def _formats(sent: Mapping[str, Any], artifact: Artifact) -> list[_Pair]:  # Any: JSON
    asked = sent.get("output_format")
    if not isinstance(asked, str):
        return []
    extension = artifact.path.rpartition(".")[2]
    got = _FORMATS.get(extension, extension)
    return [(asked, got, _FORMATS.get(asked.lower(), asked.lower()) != got)]


def _lengths(sent: Mapping[str, Any], artifact: Artifact) -> list[_Pair]:  # Any: JSON
    """Return the length where it is asked for as a whole: an extension has its source's, too."""
    try:
        asked = float(sent["seconds"] if "seconds" in sent else sent["duration"])
    except (KeyError, TypeError, ValueError):
        return []
    got = artifact.duration_seconds
    if got is None or "num_frames" in sent or sent.get("operation") == "extend":
        return []
    return [(f"of {asked:g} s", f"of {got:g} s", abs(got - asked) > max(_SECONDS, _PART * asked))]


def _excuse(sent: Mapping[str, Any], artifact: Artifact) -> str:  # Any: JSON
    asked = _asked_size(sent)
    got = (artifact.width or 0, artifact.height or 0)
    if asked is None or asked == got or any(abs(a - b) >= _ROUNDED for a, b in zip(asked, got, strict=True)):
        return ""
    return f" (the size is rounded: each side differs by less than {_ROUNDED} pixels)"
