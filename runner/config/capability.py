"""Judge from data alone whether model and server can do what a request asks, and who could."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .dialect import DIALECTS, EXTENSIONS, HOSTS, Dialect, ImageRole
from .model import ImageModel, ModelConfig, SizeRules, VideoModel
from .problem import Problem
from .provider import EmulatorConfig, dialect_of, option_of
from .request import ImageRequest, VideoRequest
from .restrictions import check_images_there, check_keyframes, check_offer, check_prompt
from .run import RunConfig, sent_size, video_seconds, video_size
from .shipped import names, option

_ALWAYS = frozenset({"kind", "prompt", "prompt_file", "size", "aspect_ratio", "duration_seconds", "image_list", "n",
                     "quality", "extra_params", "thumbnail", "number_of_videos", "operation", "image_fit",
                     "variants"})  # fmt: skip


def check(config: RunConfig, *, today: dt.date | None = None) -> list[Problem]:
    """Return everything that the model's data says against this run; `model.validation` decides how grave it is."""
    today = today or dt.datetime.now().astimezone().date()
    dated = config.provider.retired_models != "off" or config.model.refreshed_from is not None
    problems = [*check_offer(config, today)] if dated else []
    if config.model.kind != config.request.kind:
        wanted, has = config.request.kind, config.model.kind
        article = "an" if has == "image" else "a"
        message = f"asks for {wanted}, but {config.model.name} is {article} {has} model"
        return [*problems, Problem("request", message, _another(config, wanted, today))]
    if config.model.validation == "off":
        return problems
    found = list(_capabilities(config))
    return problems + ([p.as_warning() for p in found] if config.model.validation == "warn" else found)


_NEWEST = {"image": "gpt-image-2.6-flare", "video": "sora-2"}
"""A model of each kind, to be named where the other kind was chosen."""


def _another(config: RunConfig, kind: str, today: dt.date) -> str:
    """Return what to type for a request of this kind: a model that is offered there, if any is known."""
    where, has = _dialect_name(config), config.model.kind
    described = {name: option("model", name) or {} for name in names("model")}
    offered = {name: data["offers"][where] for name, data in described.items() if where in data["offers"]}
    if not offered:
        return f"add model={_NEWEST[kind]}, or another {kind} model, or request={has}"
    living = [name for name, offer in offered.items() if not _ended(offer, today) and described[name]["kind"] == kind]
    if not living:
        return f"request={has}; no {kind} model that is offered there is known"
    name = _NEWEST[kind] if _NEWEST[kind] in living else living[0]
    return f"add model={name}, or another {kind} model, or request={has}"


def _ended(offer: Mapping[str, Any], today: dt.date) -> bool:  # Any: the unvalidated data of a model's file
    return offer.get("retires") is not None and offer["retires"] <= today


def _capabilities(config: RunConfig) -> Iterator[Problem]:
    request, model, dialect = config.request, config.model, dialect_of(config.provider)
    if model.max_prompt_length is not None and len(request.prompt) > model.max_prompt_length:
        yield Problem("request.prompt", f"has {len(request.prompt):,} characters; "
                      f"{model.name} takes at most {model.max_prompt_length:,}")  # fmt: skip
    if not request.prompt.strip():
        yield from check_prompt(config)
    if request.image_list or isinstance(request, ImageRequest):
        yield from check_images_there(config)
    yield from _aspect_ratio(config, dialect)
    yield from _size(config, dialect)
    yield from _resolution(request, model)
    yield from _unsupported(config)
    yield from _check_fields(config, dialect)
    if dialect.lists_by_backend:
        from .backend import check_backend  # most requests go to no gateway

        yield from check_backend(config)
    if isinstance(request, VideoRequest) and isinstance(model, VideoModel):
        if request.video is None:
            yield from _duration(config, request, model)
            yield from _needed(request.image_list, model)
        else:
            from .restrictions import check_added_seconds  # most videos are made from nothing

            yield from check_added_seconds(request, dialect, option_of(config.provider))
        yield from _references(config)
        yield from _roles(config, request, model, dialect)
    elif isinstance(request, ImageRequest) and isinstance(model, ImageModel):
        yield from _image(config, request, model)


def _duration(config: RunConfig, request: VideoRequest, model: VideoModel) -> Iterator[Problem]:
    given = request.duration_seconds
    if given is not None and model.durations is not None and given not in model.durations:
        provider, allowed = option_of(config.provider), ", ".join(map(str, model.durations))
        yield Problem("request.duration_seconds", f"Invalid duration for {provider} ({model.name}): {given} seconds. "
                      f"Allowed values: {allowed}")  # fmt: skip


def _aspect_ratio(config: RunConfig, dialect: Dialect) -> Iterator[Problem]:
    model, ratio = config.model, config.request.aspect_ratio
    if ratio is None or config.request.size is not None:
        return
    if ratio not in model.aspect_ratios:
        supported = ", ".join(model.aspect_ratios)
        yield Problem("request.aspect_ratio", f"Invalid aspect ratio: {ratio}. Supported ratios: {supported}",
                      f"for {model.name}; request.size=WIDTHxHEIGHT asks for an exact size")  # fmt: skip
    elif model.aspect_ratios[ratio] is None and not dialect.takes_ratio:
        yield Problem("request.aspect_ratio", f"{model.name} is asked for a ratio and no size, for which this server "
                      f"has no field ({_dialect_name(config)})", _elsewhere(config, lambda each: each.takes_ratio)
                      )  # fmt: skip


def _elsewhere(config: RunConfig, able: Callable[[Dialect], bool]) -> str:
    """Return which server can do what this one cannot."""
    everyone = [name for name, dialect in DIALECTS.items() if name != "plain" and able(dialect)]
    dialects = [name for name in everyone if name in config.model.offers] or everyone
    if not dialects:
        return "no server that is known here can"
    emulated = f", or provider.dialect={_one_of(dialects)}" if isinstance(config.provider, EmulatorConfig) else ""
    return f"provider={_one_of(dialects)} can{emulated}"


def _resolution(request: VideoRequest | ImageRequest, model: ModelConfig) -> Iterator[Problem]:
    given = request.resolution
    if given is None or "resolution" not in model.parameters:
        return
    if request.size is not None:
        yield Problem("request.resolution", f"{given} and request.size={request.size} both say how large it is",
                      "request.size=null, or request.resolution=null")  # fmt: skip
    elif model.resolutions is not None and given.lower() not in map(str.lower, model.resolutions):
        yield Problem("request.resolution", f"{given} is not offered by {model.name}. "
                      f"Allowed values: {', '.join(model.resolutions)}")  # fmt: skip


def _size(config: RunConfig, dialect: Dialect) -> Iterator[Problem]:
    model = config.model
    size = sent_size(config.request, model)
    if size is None:
        return
    if model.sizes == () or not dialect.takes_size:
        known = (model.resolutions or ("NAME",))[0]
        which = model.name if model.sizes == () else f"this server ({_dialect_name(config)})"
        yield Problem("request.size", f"{which} takes no exact size",
                      f"request.resolution={known}, and request.aspect_ratio")  # fmt: skip
    elif model.sizes is not None:
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


def _unsupported(config: RunConfig) -> Iterator[Problem]:
    request, model = config.request, config.model
    for name in sorted(request.model_fields_set - _ALWAYS - model.parameters):
        value = getattr(request, name)
        if value != type(request).model_fields[name].default:
            yield Problem(f"request.{name}", f"is not something {model.name} can honour",
                          _supported_by(config, name))  # fmt: skip


def _needed(images: Sequence[object], model: VideoModel) -> Iterator[Problem]:
    least = model.min_reference_images
    if len(images) < least:
        what = "an image" if least == 1 else f"{least} images"
        yield Problem("request.image_list", f"{model.name} works from {what}, and {len(images) or 'none'} is given",
                      "request.image_list=[PATH], or a model that works from text alone")  # fmt: skip


def _references(config: RunConfig) -> Iterator[Problem]:
    given, limit = len(config.request.image_list), config.model.max_reference_images
    if given > limit:
        yield Problem("request.image_list", f"{config.model.name} only supports {limit} reference "
                      f"image{'s' * (limit != 1)}, got {given}", _made_with(config))  # fmt: skip


def _roles(config: RunConfig, request: VideoRequest, model: VideoModel, dialect: Dialect) -> Iterator[Problem]:
    """Yield images that the server or the model has no place for, or that take each other's."""
    if not 0 < len(request.image_list) <= model.max_reference_images or request.video is not None:
        return  # said already, or there is nothing to say
    roles, offer = request.image_roles, config.offer
    taken = model.image_roles if offer is None or offer.image_roles is None else offer.image_roles
    if len(roles) > 1 and not dialect.takes_several_images:
        yield Problem("request.image_list", f"this server makes a video of one image, got {len(roles)} "
                      f"({_dialect_name(config)})", _elsewhere(config, lambda each: each.takes_several_images)
                      )  # fmt: skip
    for index, role in enumerate(roles):
        key = f"request.image_list.{index}"
        if role not in dialect.image_roles:
            yield Problem(key, f"this server has no field for a {role} ({_dialect_name(config)})",
                          _elsewhere(config, _taking_role(role)))  # fmt: skip
        elif role not in taken:
            there = "" if role not in model.image_roles else f" at this host ({_dialect_name(config)})"
            yield Problem(key, f"{model.name} takes no {role}{there}", _made_with(config))
        elif role in ("first_frame", "last_frame") and role in roles[:index]:
            yield Problem(key, f"is a second {role}", "one image can be that")
    if (dialect.hosted or dialect.gateway) and {"first_frame", "last_frame"} & {*roles} and "reference" in roles:
        yield Problem("request.image_list", "frames and references do not go together: this server refuses both, or "
                      f"leaves the references out ({_dialect_name(config)})",
                      "only frames, or only references")  # fmt: skip
    if "reference" in roles:
        from .restrictions import check_references

        yield from check_references(config, model)
    if "keyframe" in dialect.image_roles:
        yield from check_keyframes(request.image_list, dialect, _dialect_name(config), video_seconds(config))


def _taking_role(role: ImageRole) -> Callable[[Dialect], bool]:
    return lambda dialect: role in dialect.image_roles


def _made_with(config: RunConfig) -> str:
    """Return who takes the images of a request: this model at another host, others here, or others elsewhere."""
    here, where = dialect_of(config.provider), _dialect_name(config)
    today = dt.datetime.now().astimezone().date()
    found: dict[str, list[str]] = {}
    for name in names("model"):
        data = option("model", name) or {}
        offers = {where: {}} if here.gateway else data["offers"]
        for host, offer in offers.items() if data["kind"] == config.request.kind else ():
            there = DIALECTS["plain" if host in _MAKERS else host]
            if not _ended(offer, today) and _takes(data, offer, there, config):
                found.setdefault(host, []).append(name)
    choice = "provider.dialect" if isinstance(config.provider, EmulatorConfig) else "provider"
    hosts = [host for host, models in found.items() if host != where and config.model.name in models]
    others = [name for name in found.get(where, ()) if name != config.model.name]
    said = [f"{choice}={_one_of(hosts)} can"] if hosts else []
    said += [f"model={_one_of(others)} can"] if others else []
    if not said and found:
        host = max(found, key=lambda each: len(found[each]))
        said = [f"model={_one_of(found[host])} on {choice}={host} can"]
    return "; here ".join(said) or "no model of conf/ can"


# Any: the unvalidated data of a model's file
def _takes(data: Mapping[str, Any], offer: Mapping[str, Any], there: Dialect, config: RunConfig) -> bool:
    """Return whether a model takes as many images as a request has, each as what it is."""
    request = config.request
    count, limit = len(request.image_list), int(offer.get("max_reference_images") or data["max_reference_images"])
    if not isinstance(request, VideoRequest) or count > limit:
        return count <= limit
    taken = {*(offer.get("image_roles") or data["image_roles"])} & there.image_roles
    return {*request.image_roles} <= taken and (count == 1 or there.takes_several_images)


_MAKERS = frozenset({"openai", "azure_openai"})
"""Who offers models and is no compatible server."""


def _image(config: RunConfig, request: ImageRequest, model: ImageModel) -> Iterator[Problem]:
    yield from _references(config)
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


def _check_fields(config: RunConfig, dialect: Dialect) -> Iterator[Problem]:
    """Yield what the provider's server would leave unread, or read otherwise than it was meant."""
    dialect_name = _dialect_name(config)
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
        yield from _unread(config, request, dialect)
        yield from _unnamed_length(config, request, dialect)
        yield from _beyond_creating(request, dialect, dialect_name)
        yield from _afterwards(config, dialect)


def _unread(config: RunConfig, request: VideoRequest, dialect: Dialect) -> Iterator[Problem]:
    """Yield what the server has no field for, and a size that is none of its own."""
    for key in sorted(request.extra_params.keys() - (dialect.fields or ())) if dialect.pack is None else ():
        yield Problem(f"request.extra_params.{key}", f"is no field of this server's API ({_dialect_name(config)})",
                      "remove it")  # fmt: skip
    if dialect.video_sizes is not None and (size := video_size(config)) not in {None, *dialect.video_sizes}:
        yield Problem("request.size", f"{size} is not among the sizes of this server ({_dialect_name(config)}). "
                      f"Allowed values: {', '.join(sorted(dialect.video_sizes))}")  # fmt: skip


def _afterwards(config: RunConfig, dialect: Dialect) -> Iterator[Problem]:
    """Say what cannot be done with a job once it is there."""
    if config.delete_remote and not dialect.deletes:
        where = (
            "delete it where the gateway's backend keeps its own"
            if dialect.gateway
            else "how long it keeps one is for the host to say"
        )
        yield Problem("delete_remote", f"this server has no way to delete a video ({_dialect_name(config)})",
                      f"delete_remote=false; {where}")  # fmt: skip
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
    seconds = video_seconds(config) if dialect.unnamed_length is not None else None
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
        others = sorted(dialect.video_operations & {"edit", "extend"}) if request.operation is None else []
        here = f"request.operation={_one_of(others)}; " if others else ""
        hint = f"{here}{able} can {made_by}"
        yield Problem("request.video", f"this server {only} ({dialect_name})", hint)
    for variant in request.variants:
        if variant not in dialect.variants:
            yield Problem("request.variants", f"this server gives no {variant} of a video ({dialect_name})",
                          "request.variants=[]; request.thumbnail=true makes a thumbnail here")  # fmt: skip


_LENIENT = "remove it, or model.validation=warn to run without it"


def _supported_by(config: RunConfig, key: str) -> str:
    """Return which models and servers like this one support a request key, and what else can be done."""
    described = {name: option("model", name) or {} for name in names("model")}
    alike = {name: data for name, data in described.items() if data.get("kind") == config.request.kind}
    able = {name: data for name, data in alike.items() if key in (data.get("parameters") or ())}
    at_hosts = [name for name, data in able.items() if HOSTS & data["offers"].keys()]
    hosted = bool(at_hosts) and (dialect_of(config.provider).hosted or len(at_hosts) == len(able))
    models = at_hosts if hosted else [name for name in able if name not in at_hosts]
    offering = [DIALECTS[name] for data in able.values() for name in HOSTS & data["offers"].keys()] if hosted else None
    servers = _taking(key, offering) if key in EXTENSIONS else ""
    if models and (servers or key not in EXTENSIONS):
        return f"model={_one_of(models)}{f' on {servers}' if servers else ''} can take it; {_LENIENT}"
    if servers:
        return f"{servers} can take it, for a model whose model.parameters name it; {_LENIENT}"
    return f"no model of conf/ takes it; {_LENIENT}"


def _taking(key: str, offering: Sequence[Dialect] | None = None) -> str:
    """Return which servers have a field for a key that the model honours: hosts `offering` it, or servers of one's own.

    Of a host whose models are not known, it is not known which would take the key.
    """

    def has(dialect: Dialect) -> bool:
        return not dialect.hosted if offering is None else dialect in offering

    return _providers(lambda dialect: key in dialect.extensions and has(dialect))


def _providers(able: Callable[[Dialect], bool]) -> str:
    """Return the compatible servers that are able to do something, as one would choose them."""
    found = [name for name, dialect in DIALECTS.items() if name != "plain" and able(dialect)]
    return f"provider={_one_of(found)}" if found else ""


_MOST_NAMED = 8


def _one_of(words: Sequence[str]) -> str:
    """Return the words as alternatives: a, b or c; of many, the first."""
    *most, last = words if len(words) <= _MOST_NAMED else [*words[: _MOST_NAMED - 1], "another"]
    return f"{', '.join(most)} or {last}" if most else last
