"""Judge from data alone what a model, its offer and batches do not take: source videos, references, keyframes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from .dialect import Dialect
from .model import ImageModel, ModelConfig, Offer, VideoModel
from .price import batch_share
from .problem import Problem
from .provider import AzureOpenAIConfig, CompatibleConfig, ProviderConfig, dialect_of, offerer, option_of, servers_of
from .request import ImageRequest, InputImage, VideoRequest
from .run import RunConfig, sent_resolution, video_seconds
from .shipped import names, option

_NAMES = {"remix": "a remix", "edit": "an edit", "extend": "an extension"}


def check_source(request: VideoRequest, dialect: Dialect) -> Iterator[Problem]:
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
    if request.made_by == "extend" and request.duration_seconds is None and dialect.default_extension is None:
        yield Problem("request.duration_seconds", "an extension needs to know by how much",
                      f"one of {_seconds(dialect)}")  # fmt: skip


def check_added_seconds(request: VideoRequest, dialect: Dialect, provider: str) -> Iterator[Problem]:
    """Yield what speaks against extending a video by so much."""
    given = request.duration_seconds
    if request.made_by == "extend" and given is not None and given not in dialect.extension_seconds:
        yield Problem("request.duration_seconds", f"Invalid duration for an extension by {provider}: {given} seconds. "
                      f"Allowed values: {_seconds(dialect)}")  # fmt: skip


def check_kept(config: RunConfig, overrides: Iterable[str] | None = None) -> Iterator[Problem]:
    """Say what the new video takes over from its source, whatever the request says.

    With `overrides`, what was typed, nothing is said of values that only the shipped options gave.
    """
    request = config.request
    if not isinstance(request, VideoRequest) or request.video is None or config.model.validation == "off":
        return
    chosen = dialect_of(config.provider).source_by_address  # the model is sent, and nothing of the video's form
    fixed = [] if request.made_by == "extend" else ["duration_seconds"]
    fixed += ["size", "aspect_ratio", *(["resolution", "generate_audio"] if chosen else [])]
    idle = [key for key in fixed if getattr(request, key) is not None]
    if overrides is not None:
        typed = {line.partition("=")[0].lstrip("+") for line in overrides}
        idle = [key for key in idle if f"request.{key}" in typed or getattr(request, key) not in _shipped(key)]
    if idle:
        what = "size" if request.made_by == "extend" else "length and size"
        unsent = ", ".join(f"request.{key}" for key in idle)
        kept = what if chosen else f"{what} and model"
        yield Problem("request.video", f"{_NAMES[request.made_by]} keeps its source's {kept}; not sent: {unsent}",
                      severity="warning")  # fmt: skip


def _shipped(key: str) -> set[object]:
    """Return what the options of `conf/request` give a key."""
    return {(option("request", name) or {}).get(key) for name in names("request")}


def _seconds(dialect: Dialect) -> str:
    return ", ".join(map(str, dialect.extension_seconds))


_ROUNDING = 0.01
"""Seconds by which a written moment may be off, as 0.33 for a third."""


def check_keyframes(images: Iterable[InputImage], dialect: Dialect, name: str, end: int | None) -> Iterator[Problem]:
    """Yield keyframes that are too many, too close, or behind the end of the video; `name` is the dialect's."""
    moments = sorted(each.seconds for each in images if each.seconds is not None)
    key, most, gap = "request.image_list", dialect.most_keyframes, dialect.keyframe_gap
    if len(moments) > most:
        yield Problem(key, f"{len(moments)} keyframes; this server takes {most} ({name})")
    if moments and end is not None and moments[-1] > end:
        message = f"a keyframe at {moments[-1]:g} s lies behind the end of the video ({end} s)"
        yield Problem(key, message, "an earlier second, or a longer request.duration_seconds")
    for one, following in pairwise(moments):
        if following - one < gap - _ROUNDING:
            message = f"keyframes at {one:g} and {following:g} s: at least {gap:.2f} s lie between two ({name})"
            yield Problem(key, message)


def check_references(config: RunConfig, model: VideoModel) -> Iterator[Problem]:
    """Yield what the model does not make of references, the only images of a request or some of them."""
    resolution, offered = sent_resolution(config), model.reference_resolutions
    if resolution is not None and offered is not None and resolution not in offered:
        yield Problem("request.resolution", f"{model.name} makes videos of references in {' or '.join(offered)} only, "
                      f"and is asked for {resolution}", f"request.resolution={offered[-1]}")  # fmt: skip
    seconds, most = video_seconds(config), model.max_reference_seconds
    if seconds is not None and most is not None and seconds > most:
        yield Problem("request.duration_seconds", f"{model.name} makes videos of references of up to {most} seconds, "
                      f"and is asked for {seconds}", f"request.duration_seconds={most}")  # fmt: skip


def check_offer(config: RunConfig, today: dt.date) -> Iterator[Problem]:
    """Say whether the model is offered there, and that it ends, or that what is known of it is old."""
    yield from _offered(config, today)
    yield from _aged(config.model, today)


def _offered(config: RunConfig, today: dt.date) -> Iterator[Problem]:
    policy = config.provider.retired_models
    name = None if policy == "off" else offerer(config.provider)
    if name is None:
        return
    offer = config.offer
    if offer is None:
        yield Problem("model", f"no source says that {name} offers {config.model.name}", severity="warning")
    elif offer.retires is not None and offer.retires <= today + SOON:
        yield _retired(config, offer, name, today, refuse=policy == "refuse")


SOON = dt.timedelta(days=30)
"""A retirement within this time is warned about."""


FRESH = dt.timedelta(days=30)
"""How long a host's own list is taken for what the host still asks."""


def _aged(model: ModelConfig, today: dt.date) -> Iterator[Problem]:
    """Say from when a host's data and prices are, where they may have changed since."""
    if model.refreshed_from is not None and today - model.read > FRESH:
        yield Problem("model", f"what {model.name} offers and costs is as {model.refreshed_from} told on {model.read}, "
                      f"{(today - model.read).days} days ago",
                      f"python -m runner models --refresh {model.refreshed_from}", "warning")  # fmt: skip


def _retired(config: RunConfig, offer: Offer, name: str, today: dt.date, *, refuse: bool) -> Problem:
    follows = f"use model={offer.successor}" if offer.successor else "it has no successor there"
    over = offer.retires is not None and offer.retires < today
    when = f"was retired by {name} on" if over else f"will be retired by {name} on"
    if offer.retires == today:
        when = f"is retired by {name} today and may be gone already,"
    message = f"{config.model.name} {when} {offer.retires}; {follows}"
    if refuse and over:
        return Problem("model", message, "provider.retired_models=warn sends it all the same")
    return Problem("model", message, severity="warning")


def check_prompt(config: RunConfig) -> Iterator[Problem]:
    """Yield why a video without a prompt is not made of its first frame there; no other request comes here without."""
    if config.request.prompt.strip():
        return
    offer, there = config.offer, option_of(config.provider)
    able = [name for name, each in config.model.offers.items() if each.prompt_optional]
    hint = "\"request.prompt='The boat drifts away'\""
    hint += f", or provider={' or '.join(able)}, which takes a first frame alone" if able else ""
    if not dialect_of(config.provider).prompt_optional:
        yield Problem("request.prompt", f"is empty, and {there} needs one beside an image, too", hint)
    elif offer is None or offer.prompt_optional is None:
        yield Problem("request.prompt", f"is empty: {there} takes a first frame alone of some models, and no source "
                      f"says whether of {config.model.name}; it refuses others, which costs nothing", hint,
                      "warning")  # fmt: skip
    elif not offer.prompt_optional:
        yield Problem("request.prompt", f"is empty, and {config.model.name} needs one at {there}", hint)


def check_images_there(config: RunConfig) -> Iterator[Problem]:
    """Yield that it asks for, or gives, more images than the one who offers the model takes; the model takes more."""
    request, model, offer = config.request, config.model, config.offer
    if offer is None:
        return
    there = f"at {offerer(config.provider)}"
    given, most = len(request.image_list), offer.max_reference_images
    if most is not None and most < given <= model.max_reference_images:
        yield Problem("request.image_list", f"{model.name} takes at most {most} image{'s' * (most != 1)} {there}, "
                      f"got {given}",
                      _elsewhere(model, lambda other: other.max_reference_images, given) or "leave some out"
                      )  # fmt: skip
    if not isinstance(request, ImageRequest) or not isinstance(model, ImageModel):
        return
    most = offer.max_images
    if most is not None and most < request.n <= model.max_images:
        hint = _elsewhere(model, lambda other: other.max_images, request.n)
        several = f"request.n={most}, and -m replica=0,1 for more"
        yield Problem("request.n", f"{request.n} images at once; {model.name} makes {_at_once(most)} {there}",
                      f"{several}; {hint}" if hint else several)  # fmt: skip


def _at_once(most: int) -> str:
    return "1" if most == 1 else f"1 to {most}"


def _elsewhere(model: ModelConfig, limit: Callable[[Offer], int | None], given: int) -> str:
    """Return who else takes so many; empty for nobody."""
    able = [name for name, other in model.offers.items() if (limit(other) or given) >= given]
    return f"provider={' or '.join(able)} takes {given}" if able else ""


_ONE_BY_ONE = "batch=false sends it alone"


def check_batch(config: RunConfig) -> Iterator[Problem]:
    """Yield what keeps a run with `batch=true` from going out in a batch, and what is not known of its price."""
    request, model, provider = config.request, config.model, config.provider
    if not isinstance(request, ImageRequest) or not isinstance(model, ImageModel):
        yield Problem("batch", "a batch takes images, and this asks for a video", _ONE_BY_ONE)
        return
    yield from _check_provider(provider)
    if request.partial_images is not None:
        yield Problem("batch", "a batch has no stream, and so no partial images", "request.partial_images=null")
    if request.markup_image is not None:
        yield Problem("batch", "a batch has no field for request.markup_image", _ONE_BY_ONE)
    if model.name.startswith("dall-e"):
        yield Problem("batch", f"{model.name} is not offered in batches", _ONE_BY_ONE)
    if config.fallbacks:
        yield Problem("batch", "a batch has no fallbacks: its lines go to one model", "fallbacks=[]")
    if batch_share(config) is None:
        message = f"no source gives a batch price of {model.name} there: what it costs counts as unknown"
        hint = "budget.assume_usd_per_run=N counts each run as N dollars"
        hint += "" if isinstance(provider, AzureOpenAIConfig) else "; model.batch_discount=0.5 takes half off"
        yield Problem("batch", message, hint, severity="warning")


def _check_provider(provider: ProviderConfig) -> Iterator[Problem]:
    if isinstance(provider, AzureOpenAIConfig):
        if not provider.batches:
            message = "sources contradict each other about batches of images on Azure"
            yield Problem("batch", message, f"provider.batches=true tries it; {_ONE_BY_ONE}")
    elif dialect_of(provider).batches is None or (
        isinstance(provider, CompatibleConfig) and provider.dialect == "plain"
    ):
        hint = f"provider=openai, or {_ONE_BY_ONE}"
        yield Problem("batch", f"no batches of images are sent to provider={option_of(provider)}", hint)
    elif isinstance(provider, CompatibleConfig) and not provider.batches:
        message = f"sources contradict each other about batches at {option_of(provider)}: their form, and their price"
        yield Problem("batch", message, f"provider.batches=true tries it; {_ONE_BY_ONE}")
    if servers_of(provider):
        message = "a batch goes to one server, and provider.base_urls names several"
        yield Problem("batch", message, f"provider.base_urls=[], or {_ONE_BY_ONE}")
