"""Describe what a user writes, as frozen objects, and check it without the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lazy import names_from

if TYPE_CHECKING:
    from .capability import check
    from .dialect import Dialect
    from .loading import known_keys, load, without_own_keys
    from .model import ImageModel, ModelConfig, VideoModel
    from .price import Estimate, Price, actual_cost, estimate, expected_price, reserved
    from .problem import Problem, did_you_mean
    from .provider import (
        AzureOpenAIConfig,
        CompatibleConfig,
        EmulatorConfig,
        EndpointConfig,
        OpenAIConfig,
        ProviderConfig,
        dialect_of,
    )
    from .request import ImageRequest, RequestConfig, VideoRequest
    from .run import Budget, RunConfig, sent_size

__all__ = [
    "AzureOpenAIConfig",
    "Budget",
    "CompatibleConfig",
    "Dialect",
    "EmulatorConfig",
    "EndpointConfig",
    "Estimate",
    "ImageModel",
    "ImageRequest",
    "ModelConfig",
    "OpenAIConfig",
    "Price",
    "Problem",
    "ProviderConfig",
    "RequestConfig",
    "RunConfig",
    "VideoModel",
    "VideoRequest",
    "actual_cost",
    "check",
    "dialect_of",
    "did_you_mean",
    "estimate",
    "expected_price",
    "known_keys",
    "load",
    "reserved",
    "sent_size",
    "without_own_keys",
]

# Help and composing look things up here, and need none of the models.
__getattr__ = names_from(
    __name__,
    {
        "capability": ("check",),
        "dialect": ("Dialect",),
        "loading": (
            "known_keys",
            "load",
            "without_own_keys",
        ),
        "model": (
            "ImageModel",
            "ModelConfig",
            "VideoModel",
        ),
        "price": (
            "Estimate",
            "Price",
            "actual_cost",
            "estimate",
            "expected_price",
            "reserved",
        ),
        "problem": (
            "Problem",
            "did_you_mean",
        ),
        "provider": (
            "AzureOpenAIConfig",
            "CompatibleConfig",
            "EmulatorConfig",
            "EndpointConfig",
            "OpenAIConfig",
            "ProviderConfig",
            "dialect_of",
        ),
        "request": (
            "ImageRequest",
            "RequestConfig",
            "VideoRequest",
        ),
        "run": (
            "Budget",
            "RunConfig",
            "sent_size",
        ),
    },
)
