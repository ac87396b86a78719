"""Write the page: runs as JSON inside one HTML file, piece by piece, with small media inside it where asked."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from runner.artifacts.atomic import output_errors
from runner.artifacts.picture import NAME as POSTER
from runner.artifacts.result import Artifact, Result
from runner.results.files import finite
from runner.results.loading import data_address, own_file
from runner.results.state import RunState

_DRAWING = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><rect width='16' height='16' rx='3' fill='#1f5fbf'/>"
    "<path d='M3 3h4.5v4.5H3zM8.5 8.5H13V13H8.5z' fill='#fff'/>"
    "<path d='M9 3.2l4 2.3-4 2.3zM3 8.5h4.5V13H3z' fill='#fff' fill-opacity='.6'/></svg>"
)

ICON = "data:image/svg+xml," + quote(_DRAWING, safe=" '/:=")


VERSION = 1
"""Of the data in the page; `page/store.js` reads it."""

_SOURCES = Path(__file__).with_name("page")
_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Heading:
    """Describe what the page tells beside its cells.

    Attributes:
        title: of the window, and what notes are kept under.
        complete: false while some run may change by itself: the page then looks for a newer copy of itself every
            `refresh_seconds`, and says that the sweep has stopped where `made_at` has not changed for minutes.
        sweeps: each with its directory, name, the command that resumes it, and its budget.
        axes: what varies between the runs.
        shared: the leaves of the config that all runs have in common.
        ratings: where a served page sends and finds what is judged, who judges, and where the `list` of all that is
            served is; None: the page is a file.
    """

    title: str
    complete: bool
    sweeps: Sequence[dict[str, object]]
    axes: Sequence[dict[str, object]]
    shared: dict[str, Any]  # Any: JSON
    refresh_seconds: int = 3
    ratings: Mapping[str, str] | None = None


class Shell:
    """Hold the page without its data, made once for every copy of it that is written."""

    def __init__(self, title: str, *, served: bool = False) -> None:
        """Render the page's frame; raises `RunnerError` where Jinja is missing.

        Where it is `served`, it may ask the server that it came from.
        """
        mark = f"data-{secrets.token_hex(16)}"
        text = _template().render(title=title, data=mark, served=served, icon=ICON)
        head, _, tail = text.partition(mark)
        # A file's name may hold what is no text; it stands in the title alone, and in the data as JSON has it.
        self._head, self._tail = (part.encode("utf-8", "xmlcharrefreplace") for part in (head, tail))

    def pieces(self, data: Iterable[str]) -> Iterator[bytes]:
        """Yield the whole page with its data."""
        yield self._head
        yield from (piece.encode("ascii") for piece in data)
        yield self._tail

    def write(self, path: Path, data: Iterable[str], *, part: str = ".tmp") -> None:
        """Replace the page at `path` in one step; raises `DiskError`.

        It can be made again at any time, so that a power cut may have it. `part` ends the name that it has before.
        """
        temporary = path.with_name(f".{path.name}{part}")
        with output_errors(path):
            try:
                with temporary.open("wb") as file:
                    file.writelines(self.pieces(data))
                temporary.replace(path)
            except BaseException:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise


def page_data(heading: Heading, cells: Iterable[str], totals: dict[str, object]) -> Iterator[str]:
    """Yield the data as JSON text in pieces; `cells` are texts made by `encoded_json`."""
    begin = encoded_json(
        {
            "version": VERSION,
            "title": heading.title,
            "made_at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "complete": heading.complete,
            "refresh_seconds": heading.refresh_seconds,
            "sweeps": heading.sweeps,
            "states": [{"name": state.value, "sign": state.sign, "meaning": state.meaning} for state in RunState],
            "axes": heading.axes,
            "shared": heading.shared,
            **({"ratings": dict(heading.ratings)} if heading.ratings else {}),
        }
    )
    yield begin[:-1] + ',"cells":['
    for number, text in enumerate(cells):
        yield f",\n{text}" if number else text
    yield f'],"totals":{encoded_json(totals)}}}'


def encoded_json(value: object) -> str:
    """Return JSON as it may stand in a `<script>`: ASCII, without what could end it; what is no JSON number is null."""
    try:
        text = _JSON.encode(value)
    except ValueError:
        text = _JSON.encode(finite(value))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def _template() -> Any:  # Any: jinja2 is imported late
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    # Styles and scripts are no templates, whatever braces they hold, and ours.
    environment.globals["source"] = lambda name: Markup(_read(name))  # noqa: S704
    return environment.from_string(_read("page.html.j2"))


def _read(name: str) -> str:
    return (_SOURCES / name).read_text(encoding="utf-8")


EACH = 4_000_000
"""Bytes of the largest file that is taken in, unless told otherwise."""

TOTAL = 60_000_000
"""Bytes of all of them together; in the page they are a third more."""


class LeftOut(Enum):
    """Describe why a file stays a link."""

    LARGE = "too large for one file inside"
    CROWDED = "the files before took the room"
    MISSING = "gone, no media, or not in a run's own directory"


class MediaTaker(Protocol):
    """Take the files that a page shows to where it can show them."""

    def take(self, sweep: Path, directory: Path, artifact: Artifact) -> str | None:
        """Return the address of a file of a sweep's run in `directory`; None if it stays where it is."""


class Embedding:
    """Take files in while they fit; what is too large or gone stays a link.

    Attributes:
        left_out: how many files stay links, by the reason.
    """

    def __init__(self, results: Sequence[Result], *, each: int = EACH, total: int = TOTAL) -> None:
        """Reserve room for the posters of all `results`, so that the first videos do not take it."""
        self._each = each
        posters = sum(artifact.bytes for result in results for artifact in result.artifacts if artifact.path == POSTER)
        self._room = {True: min(total, posters), False: max(0, total - posters)}
        self.left_out: Counter[LeftOut] = Counter()

    def take(self, sweep: Path, directory: Path, artifact: Artifact) -> str | None:
        """Return the file of a sweep's run as an address that holds it; None if it stays where it is."""
        poster = artifact.path == POSTER
        content = self._read(own_file(directory, artifact, within=sweep), self._room[poster])
        if isinstance(content, LeftOut):
            self.left_out[content] += 1
            return None
        self._room[poster] -= len(content)
        return data_address(artifact.media_type, content)

    def _read(self, path: Path | None, room: int) -> bytes | LeftOut:
        if path is None:
            return LeftOut.MISSING
        try:
            size = path.stat().st_size
            if size > self._each:
                return LeftOut.LARGE
            return LeftOut.CROWDED if size > room else path.read_bytes()
        except OSError:
            return LeftOut.MISSING
