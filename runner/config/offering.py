"""Judge what the one who offers a model says of it: until when, how many images, and whether it needs a prompt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

from .model import ImageModel, ModelConfig, Offer
from .problem import Problem
from .provider import dialect_of, offerer, option_of
from .request import ImageRequest
from .run import RunConfig


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
