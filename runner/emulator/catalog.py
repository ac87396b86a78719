"""Hold what the emulated API knows about its models: names, limits, prices in USD."""

from __future__ import annotations

from dataclasses import dataclass

VIDEO_SECONDS = ("4", "8", "12")
EXTENSION_SECONDS = ("4", "8", "12", "16", "20")
STANDARD_SIZES = ("720x1280", "1280x720")
LARGE_SIZES = ("1024x1792", "1792x1024")
DEFAULT_VIDEO_MODEL = "sora-2"
PROMPT_LIMIT = 32_000
REFERENCE_LIMIT = 16

VIDEO_MODELS = (
    "sora-2",
    "sora-2-2025-10-06",
    "sora-2-2025-12-08",
    "sora-2-pro",
    "sora-2-pro-2025-10-06",
)


@dataclass(frozen=True)
class ImageRules:
    """Describe what one family of image models accepts, and its prices in USD per million tokens."""

    qualities: tuple[str, ...] = ("low", "medium", "high", "auto")
    sizes: tuple[str, ...] | None = ("1024x1024", "1536x1024", "1024x1536", "auto")
    legacy: bool = False
    text_price: float = 5.0
    image_price: float = 8.0
    output_price: float = 30.0
    images: int = 10


_ARBITRARY = ImageRules(sizes=None)
_FINE = ImageRules(sizes=None, qualities=("low", "medium", "high", "xhigh", "max", "auto"))
_MINI = ImageRules(text_price=2.0, image_price=2.5, output_price=8.0)
_DALL_E_3 = ImageRules(("standard", "hd"), ("1024x1024", "1792x1024", "1024x1792"), legacy=True, images=1)
_DALL_E_2 = ImageRules(("standard",), ("256x256", "512x512", "1024x1024"), legacy=True)

IMAGE_MODELS: dict[str, ImageRules] = {
    "gpt-image-2": _ARBITRARY,
    "gpt-image-2-2026-04-21": _ARBITRARY,
    "gpt-image-2.5-flare": _FINE,
    "gpt-image-2.5-flare-2026-09-08": _FINE,
    "gpt-image-2.5-sunburst": _FINE,
    "gpt-image-2.5-sunburst-2026-09-08": _FINE,
    "gpt-image-2.6-flare": _FINE,
    "gpt-image-2.6-sunburst": _FINE,
    "gpt-image-1.5": ImageRules(output_price=32.0),
    "gpt-image-1-mini": _MINI,
    "chatgpt-image-latest": ImageRules(output_price=32.0),
    "gpt-image-1": ImageRules(text_price=5.0, image_price=10.0, output_price=40.0),
    "dall-e-3": _DALL_E_3,
    "dall-e-2": _DALL_E_2,
}
DEPLOYED_IMAGE = _FINE
"""What an Azure deployment of any name accepts: its model is not known."""

_TOKENS = {"low": 272, "medium": 1056, "high": 4160}
_KNOWN_TOKENS = {
    ("1024x1536", "low"): 408,
    ("1024x1536", "medium"): 1584,
    ("1024x1536", "high"): 6240,
    ("1536x1024", "low"): 400,
    ("1536x1024", "medium"): 1568,
    ("1536x1024", "high"): 6208,
}


def is_pro(model: str) -> bool:
    """Say whether a video model is of the pro family."""
    return model.startswith("sora-2-pro")


def video_sizes(model: str) -> tuple[str, ...]:
    """Return the sizes that a video model on `/v1` offers."""
    return STANDARD_SIZES + LARGE_SIZES if is_pro(model) else STANDARD_SIZES


def video_price(model: str, size: str) -> float:
    """Return USD per second of video; a name that is not pro costs what sora-2 costs."""
    if not is_pro(model):
        return 0.10
    return 0.50 if size in LARGE_SIZES else 0.30


def output_tokens(size: tuple[int, int], quality: str) -> int:
    """Return one image's output tokens: published for three sizes, else by area; `xhigh` and `max` are as `high`."""
    level = quality if quality in _TOKENS else "high"
    named = f"{size[0]}x{size[1]}"
    area = size[0] * size[1] / (1024 * 1024)
    return _KNOWN_TOKENS.get((named, level), round(_TOKENS[level] * area))


PARTIAL_TOKENS = 100
"""Output tokens of one partial image."""


def input_tokens(prompt: str) -> int:
    """Return the text tokens of a prompt, at about four characters each."""
    return max(1, -(-len(prompt) // 4))


def reference_tokens(size: tuple[int, int]) -> int:
    """Return the image tokens of one input image, by tiles of 512 pixels."""
    return 65 + 129 * (-(-size[0] // 512)) * (-(-size[1] // 512))
