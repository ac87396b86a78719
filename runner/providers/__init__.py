"""Endpoints that generate: OpenAI, Azure OpenAI, servers that speak the same protocol, and the emulator."""

from .base import (
    Casting,
    Character,
    Content,
    Examinable,
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
    Variant,
)
from .body import check_body
from .preflight import check_endpoint
from .registry import create

__all__ = [
    "Casting",
    "Character",
    "Content",
    "Examinable",
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
    "check_body",
    "check_endpoint",
    "create",
]
