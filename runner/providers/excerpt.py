"""A server's words, made fit for one line of a terminal."""

from __future__ import annotations

import html
import re

_MARKUP = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_LONGEST_PAGE = 20_000


def excerpt(page: str, limit: int = 160) -> str:
    """Return the title and first words of a page, without markup."""
    page = page[:_LONGEST_PAGE]
    title = _TITLE.search(page)
    heading = f"{title.group(1)}: " if title else ""
    return one_line(html.unescape(heading + _MARKUP.sub(" ", page)), limit).removesuffix(":")


def one_line(text: str, limit: int = 600) -> str:
    """`text` without line breaks and control characters, cut to `limit` characters."""
    printable = text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)
    joined = " ".join(printable.split())
    return joined if len(joined) <= limit else joined[: limit - 1].rstrip() + "…"
