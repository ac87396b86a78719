"""Whether a model can do what a request asks, from the model's data alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from .defaults import sent_size
from .extension import check_extensions
from .model import ImageModel, ModelConfig, Offer, SizeRules, VideoModel
from .operation import check_extension
from .problem import Problem
from .provider import AzureOpenAIConfig, OpenAIConfig
from .request import ImageRequest, VideoRequest
from .run import RunConfig
from .taker import takers

_ALWAYS = frozenset({"kind", "prompt", "prompt_file", "size", "aspect_ratio", "duration_seconds", "image_list", "n",
                     "quality", "extra_params", "thumbnail", "number_of_videos", "operation", "image_fit",
                     "variants"})  # fmt: skip


def check(config: RunConfig, *, today: dt.date | None = None) -> list[Problem]:
    """Everything the model's data says against this run; `model.validation` decides how grave it is."""
    problems = list(_offered(config, today or dt.datetime.now().astimezone().date()))
    if config.model.kind != config.request.kind:
        return [*problems, _kind_mismatch(config)]
    if config.model.validation == "off":
        return problems
    found = list(_capabilities(config))
    return problems + ([p.as_warning() for p in found] if config.model.validation == "warn" else found)


_NEWEST = {"image": "gpt-image-2.6-flare", "video": "sora-2"}
"""A model of each kind, to be named where the other kind was chosen."""


def _kind_mismatch(config: RunConfig) -> Problem:
    wanted, has = config.request.kind, config.model.kind
    article = "an" if has == "image" else "a"
    return Problem("request", f"asks for {wanted}, but {config.model.name} is {article} {has} model",
                   f"add model={_NEWEST[wanted]}, or another {wanted} model, or request={has}")  # fmt: skip


def _offered(config: RunConfig, today: dt.date) -> Iterator[Problem]:
    provider, policy = config.provider, config.provider.retired_models
    if policy == "off" or not isinstance(provider, OpenAIConfig | AzureOpenAIConfig):
        return
    offer = config.model.offers.get(provider.kind)
    if offer is None:
        yield Problem("model", f"no source says that {provider.kind} offers {config.model.name}", severity="warning")
    elif offer.retires is not None and offer.retires <= today:
        yield _retired(config, offer, refuse=policy == "refuse")


def _retired(config: RunConfig, offer: Offer, *, refuse: bool) -> Problem:
    follows = f"use model={offer.successor}" if offer.successor else "it has no successor there"
    message = f"{config.model.name} was retired by {config.provider.kind} on {offer.retires}; {follows}"
    if refuse:
        return Problem("model", message, "provider.retired_models=warn sends it all the same")
    return Problem("model", message, severity="warning")


def _capabilities(config: RunConfig) -> Iterator[Problem]:
    request, model = config.request, config.model
    yield from _prompt(request, model)
    yield from _aspect_ratio(request, model)
    yield from _size(request, model)
    yield from _unsupported(request, model)
    yield from check_extensions(config)
    if isinstance(request, VideoRequest) and isinstance(model, VideoModel):
        if request.video is None:
            yield from _duration(request, model, config.provider.kind)
            yield from _needed(request.image_list, model)
        yield from check_extension(request, config.provider.kind)
        yield from _references(request.image_list, model)
    elif isinstance(request, ImageRequest) and isinstance(model, ImageModel):
        yield from _image(request, model)


def _prompt(request: VideoRequest | ImageRequest, model: ModelConfig) -> Iterator[Problem]:
    if model.max_prompt_length is not None and len(request.prompt) > model.max_prompt_length:
        yield Problem("request.prompt", f"has {len(request.prompt):,} characters; "
                      f"{model.name} takes at most {model.max_prompt_length:,}")  # fmt: skip


def _duration(request: VideoRequest, model: VideoModel, provider: str) -> Iterator[Problem]:
    given = request.duration_seconds
    if given is not None and model.durations is not None and given not in model.durations:
        allowed = ", ".join(map(str, model.durations))
        yield Problem("request.duration_seconds", f"Invalid duration for {provider} ({model.name}): {given} seconds. "
                      f"Allowed values: {allowed}")  # fmt: skip


def _aspect_ratio(request: VideoRequest | ImageRequest, model: ModelConfig) -> Iterator[Problem]:
    ratio = request.aspect_ratio
    if ratio is not None and request.size is None and ratio not in model.aspect_ratios:
        supported = ", ".join(model.aspect_ratios)
        yield Problem("request.aspect_ratio", f"Invalid aspect ratio: {ratio}. Supported ratios: {supported}",
                      f"for {model.name}; request.size=WIDTHxHEIGHT asks for an exact size")  # fmt: skip


def _size(request: VideoRequest | ImageRequest, model: ModelConfig) -> Iterator[Problem]:
    size = sent_size(request, model)
    if size is None:
        return
    if model.sizes is not None:
        if size not in model.sizes:
            yield Problem("request.size", f"{size} is not offered by {model.name}. "
                          f"Allowed values: {', '.join(model.sizes)}")  # fmt: skip
    elif size == "auto" and isinstance(model, VideoModel):
        yield Problem("request.size", f"auto is not a size that {model.name} makes", "request.size=WIDTHxHEIGHT")
    elif model.size_rules is not None and size != "auto":
        yield from _arbitrary_size(size, model.size_rules)


def _arbitrary_size(size: str, rules: SizeRules) -> Iterator[Problem]:
    width, height = map(int, size.split("x"))
    broken = [*_sides(width, height, rules), *_area(width * height, rules)]
    if broken:
        yield Problem("request.size", f"{size} is not possible: {'; '.join(broken)}")


def _sides(width: int, height: int, rules: SizeRules) -> Iterator[str]:
    if width % rules.multiple_of or height % rules.multiple_of:
        yield f"both sides must be multiples of {rules.multiple_of}"
    if rules.max_ratio is not None and max(width, height) > rules.max_ratio * min(width, height):
        yield f"the sides' ratio must lie within 1:{rules.max_ratio:g} and {rules.max_ratio:g}:1"
    if rules.max_width is not None and rules.max_height is not None:
        longest, shortest = max(rules.max_width, rules.max_height), min(rules.max_width, rules.max_height)
        if max(width, height) > longest or min(width, height) > shortest:
            yield f"at most {rules.max_width}x{rules.max_height} (or turned)"


def _area(pixels: int, rules: SizeRules) -> Iterator[str]:
    least, most = rules.min_pixels, rules.max_pixels
    if least is not None and most is not None and not least <= pixels <= most:
        yield f"between {least:,} and {most:,} pixels, given {pixels:,}"


def _unsupported(request: VideoRequest | ImageRequest, model: ModelConfig) -> Iterator[Problem]:
    for name in sorted(request.model_fields_set - _ALWAYS - model.parameters):
        value = getattr(request, name)
        if value != type(request).model_fields[name].default:
            yield Problem(f"request.{name}", f"is not something {model.name} can honour",
                          takers(name, request.kind))  # fmt: skip


def _needed(images: tuple[str, ...], model: VideoModel) -> Iterator[Problem]:
    least = model.min_reference_images
    if len(images) < least:
        what = "an image" if least == 1 else f"{least} images"
        yield Problem("request.image_list", f"{model.name} works from {what}, and {len(images) or 'none'} is given",
                      "request.image_list=[PATH], or a model that works from text alone")  # fmt: skip


def _references(images: tuple[str, ...], model: ModelConfig) -> Iterator[Problem]:
    limit = model.max_reference_images
    if len(images) > limit:
        yield Problem("request.image_list", f"{model.name} only supports {limit} reference image{'s' * (limit != 1)}, "
                      f"got {len(images)}")  # fmt: skip


def _image(request: ImageRequest, model: ImageModel) -> Iterator[Problem]:
    yield from _references(request.image_list, model)
    if request.quality is not None and request.quality not in model.qualities:
        yield Problem("request.quality", f"{request.quality!r} is not offered by {model.name}. "
                      f"Allowed values: {', '.join(model.qualities)}")  # fmt: skip
    if request.n > model.max_images:
        yield Problem("request.n", f"{request.n} images at once; {model.name} makes 1 to {model.max_images}")
    yield from _combination(request)


def _combination(request: ImageRequest) -> Iterator[Problem]:
    """Keys that each are fine and do not go together."""
    if request.output_format in ("gif", "svg"):
        yield Problem("request.output_format", f"{request.output_format} is in preview: not every model and account "
                      "makes it, and what is refused costs nothing", severity="warning")  # fmt: skip
    if request.background == "transparent" and request.output_format == "jpeg":
        yield Problem("request.background", "jpeg has no transparency", "request.output_format=png or webp")
    if request.output_compression is not None and request.output_format not in ("webp", "jpeg"):
        yield Problem("request.output_compression", "needs request.output_format=webp or jpeg")
    if request.mask_image is not None and not request.image_list:
        yield Problem("request.mask_image", "needs the image it masks in request.image_list")
    if request.markup_image is not None and not request.image_list:
        yield Problem("request.markup_image", "needs the image it is laid over in request.image_list")
    if request.markup_image is not None and request.mask_image is not None:
        yield Problem("request.markup_image", "cannot be combined with request.mask_image")
    if request.partial_images is not None and request.n > 1:
        # The stream's events do not say which of several images they belong to.
        yield Problem("request.partial_images", f"is for one image, and request.n is {request.n}",
                      "request.n=1; -m replica=0,1 makes two at once")  # fmt: skip
