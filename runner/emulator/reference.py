"""Examine pictures and clips that clients upload: what they are, and whether the API would take them."""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from runner.emulator.surface import Refusal

IMAGE_FORMATS = ("JPEG", "PNG", "WEBP")


def image_size(content: bytes, param: str) -> tuple[int, int]:
    """Return width and height of an uploaded image; raises Refusal(400) unless it is a JPEG, PNG or WebP."""
    try:
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            image.load()
            return image.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        message = "Unsupported file. The image must be a readable JPEG, PNG or WebP."
        raise Refusal(400, message, param=param, code="invalid_image_file") from error


def is_transparent_png(content: bytes) -> bool:
    """Say whether an uploaded image is a PNG that can be transparent somewhere."""
    with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
        return image.format == "PNG" and image.has_transparency_data


def linked_image(reference: dict[str, str], param: str) -> bytes:
    """Return the bytes behind `{"image_url": "data:..."}`; the emulator fetches nothing from a network."""
    url = reference.get("image_url", "")
    header, comma, data = url.partition(",")
    if not header.startswith("data:image/") or not header.endswith(";base64") or not comma:
        message = "Only base64 data URLs can be read here: the emulator fetches nothing and keeps no files."
        raise Refusal(400, message, param=param, code="invalid_value")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise Refusal(400, "The data URL is not valid base64.", param=param, code="invalid_value") from error


def clip_facts(path: Path) -> tuple[str, int]:
    """Return size as WxH and whole seconds of an uploaded video; raises Refusal(400) unless it is one."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            return f"{stream.width}x{stream.height}", max(1, round((container.duration or 0) / av.time_base))
    except (av.FFmpegError, IndexError) as error:
        message = "Unsupported file. The video must be a readable MP4."
        raise Refusal(400, message, param="video", code="invalid_video_file") from error
