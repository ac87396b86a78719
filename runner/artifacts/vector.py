"""SVG drawings: read far enough to know that they are whole, with nothing in them resolved, fetched or kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from runner.errors import ArtifactError

from .limits import TOO_LARGE

MAX_BYTES = 64_000_000
"""Far beyond any drawing; a larger text is an attack or a mistake."""

_ROOT = "{http://www.w3.org/2000/svg}svg"
_NUMBER = re.compile(r"\s*\+?([0-9]{0,6}\.[0-9]+|[0-9]{1,6}\.?)\s*(px|pt|pc|in|cm|mm|q)?\s*", re.IGNORECASE)
_UNITS = {"px": 1, "pt": 96 / 72, "pc": 16, "in": 96, "cm": 96 / 2.54, "mm": 9.6 / 2.54, "q": 2.4 / 2.54}
_LONGEST_SIDE = 40
_PIECE = 64 * 1024


def starts_as_text(path: Path) -> bool:
    """Whether the file begins like XML."""
    with path.open("rb") as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def drawing(path: Path) -> tuple[str, str, int | None, int | None]:
    """Return media type, extension, width and height of an SVG file; raises `ArtifactError` for anything else.

    The sides are in pixels, and None where the drawing fits any size.
    """
    from xml.etree import ElementTree as ET  # most runs meet no drawing

    if path.stat().st_size > MAX_BYTES:
        raise ArtifactError(f"the drawing is larger than {MAX_BYTES:,} bytes", code=TOO_LARGE)
    root = _Root()
    parser = ET.XMLParser(target=root)  # noqa: S314 - it stops at a document type, without which nothing expands
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                parser.feed(piece)
        parser.close()
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"the file is no SVG image, or it is cut: {error}") from error
    if root.tag != _ROOT:
        raise ArtifactError("the file is text, but no SVG image")
    width, height = _size(root.attributes)
    return "image/svg+xml", "svg", width, height


class _Root:
    """Keeps the outermost element alone: a tree of a million empty ones would fill the memory."""

    def __init__(self) -> None:
        self.tag: str | None = None
        self.attributes: Mapping[str, str] = {}

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self.tag is None:
            self.tag, self.attributes = tag, attributes

    def doctype(self, name: str, public: str | None, _system: str | None) -> None:
        if name == "svg" and (public or "").startswith("-//W3C//DTD SVG"):
            return  # what drawing programs write; it is not fetched
        # It can declare entities, which is how small files become huge ones.
        raise ArtifactError("the drawing declares a document type, which no SVG of an API needs")

    def close(self) -> None:
        """Nothing is left to do; the parser insists on being able to ask."""


def _size(root: Mapping[str, str]) -> tuple[int | None, int | None]:
    box = root.get("viewBox", "").replace(",", " ").split()
    given = [root.get("width", ""), root.get("height", "")]
    sides = given if all(_NUMBER.fullmatch(side) for side in given) else box[2:]
    if any(len(side) > _LONGEST_SIDE for side in (*given, *box)):
        raise ArtifactError("the drawing claims a size that nothing generates", code=TOO_LARGE)
    numbers = [number for side in sides if (number := _NUMBER.fullmatch(side)) is not None]
    if len(numbers) != 2:
        return None, None
    width, height = (round(float(number[1]) * _UNITS[(number[2] or "px").lower()]) for number in numbers)
    return width, height
