"""Results as they come of runs, real sweeps, and pages as a browser reads them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from runner.artifacts.result import Artifact, Attempt, Result
from runner.artifacts.run_status import RunStatus
from runner.config.run import RunConfig
from runner.engine.recorder import planned
from runner.engine.run import Run

BEGIN = dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC)
VIDEO = Artifact(path="video.mp4", bytes=10, sha256="ab", media_type="video/mp4", width=16, height=9, fps=24.0)
POSTER = Artifact(path="thumbnail.webp", bytes=5, sha256="cd", media_type="image/webp", width=16, height=9)


class Page(HTMLParser):
    """What a browser makes of a page: its scripts, its title, and the data."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.title = ""
        self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif self._inside == "title":
            self.title += data

    @property
    def data(self) -> dict[str, Any]:
        (text,) = (text for attributes, text in self.scripts if attributes.get("id") == "data")
        return json.loads(text)


@pytest.fixture
def opened() -> Callable[[Path], Page]:
    """A page as a browser reads it."""
    return Page


@pytest.fixture
def result(loaded: Callable[..., RunConfig]) -> Callable[..., Result]:
    """A run's result: verified after five seconds unless told otherwise."""
    config = loaded("provider=openai")

    def make(index: int = 0, *, config: RunConfig = config, prompt: str = "p", status: str = "verified",
             overrides: Sequence[str] = (), **facts: Any) -> Result:  # fmt: skip
        own = config.model_copy(update={"request": config.request.model_copy(update={"prompt": prompt})})
        known = planned(Run(index, own, Path("unused"), tuple(overrides)), BEGIN.timestamp())
        if status != "planned":
            reached = {"submitting": 1, "submitted": 2, status: 6}
            known.timestamps |= {name: BEGIN + dt.timedelta(seconds=after) for name, after in reached.items()}
            known.attempts = [Attempt(number=1, provider="openai", started_at=BEGIN, usd=0.4)]
            known.job_id = f"video_{index}"
        made = {"artifacts": [VIDEO, POSTER]} if status == "verified" else {}
        return known.model_copy(update={"status": RunStatus(status), **made, **facts})

    return make
