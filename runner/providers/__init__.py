"""Speak to endpoints that generate: OpenAI, Azure OpenAI, compatible servers, and the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lazy import names_from

if TYPE_CHECKING:
    from .base import (
        Character,
        Content,
        GeneratedImage,
        ImageBatch,
        ImageUsage,
        Job,
        JobPage,
        JobStatus,
        OnPartial,
        PartialImage,
        Provider,
        Reply,
        SupportsCharacters,
        SupportsDiagnostics,
        Variant,
    )
    from .body import check_body
    from .preflight import check_endpoint
    from .registry import create

__all__ = [
    "Character",
    "Content",
    "GeneratedImage",
    "ImageBatch",
    "ImageUsage",
    "Job",
    "JobPage",
    "JobStatus",
    "OnPartial",
    "PartialImage",
    "Provider",
    "Reply",
    "SupportsCharacters",
    "SupportsDiagnostics",
    "Variant",
    "check_body",
    "check_endpoint",
    "create",
]

# A refusal needs two checks, a listing of models none of this.
__getattr__ = names_from(
    __name__,
    {
        "base": (
            "SupportsCharacters",
            "Character",
            "Content",
            "SupportsDiagnostics",
            "GeneratedImage",
            "ImageBatch",
            "ImageUsage",
            "Job",
            "JobPage",
            "JobStatus",
            "OnPartial",
            "PartialImage",
            "Provider",
            "Reply",
            "Variant",
        ),
        "body": ("check_body",),
        "preflight": ("check_endpoint",),
        "registry": ("create",),
    },
)
