"""A mask, or markup, laid over the image that is edited: whether the two fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from PIL.Image import Image

_ORIENTATION = 0x0112
_TURNED = range(5, 9)


def misfit(overlay: BinaryIO, image: BinaryIO | None) -> str | None:
    """What is wrong with an overlay for `image` (None: not known yet); only the files' heads are decoded."""
    from PIL import Image, UnidentifiedImageError  # 50 ms that requests without a mask need not pay

    try:
        with Image.open(overlay) as top:
            if top.format != "PNG":
                return f"must be a PNG, and is {top.format}"
            if not top.has_transparency_data:
                return "has no transparent parts: its alpha channel says what to change"
            if image is None:
                return None
            with Image.open(image) as under:
                return _difference(top, under)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"cannot be held against the image: {error}"


def _difference(top: Image, under: Image) -> str | None:
    width, height = under.size
    # A camera's picture may be stored lying on its side.
    sizes = [(width, height), (height, width)] if under.getexif().get(_ORIENTATION) in _TURNED else [(width, height)]
    if top.size in sizes:
        return None
    return f"must be as large as the first image: it is {top.width}x{top.height}, the image {width}x{height}"
