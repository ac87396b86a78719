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
_NUMBER = re.compile(r"\s*([0-9]{0,6}\.[0-9]+|[0-9]{1,6})(px)?\s*")
_PIECE = 64 * 1024


def starts_as_text(path: Path) -> bool:
    """Whether the file begins like XML."""
    with path.open("rb") as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def drawing(path: Path) -> tuple[str, str, int, int]:
    """Media type, extension, width and height (in pixels) of an SVG file; raises `ArtifactError` for anything else."""
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
    except ET.ParseError as error:
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

    def doctype(self, *_: object) -> None:
        # It can declare entities, which is how small files become huge ones.
        raise ArtifactError("the drawing declares a document type, which no SVG of an API needs")

    def close(self) -> None:
        """Nothing is left to do; the parser insists on being able to ask."""


def _size(root: Mapping[str, str]) -> tuple[int, int]:
    box = root.get("viewBox", "").replace(",", " ").split()
    given = [root.get("width", ""), root.get("height", "")]
    sides = given if all(_NUMBER.fullmatch(side) for side in given) else box[2:]
    numbers = [_NUMBER.fullmatch(side) for side in sides]
    if len(numbers) != 2 or None in numbers:
        raise ArtifactError("the drawing does not say how large it is")
    width, height = (round(float(number[1])) for number in numbers if number is not None)
    return width, height
