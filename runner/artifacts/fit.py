"""An input image brought to a video's exact size."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

from runner.errors import ConfigError

from .atomic import write_bytes
from .picture import MAX_PIXELS

Way = Literal["crop", "pad"]


def fit(content: bytes, size: tuple[int, int], way: Way, target: Path) -> bool:
    """Write `content`, an image, to `target` as a PNG of `size`; False, and nothing is written, if it has that size.

    It is scaled; `crop` cuts what then stands out on both sides, `pad` adds black where something is missing. Raises
    `ConfigError` for what is no image. Blocks for some 10 to 300 ms: call it in a thread.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError  # 50 ms that only a run with an image pays

    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ConfigError(f"the input image is {image.width}x{image.height}, which is too large")
            # A phone turns its pictures by a note beside the pixels, which the server may not read.
            upright = ImageOps.exif_transpose(image)
            if upright.size == size and image.size == size:
                return False
            picture = upright.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ConfigError(f"the input image cannot be read: {error}", hint="PNG, JPEG or WebP") from error
    fitted = ImageOps.fit(picture, size) if way == "crop" else ImageOps.pad(picture, size)
    buffer = io.BytesIO()
    fitted.save(buffer, "PNG")
    write_bytes(target, buffer.getvalue(), durable=False)
    return True
