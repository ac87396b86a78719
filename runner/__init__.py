"""Declarative video and image generation through the `openai` SDK."""

__version__ = "0.1.0"

__all__ = ["__version__"]
