"""Tell what an image file really is, make the small picture of it, and convert input images to what servers read."""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from runner.errors import TOO_LARGE, ArtifactError, ConfigError

from .atomic import write_bytes

if TYPE_CHECKING:
    from av.video import VideoFrame
    from PIL.Image import Image


NAME = "thumbnail.webp"
WIDTH = 320
"""Pixels; the height follows the picture."""

_QUALITY = 75


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """Describe the file as it was written."""

    content: bytes
    width: int
    height: int


def write_thumbnail(image: Image, directory: Path) -> Thumbnail:
    """Write `thumbnail.webp` from `image`, made small if it is not."""
    small = image
    if image.width > WIDTH:
        small = image.resize((WIDTH, max(1, round(image.height * WIDTH / image.width))))
    buffer = io.BytesIO()
    small.convert("RGBA" if small.has_transparency_data else "RGB").save(buffer, "WEBP", quality=_QUALITY, method=0)
    return _written(buffer.getvalue(), small.width, small.height, directory)


def small_frame(frame: VideoFrame) -> VideoFrame:
    """Return the frame as the thumbnail shows it, in WebP's own colours, without a detour through RGB."""
    # A strip of a few columns would otherwise grow to gigabytes.
    height = min(WIDTH * 8, max(2, round(frame.height * WIDTH / frame.width)))
    return frame.reformat(
        *(WIDTH, height, "yuv420p"),
        dst_colorspace="ITU601",
        dst_color_range="MPEG",
        interpolation="AREA",
        threads=1,
    )


def write_frame(small: VideoFrame, directory: Path) -> Thumbnail:
    """Write `thumbnail.webp` from a `small_frame`."""
    import av

    if "libwebp" not in av.codecs_available:  # as where FFmpeg comes from elsewhere than PyAV's own packages
        return write_thumbnail(small.to_image(), directory)  # type: ignore[no-untyped-call]  # PyAV leaves it so
    encoder = av.CodecContext.create("libwebp", "w")
    encoder.width, encoder.height, encoder.pix_fmt = small.width, small.height, small.format.name
    encoder.time_base = Fraction(1)
    encoder.options = {"compression_level": "0", "quality": str(_QUALITY)}
    small.pts = 0
    packets = [*encoder.encode(small), *encoder.encode(None)]
    return _written(b"".join(map(bytes, packets)), small.width, small.height, directory)


def _written(content: bytes, width: int, height: int, directory: Path) -> Thumbnail:
    # Not durable: it can be made again from the artifact at any time.
    write_bytes(directory / NAME, content, durable=False)
    return Thumbnail(content, width, height)


MAX_PIXELS = 64_000_000
"""Eight times what any model offers; a larger picture is a decompression bomb."""

_TYPES = {
    "PNG": ("image/png", "png"),
    "WEBP": ("image/webp", "webp"),
    "JPEG": ("image/jpeg", "jpg"),
    "GIF": ("image/gif", "gif"),
    "AVIF": ("image/avif", "avif"),
    "BMP": ("image/bmp", "bmp"),
    "TIFF": ("image/tiff", "tif"),
    "JPEG2000": ("image/jp2", "jp2"),
    "ICO": ("image/x-icon", "ico"),
}
_ALSO = {"MPO": "JPEG"}
"""What Pillow calls a JPEG with a second picture behind the first, as phones make them."""

_UNREADABLE = (
    (b"\xff\x0a", "jxl"),
    (b"\0\0\0\x0cJXL ", "jxl"),
    (b"%PDF", "pdf"),
    (b"8BPS", "psd"),
    (b"\x1aE\xdf\xa3", "webm"),
    (b"\x1f\x8b", "svgz"),
)
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")


@dataclass(frozen=True, slots=True)
class Picture:
    """Describe the facts of an image file, and a small copy for the thumbnail, unless it is drawn by lines.

    A drawing that fits any size has no width and height.
    """

    media_type: str
    extension: str
    width: int | None
    height: int | None
    small: Image | None


def examine(path: Path) -> Picture:
    """Read and check an image file; raises `ArtifactError` if it is anything else, cut, or too large.

    Blocks for some 10 to 100 ms of decoding: call it in a thread.
    """
    from PIL import Image, UnidentifiedImageError  # 50 ms that a dry run need not pay

    if starts_as_text(path):
        return Picture(*drawing(path), small=None)
    quiet()
    try:
        return _decoded(path)
    except UnidentifiedImageError as error:
        known = guessed_extension(path)
        what = f"looks like {known.upper()}, which cannot be checked here" if known else "is no image known here"
        raise ArtifactError(f"the file {what}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ArtifactError("the image has more pixels than anything generates", code=TOO_LARGE) from error
    except ArtifactError:
        raise
    except OSError as error:
        raise ArtifactError(f"the image is cut or damaged: {error}") from error
    except Exception as error:
        raise ArtifactError(f"the image is cut or damaged: {type(error).__name__}: {error}") from error


def _decoded(path: Path) -> Picture:
    from PIL import Image  # as above

    with Image.open(path, formats=tuple(_TYPES)) as image:
        refuse_beyond(image.width, image.height)
        # A PNG whose pixels are complete may still lack its end; loading accepts that.
        image.verify()
    with Image.open(path, formats=tuple(_TYPES)) as image:
        width, height = image.size
        # A JPEG is read to its end, but made no larger than the thumbnail needs.
        image.draft(None, _small_size(width, height))
        image.load()
        form = str(image.format)
        media_type, extension = _TYPES[_ALSO.get(form, form)]
        return Picture(media_type, extension, width, height, small_copy(image))


def refuse_beyond(width: int, height: int) -> None:
    """Raise `ArtifactError` where a picture has more pixels than anything generates."""
    if width * height > MAX_PIXELS:
        raise ArtifactError(f"the image is {width}x{height}, which nothing generates", code=TOO_LARGE)


def guessed_extension(path: Path) -> str | None:
    """Return the extension of a file that cannot be checked here, by its first bytes; None if they tell nothing."""
    with path.open("rb") as file:
        start = file.read(16)
    if start[4:8] == b"ftyp":
        return "heic" if start[8:12] in _HEIC else "mp4"
    return next((extension for magic, extension in _UNREADABLE if start.startswith(magic)), None)


def small_copy(image: Image) -> Image | None:
    """Return a copy for the thumbnail; None where the colours are of a kind that none can be made of."""
    from PIL.Image import Resampling  # as above

    try:
        size = _small_size(image.width, image.height)
        if size == image.size:
            return image.copy()
        # First by whole numbers: a fifth of the time, and no difference that one sees at this size.
        return image.resize(size, Resampling.HAMMING, reducing_gap=1.0)
    except Exception:  # noqa: BLE001 - as above; the image is whole without one
        return None


def _small_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, WIDTH / width, WIDTH * 8 / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def quiet() -> None:
    """Keep Pillow from printing what it thinks of a file: it is decoded, or refused with a reason."""
    warnings.filterwarnings("ignore", module=r"PIL\.")


MAX_BYTES = 64_000_000
"""Far beyond any drawing; a larger text is an attack or a mistake."""

_ROOT = "{http://www.w3.org/2000/svg}svg"
_NUMBER = re.compile(r"\s*\+?([0-9]{0,6}\.[0-9]+|[0-9]{1,6}\.?)\s*(px|pt|pc|in|cm|mm|q)?\s*", re.IGNORECASE)
_UNITS = {"px": 1, "pt": 96 / 72, "pc": 16, "in": 96, "cm": 96 / 2.54, "mm": 9.6 / 2.54, "q": 2.4 / 2.54}
_LONGEST_SIDE = 40
_PIECE = 64 * 1024


def starts_as_text(path: Path) -> bool:
    """Return whether the file begins like XML."""
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
    """Keep the outermost element alone: a tree of a million empty ones would fill the memory."""

    def __init__(self) -> None:
        self.tag: str | None = None
        self.attributes: Mapping[str, str] = {}

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self.tag is None:
            self.tag, self.attributes = tag, attributes

    def doctype(self, name: str, public: str | None, _system: str | None) -> None:
        if name == "svg" and (public or "").startswith("-//W3C//DTD SVG"):
            return  # drawing programs write this; it is not fetched
        # It can declare entities, which is how small files become huge ones.
        raise ArtifactError("the drawing declares a document type, which no SVG of an API needs")

    def close(self) -> None:
        """Do nothing; the parser insists on calling it."""


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
