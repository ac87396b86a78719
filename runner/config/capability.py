"""Judge from data alone whether model and server can do what a request asks, and who could."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence

from .dialect import DIALECTS, EXTENSIONS, Dialect
from .model import ImageModel, ModelConfig, Offer, SizeRules, VideoModel
from .problem import Problem
from .provider import AzureOpenAIConfig, OpenAIConfig, dialect_of
from .request import ImageRequest, VideoRequest
from .run import RunConfig, sent_size, video_seconds
from .shipped import names, option

_ALWAYS = frozenset({"kind", "prompt", "prompt_file", "size", "aspect_ratio", "duration_seconds", "image_list", "n",
                     "quality", "extra_params", "thumbnail", "number_of_videos", "operation", "image_fit",
                     "variants"})  # fmt: skip


def check(config: RunConfig, *, today: dt.date | None = None) -> list[Problem]:
    """Return everything that the model's data says against this run; `model.validation` decides how grave it is."""
    problems = list(_offered(config, today or dt.datetime.now().astimezone().date()))
    if config.model.kind != config.request.kind:
        wanted, has = config.request.kind, config.model.kind
        article = "an" if has == "image" else "a"
        message = f"asks for {wanted}, but {config.model.name} is {article} {has} model"
        hint = f"add model={_NEWEST[wanted]}, or another {wanted} model, or request={has}"
        return [*problems, Problem("request", message, hint)]
    if config.model.validation == "off":
        return problems
    found = list(_capabilities(config))
    return problems + ([p.as_warning() for p in found] if config.model.validation == "warn" else found)


_NEWEST = {"image": "gpt-image-2.6-flare", "video": "sora-2"}
"""A model of each kind, to be named where the other kind was chosen."""


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
    if model.max_prompt_length is not None and len(request.prompt) > model.max_prompt_length:
        yield Problem("request.prompt", f"has {len(request.prompt):,} characters; "
                      f"{model.name} takes at most {model.max_prompt_length:,}")  # fmt: skip
    yield from _aspect_ratio(request, model)
    yield from _size(request, model)
    yield from _unsupported(request, model)
    yield from _check_fields(config)
    if isinstance(request, VideoRequest) and isinstance(model, VideoModel):
        if request.video is None:
            yield from _duration(request, model, config.provider.kind)
            yield from _needed(request.image_list, model)
        else:
            yield from _check_added_seconds(request, config.provider.kind)
        yield from _references(request.image_list, model)
    elif isinstance(request, ImageRequest) and isinstance(model, ImageModel):
        yield from _image(request, model)


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
        width, height = map(int, size.split("x"))
        if broken := [*_broken(width, height, model.size_rules)]:
            yield Problem("request.size", f"{size} is not possible: {'; '.join(broken)}")


def _broken(width: int, height: int, rules: SizeRules) -> Iterator[str]:
    """Yield the rules that a size breaks."""
    if width % rules.multiple_of or height % rules.multiple_of:
        yield f"both sides must be multiples of {rules.multiple_of}"
    if rules.max_ratio is not None and max(width, height) > rules.max_ratio * min(width, height):
        yield f"the sides' ratio must lie within 1:{rules.max_ratio:g} and {rules.max_ratio:g}:1"
    if rules.max_width is not None and rules.max_height is not None:
        longest, shortest = max(rules.max_width, rules.max_height), min(rules.max_width, rules.max_height)
        if max(width, height) > longest or min(width, height) > shortest:
            yield f"at most {rules.max_width}x{rules.max_height} (or turned)"
    pixels, least, most = width * height, rules.min_pixels, rules.max_pixels
    if least is not None and most is not None and not least <= pixels <= most:
        yield f"between {least:,} and {most:,} pixels, given {pixels:,}"


def _unsupported(request: VideoRequest | ImageRequest, model: ModelConfig) -> Iterator[Problem]:
    for name in sorted(request.model_fields_set - _ALWAYS - model.parameters):
        value = getattr(request, name)
        if value != type(request).model_fields[name].default:
            yield Problem(f"request.{name}", f"is not something {model.name} can honour",
                          _supported_by(name, request.kind))  # fmt: skip


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
    """Yield keys that are each fine but do not go together."""
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


IMAGE_FIELDS = {
    "quality": "quality", "style": "style", "background": "background", "moderation": "moderation",
    "output_format": "output_format", "output_compression": "output_compression", "complexity": "complexity",
    "input_fidelity": "input_fidelity", "partial_images": "stream", "safety_identifier": "safety_identifier",
    "mask_image": "mask", "markup_image": "markup",
}  # fmt: skip
"""What an image request's keys are called on the wire."""


def _check_fields(config: RunConfig) -> Iterator[Problem]:
    """Yield what the provider's server would leave unread, or read otherwise than it was meant."""
    dialect, dialect_name = dialect_of(config.provider), _dialect_name(config)
    for key in sorted(_keys_beyond(config) & config.model.parameters - dialect.extensions):
        yield Problem(f"request.{key}", f"is not a field of this server's API ({dialect_name})",
                      f"{_taking(key)} can take it; {_LENIENT}")  # fmt: skip
    request = config.request
    for key, most in dialect.limits.items():
        value = getattr(request, key, None)
        if value is not None and value > most:
            yield Problem(f"request.{key}", f"{value:g} is too much for this server ({dialect_name})",
                          f"at most {most:g}")  # fmt: skip
    for key in sorted(_keys_beyond(config)):
        if dialect.name(key) != key and dialect.name(key) in request.extra_params:
            yield Problem(f"request.extra_params.{dialect.name(key)}", f"is given twice: request.{key} is set too")
    if isinstance(request, ImageRequest):
        yield from _image_fields(request, dialect, dialect_name)
    elif isinstance(request, VideoRequest):
        if request.num_frames is not None and request.duration_seconds is not None:
            yield Problem("request.num_frames", "and request.duration_seconds both say how long the video is",
                          "request.duration_seconds=null")  # fmt: skip
        yield from _unnamed_length(config, request, dialect)
        yield from _beyond_creating(request, dialect, dialect_name)
        yield from _afterwards(config, dialect)


def _afterwards(config: RunConfig, dialect: Dialect) -> Iterator[Problem]:
    """Say what cannot be done with a job once it is there."""
    if config.delete_remote and not dialect.deletes:
        yield Problem("delete_remote", f"this server has no way to delete a video ({_dialect_name(config)})",
                      "delete_remote=false; delete it where the gateway's backend keeps its own")  # fmt: skip
    field = getattr(config.provider, "mark_field", None)
    if field is not None and not dialect.tells_mark:
        message = (
            f"this server's list tells no {field} ({_dialect_name(config)}): none is sent, "
            "and lost jobs are sought without"
        )
        yield Problem("provider.mark_field", message, "provider.mark_field=null", severity="warning")


def _keys_beyond(config: RunConfig) -> frozenset[str]:
    """Return the keys beyond OpenAI's API that the request sets."""
    request = config.request
    return frozenset(key for key in EXTENSIONS & request.model_fields_set if getattr(request, key) is not None)


def _dialect_name(config: RunConfig) -> str:
    """Return the name of the dialect that the provider's server speaks."""
    return getattr(config.provider, "dialect", config.provider.kind)


def _unnamed_length(config: RunConfig, request: VideoRequest, dialect: Dialect) -> Iterator[Problem]:
    """Say which length stands in for the server's own, which nobody would expect."""
    seconds = video_seconds(config)
    if request.video is None and request.duration_seconds is None and seconds is not None:
        yield Problem("request.duration_seconds", f"null makes {dialect.unnamed_length} "
                      f"({_dialect_name(config)}); {seconds} seconds are sent, as model.default_duration says",
                      "request.duration_seconds=N, or request.num_frames=N", severity="warning")  # fmt: skip


def _image_fields(request: ImageRequest, dialect: Dialect, dialect_name: str) -> Iterator[Problem]:
    """Name what the server would leave unread; what new images' own `extra_params` carry is read."""
    editing = bool(request.image_list)
    fields = dialect.edit_fields if editing else dialect.image_fields
    if fields is None:
        return
    making = "edits images" if editing else "makes images"
    for key, name in IMAGE_FIELDS.items():
        if getattr(request, key) is not None and name not in fields:
            yield Problem(f"request.{key}", f"is no field that this server reads where it {making} ({dialect_name})",
                          f"request.{key}=null")  # fmt: skip
    for key in sorted(request.extra_params.keys() - fields) if editing else ():
        yield Problem(f"request.extra_params.{key}", f"is no field that this server reads where it {making}, and there "
                      f"is none for others ({dialect_name})", "remove it")  # fmt: skip


def _beyond_creating(request: VideoRequest, dialect: Dialect, dialect_name: str) -> Iterator[Problem]:
    made_by = request.made_by
    if made_by not in dialect.video_operations:
        only = "makes new videos only" if dialect.video_operations == {"create"} else f"cannot {made_by} videos"
        able = _providers(lambda other: made_by in other.video_operations)
        yield Problem("request.video", f"this server {only} ({dialect_name})", f"{able} can {made_by}, as can openai")
    for variant in request.variants:
        if variant not in dialect.variants:
            yield Problem("request.variants", f"this server gives no {variant} of a video ({dialect_name})",
                          "request.variants=[]; request.thumbnail=true makes a thumbnail here")  # fmt: skip


_LENIENT = "remove it, or model.validation=warn to run without it"


def _supported_by(key: str, kind: str) -> str:
    """Return which models and servers support a request key, for what kind of request, and what else can be done."""
    described = {name: option("model", name) or {} for name in names("model")}
    alike = {name: data for name, data in described.items() if data.get("kind") == kind}
    models = [name for name, data in alike.items() if key in (data.get("parameters") or ())]
    servers = _taking(key) if key in EXTENSIONS else ""
    if models and (servers or key not in EXTENSIONS):
        return f"model={_one_of(models)}{f' on {servers}' if servers else ''} can take it; {_LENIENT}"
    if servers:
        return f"{servers} can take it, for a model whose model.parameters name it; {_LENIENT}"
    return f"no model of conf/ takes it; {_LENIENT}"


def _taking(key: str) -> str:
    """Return which servers have a field for a key that the model honours."""
    return _providers(lambda dialect: key in dialect.extensions)


def _providers(able: Callable[[Dialect], bool]) -> str:
    """Return the compatible servers that are able to do something, as one would choose them."""
    return f"provider={_one_of([name for name, dialect in DIALECTS.items() if name != 'plain' and able(dialect)])}"


def _one_of(words: Sequence[str]) -> str:
    """Return the words as alternatives: a, b or c."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


EXTENSION_SECONDS = (4, 8, 12, 16, 20)
"""By how much a video can be extended."""

_NAMES = {"remix": "a remix", "edit": "an edit", "extend": "an extension"}


def check_source(request: VideoRequest) -> Iterator[Problem]:
    """Yield what the operation has no place for, or lacks; it would be left out in silence."""
    if request.video is None:
        if request.operation is not None:
            yield Problem("request.operation", f"{_NAMES[request.operation]} starts from a finished video, and none is "
                          "named", "request.video=ID, or =DIR of the run that made it")  # fmt: skip
        return
    name = _NAMES[request.made_by]
    if request.image_list:
        yield Problem("request.image_list", f"has no place in {name}, which takes a video and a prompt",
                      "request.image_list=[]")  # fmt: skip
    if request.made_by == "extend" and request.duration_seconds is None:
        yield Problem("request.duration_seconds", "an extension needs to know by how much",
                      f"one of {_seconds()}")  # fmt: skip


def _check_added_seconds(request: VideoRequest, provider: str) -> Iterator[Problem]:
    """Yield what speaks against extending a video by so much."""
    given = request.duration_seconds
    if request.made_by == "extend" and given is not None and given not in EXTENSION_SECONDS:
        yield Problem("request.duration_seconds", f"Invalid duration for an extension by {provider}: {given} seconds. "
                      f"Allowed values: {_seconds()}")  # fmt: skip


def check_kept(config: RunConfig, overrides: Iterable[str] | None = None) -> Iterator[Problem]:
    """Say what the new video takes over from its source, whatever the request says.

    With `overrides`, what was typed, nothing is said of values that only the shipped options gave.
    """
    request = config.request
    if not isinstance(request, VideoRequest) or request.video is None or config.model.validation == "off":
        return
    fixed = ["size", "aspect_ratio"] if request.made_by == "extend" else ["duration_seconds", "size", "aspect_ratio"]
    idle = [key for key in fixed if getattr(request, key) is not None]
    if overrides is not None:
        typed = {line.partition("=")[0].lstrip("+") for line in overrides}
        idle = [key for key in idle if f"request.{key}" in typed or getattr(request, key) not in _shipped(key)]
    if idle:
        what = "size" if request.made_by == "extend" else "length and size"
        unsent = ", ".join(f"request.{key}" for key in idle)
        yield Problem("request.video", f"{_NAMES[request.made_by]} keeps its source's {what} and model; not sent: "
                      f"{unsent}", severity="warning")  # fmt: skip


def _shipped(key: str) -> set[object]:
    """Return what the options of `conf/request` give a key."""
    return {(option("request", name) or {}).get(key) for name in names("request")}


def _seconds() -> str:
    return ", ".join(map(str, EXTENSION_SECONDS))
