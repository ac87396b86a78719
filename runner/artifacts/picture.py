"""What an image file really is, decoded to its last pixel within limits."""

from __future__ import annotations

import functools
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ArtifactError

from .limits import TOO_LARGE
from .thumbnail import WIDTH
from .vector import drawing, starts_as_text

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 64_000_000
"""Eight times what any model offers; a larger picture is a decompression bomb."""

_TYPES = {
    "PNG": ("image/png", "png"),
    "WEBP": ("image/webp", "webp"),
    "JPEG": ("image/jpeg", "jpg"),
    "GIF": ("image/gif", "gif"),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """The facts of an image file, and a small copy for the thumbnail, unless it is drawn by lines."""

    media_type: str
    extension: str
    width: int
    height: int
    small: Image | None


def examine(path: Path) -> Picture:
    """Read and check an image file; raises `ArtifactError` if it is anything else, cut, or too large.

    Blocks for some 10 to 100 ms of decoding: call it in a thread.
    """
    from PIL import Image, UnidentifiedImageError  # 50 ms that a dry run need not pay

    if starts_as_text(path):
        return Picture(*drawing(path), small=None)
    _leave_the_limit_to_us()
    try:
        with Image.open(path, formats=tuple(_TYPES)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ArtifactError(f"the image is {image.width}x{image.height}, which nothing generates",
                                    code=TOO_LARGE)  # fmt: skip
            # A PNG whose pixels are complete may still lack its end; loading does not mind.
            image.verify()
        with Image.open(path, formats=tuple(_TYPES)) as image:
            image.load()
            media_type, extension = _TYPES[str(image.format)]
            small = image.copy()
            small.thumbnail((WIDTH, WIDTH * 8))
            return Picture(media_type, extension, image.width, image.height, small)
    except UnidentifiedImageError as error:
        raise ArtifactError("the file is no PNG, WebP, JPEG, GIF or SVG image") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ArtifactError("the image has more pixels than anything generates", code=TOO_LARGE) from error
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise ArtifactError(f"the image is cut or damaged: {error}") from error


@functools.cache
def _leave_the_limit_to_us() -> None:
    """Keep Pillow from printing a warning about what is refused here anyway."""
    from PIL.Image import DecompressionBombWarning

    warnings.simplefilter("ignore", DecompressionBombWarning)
