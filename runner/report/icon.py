"""Hold the icon of pages, as an address that asks no server."""

from __future__ import annotations

from urllib.parse import quote

_DRAWING = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><rect width='16' height='16' rx='3' fill='#1f5fbf'/>"
    "<path d='M3 3h4.5v4.5H3zM8.5 8.5H13V13H8.5z' fill='#fff'/>"
    "<path d='M9 3.2l4 2.3-4 2.3zM3 8.5h4.5V13H3z' fill='#fff' fill-opacity='.6'/></svg>"
)

ICON = "data:image/svg+xml," + quote(_DRAWING, safe=" '/:=")
