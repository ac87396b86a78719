"""Show a sweep and a run in a notebook: pictures in the page itself, what strangers wrote as text."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runner.artifacts.picture import NAME as THUMBNAIL
from runner.artifacts.result import Artifact, Result

from .state import RunState

_MEDIA = re.compile(r"(image|video|audio)/[a-z0-9.+-]+")
_SHOWN = 60
"""Runs of a sweep whose pictures are shown; their bytes are kept in the notebook's file."""

_SMALL = 256 * 1024
_PLAYED = 16 * 1024**2
"""Bytes of a picture in a grid, and of a film of a single run, that are embedded."""

_LONGEST = 300
"""Characters of a text that a stranger wrote."""

_GRID = "display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:12px"
_CELL = "margin:0;font:12px system-ui,sans-serif;overflow-wrap:anywhere"


class Shown(NamedTuple):
    """Hold what is shown of a run. Any: values of a config."""

    directory: Path
    result: Result
    state: RunState
    parameters: Mapping[str, Any]


def sweep_html(directory: Path, runs: Sequence[Shown], totals: Mapping[str, object]) -> str:
    """Return a grid of the first runs' pictures, and what all amount to."""
    counts = [f"{totals[state]} {state}" for state in RunState if totals[state]]
    spent = totals.get("spent_usd")
    facts = [f"{len(runs)} runs", *counts, *([f"${spent:.2f} at list price"] if isinstance(spent, float) else [])]
    cells = "".join(map(_cell, runs[:_SHOWN]))
    more = f"<p>… and {len(runs) - _SHOWN:,} more runs</p>" if len(runs) > _SHOWN else ""
    title = f"<p><b>{_text(str(directory))}</b><br>{_text(' · '.join(facts))}</p>"
    return f'{title}<div style="{_GRID}">{cells}</div>{more}'


def run_html(run: Shown) -> str:
    """Return a run's media, large, with its facts below."""
    media = "".join(_media(run.directory, artifact) for artifact in run.result.artifacts if artifact.path != THUMBNAIL)
    return f"<div>{media}</div>{_caption(run)}"


def _cell(run: Shown) -> str:
    return f'<figure style="{_CELL}">{_picture(run.directory, run.result)}{_caption(run)}</figure>'


def _picture(directory: Path, result: Result) -> str:
    """Return the first picture that is small enough, or nothing."""
    ordered = sorted(result.artifacts, key=lambda artifact: artifact.path != THUMBNAIL)
    for artifact in ordered:
        if artifact.media_type.startswith("image/") and artifact.bytes <= _SMALL:
            address = _embedded(directory, artifact)
            if address is not None:
                return _image(address, result.config.request.prompt)
    return ""


def _media(directory: Path, artifact: Artifact) -> str:
    address = _embedded(directory, artifact) if artifact.bytes <= _PLAYED else None
    if address is None:
        return _link(directory / artifact.path)
    if artifact.media_type.startswith("video/"):
        return f'<video controls muted loop style="max-width:100%" src="{address}"></video>'
    return _image(address, artifact.path)


def _image(address: str, alternative: str) -> str:
    return f'<img style="max-width:100%" alt="{_text(alternative)}" src="{address}">'


def _caption(run: Shown) -> str:
    return "<figcaption>" + "<br>".join(_lines(run)) + "</figcaption>"


def _lines(run: Shown) -> Iterator[str]:
    """Yield what is said below a picture, each already HTML."""
    directory, result, state, parameters = run
    yield f"<b>{result.index}</b> {state}"
    for key, value in parameters.items():
        yield f"{_text(key.removeprefix('request.'))}={_isolated(str(value))}"
    if result.error is not None:
        yield f"{_text(result.error.type)}: {_isolated(result.error.message)}"
    yield from (_link(directory / artifact.path) for artifact in result.artifacts if artifact.path != THUMBNAIL)


def _link(path: Path) -> str:
    return f'<a href="{html.escape(path.absolute().as_uri())}">{_text(path.name)}</a>'


def _embedded(directory: Path, artifact: Artifact) -> str | None:
    """Return the file as a data URI; None where it is gone or not the run's own."""
    path = own_file(directory, artifact)
    try:
        return data_address(artifact.media_type, path.read_bytes()) if path else None
    except OSError:
        return None


def _text(text: str) -> str:
    """Return text escaped and cut to a readable length."""
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    safe = short.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return html.escape(safe)


def _isolated(text: str) -> str:
    """Return the same, where marks that turn the writing direction end with it."""
    return f"<bdi>{_text(text)}</bdi>"


def own_file(directory: Path, artifact: Artifact, *, within: Path | None = None) -> Path | None:
    """Return a run's media file; None if it is gone, is no media, or lies outside of its sweep's directory.

    A directory may come from anyone: neither its records nor a link in it take another file into a page.
    """
    if not _MEDIA.fullmatch(artifact.media_type):
        return None
    try:
        path = (directory / artifact.path).resolve()
        places = [place.resolve() for place in (directory, within or directory)]
        inside = all(path.is_relative_to(place) for place in places) and path.is_file()
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return None
    return path if inside else None


def data_address(media_type: str, content: bytes) -> str:
    """Return the address of a file that holds the file itself."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
