"""Read the pages of the documentation: their fenced blocks, headings and links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
PICTURES = sorted((ROOT / "tests" / "browser" / "screenshots").iterdir())

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)|<(?:img|source)\b[^>]*\bsrc(?:set)?=\"(?P<picture>[^\"]+)\"")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    language: str
    text: str


def blocks(language: str) -> list[Block]:
    """Return all fenced blocks of a language, in the order of the pages."""
    found = ((page, match) for page in PAGES for match in _FENCE.finditer(page.read_text(encoding="utf-8")))
    return [
        Block(page.name, match["language"], match["text"]) for page, match in found if match["language"] == language
    ]


def links(page: Path) -> list[str]:
    """Return what a page links to and shows, its fenced blocks left out."""
    return [
        match["target"] or match["picture"]
        for match in _LINK.finditer(_FENCE.sub("", page.read_text(encoding="utf-8")))
    ]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = (match["title"] for match in _HEADING.finditer(_FENCE.sub("", page.read_text(encoding="utf-8"))))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
