"""How well videos keep to the clock while they play: measured for a while, as at one instant anything may be true."""

from __future__ import annotations

from typing import Any

GRID = """() => [...document.querySelectorAll("#grid video")].filter((video) => {
  const box = video.getBoundingClientRect(), frame = document.getElementById("grid").getBoundingClientRect();
  return box.bottom > frame.top + 40 && box.top < frame.bottom && box.right > frame.left && box.left < frame.right;
})"""
OVERLAY = """() => [...document.querySelectorAll("#overlay video")]"""
ENOUGH = 0.1
"""Seconds that a video may be astray."""

_TIMES = 15
"""How often it is measured on a machine that is too busy to play evenly."""

# For each frame of a second (of more, where frames are rare) how far the worst is from the clock, or from its own end
# if that comes first; one that seeks shows neither. While the clock waits for videos nothing is measured.
SAMPLES = """(videos) => new Promise((done) => {
  const found = [], begin = performance.now();
  const astray = (video, position) =>
    video.seeking ? 1 : Math.abs(video.currentTime - Math.min(position, video.duration));
  const look = () => {
    const { position, gathering } = gallery.transport, passed = performance.now() - begin;
    const all = videos().map((video) => astray(video, position));
    if (!gathering) found.push(all.length ? Math.max(...all) : 1);
    if (passed > 10000 || (passed > 1000 && found.length >= 20)) done(found);
    else requestAnimationFrame(look);
  };
  look();
})"""


def astray(page: Any, videos: str = GRID) -> float:
    """Seconds that the worst of the videos is away from the clock in all but a fifth of the frames.

    A busy machine plays nothing evenly: it has some time to come back to the clock, to which what is out of step never
    comes. Any: playwright's page, which is imported where there is a browser.
    """
    least = 1.0
    for _ in range(_TIMES):
        found = sorted(page.evaluate(f"({SAMPLES})({videos})"))
        assert len(found) >= 20
        least = min(least, float(found[len(found) * 4 // 5]))
        if least <= ENOUGH:
            break
    return least
