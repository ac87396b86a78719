"""SVG drawings: read far enough to know that they are whole, with nothing in them resolved or fetched."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from runner.errors import ArtifactError

MAX_BYTES = 64_000_000
"""Far beyond any drawing; a larger text is an attack or a mistake."""

_ROOT = "{http://www.w3.org/2000/svg}svg"
_NUMBER = re.compile(r"\s*([0-9]*\.?[0-9]+)(px)?\s*")
# A document type can declare entities, which is how small files become huge ones.
_DOCTYPE = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


def starts_as_text(path: Path) -> bool:
    """Whether the file begins like XML."""
    with path.open("rb") as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def drawing(path: Path) -> tuple[str, str, int, int]:
    """Media type, extension, width and height (in pixels) of an SVG file; raises `ArtifactError` for anything else."""
    content = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
    if not content or _DOCTYPE.search(content):
        raise ArtifactError("the drawing is too large or declares a document type, which no SVG of an API needs")
    try:
        root = ET.fromstring(content)  # noqa: S314 - without a document type there is nothing to expand
    except ET.ParseError as error:
        raise ArtifactError(f"the file is no SVG image, or it is cut: {error}") from error
    if root.tag != _ROOT:
        raise ArtifactError("the file is text, but no SVG image")
    width, height = _size(root)
    return "image/svg+xml", "svg", width, height


def _size(root: ET.Element) -> tuple[int, int]:
    box = root.get("viewBox", "").replace(",", " ").split()
    given = [root.get("width", ""), root.get("height", "")]
    sides = given if all(_NUMBER.fullmatch(side) for side in given) else box[2:]
    numbers = [_NUMBER.fullmatch(side) for side in sides]
    if len(numbers) != 2 or None in numbers:
        raise ArtifactError("the drawing does not say how large it is")
    width, height = (round(float(number[1])) for number in numbers if number is not None)
    return width, height
