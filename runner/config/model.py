"""Describe models: capabilities, prices and retirement dates, all as data."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from .dialect import HOSTS, OWN_SERVERS, ImageRole
from .frozen import Frozen, Off
from .request import Size

Usd = Annotated[float, Field(ge=0)]
"""An amount in US dollars."""

Tokens = Annotated[int, Field(gt=0)]

Validation = Annotated[Literal["strict", "warn", "off"], Off]


if TYPE_CHECKING:
    Offerer = str
else:
    # A provider that publishes what it offers, or the dialect of hosts or of servers that run open weights.
    Offerer = Literal[("openai", "azure_openai", *sorted(HOSTS | OWN_SERVERS))]


Prices = dict[str, Usd]
"""US dollars by size or resolution; `default` is for all others."""


class Offer(Frozen):
    """Describe one provider's offer of a model: the day it ends (null: none is announced), and what follows it.

    A host's offer has the model's name and its prices there; those of its maker's own API stand in the model itself.
    """

    retires: dt.date | None
    successor: str | None
    id: str | None = None
    """What is sent as the model there; null: its name."""
    image_roles: tuple[ImageRole, ...] | None = None
    """What an input image can be there; null: as the model takes it."""
    max_images: Annotated[int, Field(ge=1)] | None = None
    """Images that one request may ask for there; null: as the model makes them."""
    max_reference_images: Annotated[int, Field(ge=0)] | None = None
    """Images that may go in there; null: as the model takes them."""
    prompt_optional: bool | None = None
    """Whether a first frame alone makes a video there, without a prompt; null: not known."""
    usd_per_second: Prices | None = None
    """Of video, with sound where it can have any; null: unknown."""
    usd_per_silent_second: Prices | None = None
    """Of video without sound; null: as with it."""
    usd_per_second_from_frames: Prices | None = None
    """Of video made from a first or last frame, whatever its sound; null: as without."""
    usd_per_second_from_references: Prices | None = None
    """Of video made from references, whatever its sound; null: as without."""
    usd_at_least: Usd | None = None
    """What each video costs at least; null: nothing."""
    usd_per_million_video_tokens: Prices | None = None
    """Of width · height · 24 · seconds / 1024 tokens."""
    usd_per_million_silent_video_tokens: Prices | None = None
    """Of those of video without sound; null: as with it."""
    usd_per_image: dict[str, Prices] | None = None
    """Of an image, by quality (`default`: all others) and size or resolution; null: unknown."""
    usd_per_megapixel: Usd | None = None
    """Of an image, where its price goes by its pixels."""
    usd_per_input_image: Usd | None = None
    """Of each image that goes in; null: nothing."""
    usd_per_reference_image: Usd | None = None
    """Of each of them that is a reference, and no frame of a video."""


class TokenPrice(Frozen):
    """Hold USD per million tokens."""

    text_in: Usd
    image_in: Usd
    image_out: Usd
    text_out: Usd | None = None
    """Text of the output; null: as its images."""
    cached_text_in: Usd | None = None
    """Text that was sent before; null: as other text."""
    cached_image_in: Usd | None = None


class SizeRules(Frozen):
    """Describe what an arbitrary WIDTHxHEIGHT must keep to, in pixels; null: no such limit is known."""

    multiple_of: int
    max_ratio: float | None
    max_width: int | None
    max_height: int | None
    min_pixels: int | None
    max_pixels: int | None


class BaseModelConfig(Frozen):
    """Describe what video and image models share."""

    name: Annotated[str, Field(min_length=1)]
    deployment: str | None
    validation: Validation
    sizes: tuple[Size, ...] | None
    """The sizes on offer; null: any that `size_rules` allow."""
    aspect_ratios: dict[str, Size | None]
    """What each aspect ratio is sent as; null: as itself."""
    resolutions: tuple[str, ...] | None = None
    """The resolutions on offer by their names; null: none is known."""
    default_resolution: str | None = None
    """What a host is asked for where a request names neither resolution nor size."""
    max_reference_images: Annotated[int, Field(ge=0)]
    parameters: frozenset[str]
    """The optional request keys that the model honours."""
    max_prompt_length: int | None
    """In characters; null: not known."""
    offers: dict[Offerer, Offer]
    """Who is known to offer it: a provider, or the dialect of servers that run it."""
    source: str
    read: dt.date
    """The day the source was read."""
    refreshed_from: Offerer | None = None
    """The host whose own list `models --refresh` read this from; null: it was written by hand."""


class VideoModel(BaseModelConfig):
    """Describe a model that makes videos, priced by the second."""

    kind: Literal["video"]
    durations: tuple[int, ...] | None
    """Seconds on offer; null: any."""
    default_duration: int
    default_size: Size | None
    default_audio: bool | None = None
    """Whether a host is asked for sound where a request leaves that open; null: it is not told."""
    image_roles: tuple[ImageRole, ...] = ("first_frame", "reference")
    """What an input image can be to it."""
    reference_resolutions: tuple[str, ...] | None = None
    """The resolutions of a video made of references, smallest first; null: as of any other."""
    max_reference_seconds: Annotated[int, Field(gt=0)] | None = None
    """The longest video made of references; null: as of any other."""
    min_reference_images: Annotated[int, Field(ge=0)] = 0
    """Images without which it makes nothing."""
    size_rules: SizeRules | None = None
    """What any size must keep to, where `sizes` is null."""
    usd_per_second: dict[Size | Literal["default"], Usd] | None
    """List price by size; null: unknown."""


class ImageModel(BaseModelConfig):
    """Describe a model that makes images, priced by tokens."""

    kind: Literal["image"]
    size_rules: SizeRules | None
    qualities: tuple[str, ...]
    max_images: int
    usd_per_image: dict[str, dict[Size, Usd]] | None
    """Published list price by quality and size; null: unknown."""
    usd_per_million_tokens: TokenPrice | None
    batch_discount: Annotated[float, Field(ge=0, lt=1)] | None = None
    """What is taken off all prices in a batch, as 0.5; null: no source gives a batch price."""
    output_tokens: dict[str, Annotated[dict[Size, Tokens], Field(min_length=1)]] | None = None
    """Tokens of one image by quality and size, from which its price is estimated; null: unknown."""
    input_image_tokens: dict[Literal["low", "high"], Tokens] | None = None
    """Tokens that one input image takes at most, by fidelity."""


ModelConfig = Annotated[VideoModel | ImageModel, Field(discriminator="kind")]
