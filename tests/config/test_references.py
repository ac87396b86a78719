"""What Grok Imagine does not make of references is refused before it is paid, with what to type."""

from __future__ import annotations

import pytest

from runner.config.capability import check

REFERENCES = "request.image_list=[https://a.example/1.png,https://a.example/2.png]"


def told(config) -> list[tuple[str, str | None]]:
    return [(problem.key, problem.hint) for problem in check(config) if problem.severity == "error"]


def test_references_make_no_video_of_1080p(loaded):
    new = ("provider=xai", "model=grok-imagine-video-1.5", "request.resolution=1080p")
    assert told(loaded(*new, REFERENCES)) == [("request.resolution", "request.resolution=720p")]
    assert told(loaded(*new)) == []
    assert told(loaded(*new, "request.image_list=[https://a.example/1.png]")) == [], "a first frame"
    assert told(loaded(*new[:2], REFERENCES)) == [], "720p by itself"


@pytest.mark.parametrize(("model", "hints"), [
    ("grok-imagine-video", [("request.duration_seconds", "request.duration_seconds=10")]),
    ("grok-imagine-video-1.5", []),
])  # fmt: skip
def test_the_classic_model_makes_ten_seconds_of_references(loaded, model, hints):
    long = ("provider=xai", f"model={model}", "request.duration_seconds=12")
    assert told(loaded(*long, REFERENCES)) == hints
    assert told(loaded(*long)) == []
