"""Endpoints that generate: OpenAI, Azure OpenAI, servers that speak the same protocol, and the emulator."""

from .base import Content, GeneratedImage, ImageBatch, ImageUsage, Job, JobStatus, Provider, Variant
from .body import check_body
from .preflight import check_endpoint
from .registry import create

__all__ = [
    "Content",
    "GeneratedImage",
    "ImageBatch",
    "ImageUsage",
    "Job",
    "JobStatus",
    "Provider",
    "Variant",
    "check_body",
    "check_endpoint",
    "create",
]
