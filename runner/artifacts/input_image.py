"""Convert an input image to what servers read: one upright still picture of 8 bits a channel in sRGB."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runner.errors import ConfigError

from .picture import MAX_PIXELS, quiet

if TYPE_CHECKING:
    from PIL.Image import Image

Way = Literal["crop", "pad"]

FORMATS = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tiff"}
"""Pillow's names of the formats that are read, and the second halves of their media types."""
MAX_INPUT_BYTES = 50 * 1024 * 1024
"""No server takes a larger image."""

_SENT = frozenset({"PNG", "JPEG", "WEBP"})
_ORIENTATION = 0x0112
_TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270",
          7: "TRANSVERSE", 8: "ROTATE_90"}  # fmt: skip
"""What brings a picture with this EXIF note upright, as Pillow calls it."""
_DEEP = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_PNG_DEPTH = 24
"""Where a PNG says how many bits a channel has."""


@dataclass(frozen=True, slots=True)
class Look:
    """Describe what is known of an input image.

    Attributes:
        size: width and height in pixels, upright.
        turned: whether its EXIF note turns the stored picture.
        format: as Pillow calls it: PNG, JPEG, WEBP, ….
        transparent: whether it says of any pixel how opaque it is.
    """

    size: tuple[int, int]
    turned: bool
    format: str
    transparent: bool


def look(content: bytes) -> Look:
    """Decode an image to its last pixel; raises `ConfigError` if it is none, cut, damaged or too large.

    Blocks for some 10 to 300 ms.
    """
    with _opened(content) as image:
        if image.format == "PNG":
            # Pillow accepts a file whose pixels are all there; a server may not.
            with _opened(content) as again:
                again.verify()
        image.load()
        orientation = _orientation(image)
        width, height = image.size
        size = (height, width) if orientation >= 5 else (width, height)
        return Look(size, orientation > 1, str(image.format), image.has_transparency_data)


def as_sent(
    content: bytes, *, keep_alpha: bool, size: tuple[int, int] | None = None, way: Way | None = None
) -> bytes | None:
    """Return `content` converted to a PNG (a JPEG, where that would be too large); None if it can be sent as it is.

    Transparent parts become black, as in a player, unless `keep_alpha`. With a `size` and a `way` it is scaled: `crop`
    cuts what then stands out on both sides, `pad` adds black where something is missing. Raises `ConfigError` as
    `look`. Blocks for some 10 to 300 ms: call it in a thread.
    """
    from PIL import ImageOps

    with _opened(content) as image:
        image.load()
        ready = _is_ready(image, content, keep_alpha=keep_alpha)
        if ready and (size is None or way is None or image.size == size):
            return None
        picture = _converted(image, keep_alpha=keep_alpha)
        if size is not None and way is not None and picture.size != size:
            picture = ImageOps.fit(picture, size) if way == "crop" else ImageOps.pad(picture, size)
        return _encoded(picture)


@contextmanager
def _opened(content: bytes) -> Iterator[Image]:
    from PIL import Image, UnidentifiedImageError  # 50 ms that only a run with an image pays

    quiet()
    try:
        with Image.open(io.BytesIO(content), formats=tuple(FORMATS)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ConfigError(
                    f"the input image is {image.width}x{image.height}, which is too large",
                    hint=f"at most {MAX_PIXELS:,} pixels: scale it down first",
                )
            yield image
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ConfigError(f"the input image cannot be read: {_reason(error)}", hint="PNG, JPEG or WebP") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error) as error:
        raise ConfigError(
            f"the input image is cut or damaged: {_reason(error)}", hint="copy or download it again, or export it anew"
        ) from error


def _reason(error: Exception) -> str:
    text = str(error).partition("<")[0].strip()
    return text or type(error).__name__


def _orientation(image: Image) -> int:
    """Return the EXIF note on how the picture is to be turned, 1 to 8; 1 where it has none that makes sense."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError, struct.error):
        return 1  # a broken note is none
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _is_ready(image: Image, content: bytes, *, keep_alpha: bool) -> bool:
    """Return whether a server would show the same as a viewer does."""
    if image.format not in _SENT or getattr(image, "is_animated", False) or _orientation(image) != 1:
        return False
    if image.format == "PNG" and content[_PNG_DEPTH] > 8:
        return False
    alpha = image.mode == "RGBA" and (keep_alpha or image.getchannel("A").getextrema() == (255, 255))
    plain = image.mode in ("RGB", "L") and "transparency" not in image.info
    return (alpha or plain) and _profile(image) is None


def _converted(image: Image, *, keep_alpha: bool) -> Image:
    """Return the first frame upright, in RGB, or in RGBA where something is transparent and stays so."""
    from PIL import Image as Pillow

    picture, turn = _in_rgb(image), _TURNS.get(_orientation(image))
    if turn is not None:
        picture = picture.transpose(Pillow.Transpose[turn])
    if picture.mode != "RGBA" or keep_alpha:
        return picture
    black = Pillow.new("RGBA", picture.size, "black")
    return Pillow.alpha_composite(black, picture).convert("RGB")


def _in_rgb(image: Image) -> Image:
    from PIL import ImageChops

    profile = _profile(image)
    if image.mode in _DEEP:
        return _in_8_bits(image).convert("RGB")
    if image.mode == "CMYK" and image.format in ("JPEG", "MPO") and "adobe" not in image.info:
        image = ImageChops.invert(image)  # Pillow takes every one for Adobe's, which are stored inverted
    transparent = image.has_transparency_data
    if profile is not None and not transparent:
        managed = _in_srgb(image, profile)
        if managed is not None:
            return managed
    if not transparent:
        return image.convert("RGB")
    whole = image.convert("RGBA")
    managed = None if profile is None or image.mode not in ("RGBA", "P", "PA") else _in_srgb(whole, profile)
    return whole if managed is None else managed


def _in_8_bits(image: Image) -> Image:
    """Return a grey picture of 16 or 32 bits in 8, scaled by its format's range, or if unknown by the range it uses."""
    wide = image.convert("F")
    _, most = wide.getextrema()
    top = float(most) if isinstance(most, int | float) else 0.0
    if image.mode.startswith("I;16") or 255 < top <= 65535:
        return wide.point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if image.mode == "F" and top <= 1:
        return wide.point(lambda value: value * 255 + 0.5).convert("L")
    if top > 65535:
        return wide.point(lambda value: value * (255 / top) + 0.5).convert("L")
    return wide.convert("L")


def _profile(image: Image) -> bytes | None:
    """Return the embedded colour profile, if it is another than sRGB."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not profile:
        return None
    from PIL import ImageCms

    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if name.strip().startswith("sRGB") else profile


def _in_srgb(image: Image, profile: bytes) -> Image | None:
    """Return the picture in sRGB; None where its profile does not describe it."""
    from PIL import ImageCms

    source = image if image.mode in ("RGB", "RGBA", "L", "CMYK") else image.convert("RGB")
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if source.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(source, given, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _encoded(picture: Image) -> bytes:
    # The old metadata no longer describes the picture.
    picture.info.clear()
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    if buffer.tell() > MAX_INPUT_BYTES and picture.mode == "RGB":
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
