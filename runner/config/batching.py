"""Check whether runs can go out in a batch, which takes less than single requests do."""

from __future__ import annotations

from collections.abc import Iterator

from .model import ImageModel
from .price import batch_share
from .problem import Problem
from .provider import AzureOpenAIConfig, CompatibleConfig, ProviderConfig, dialect_of, option_of, servers_of
from .request import ImageRequest
from .run import RunConfig

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
