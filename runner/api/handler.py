"""Providers of a program's own, known by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runner.config.problem import did_you_mean
from runner.config.shipped import names
from runner.errors import ConfigError

if TYPE_CHECKING:
    from .config import GenerationConfig, ImageGenerationConfig, VideoGenerationConfig
    from .progress import ImageProgressCallback, ProgressCallback
    from .request import ImageGenerationRequest, VideoGenerationRequest
    from .response import ImageGenerationResponse, VideoGenerationResponse

METHODS = ("generate_video", "generate_video_async", "generate_image", "generate_image_async")


class ProviderHandler(Protocol):
    """Generate as a provider of your own; what it cannot do raises `NotImplementedError`.

    It gets config and request as they were given (the key by `config.api_key.get_secret_value()`) and builds its
    response by hand. A `RunnerError` of its that is `retryable` lets the next of `fallback_configs` try.
    """

    def generate_video(
        self,
        config: VideoGenerationConfig,
        request: VideoGenerationRequest,
        on_progress: ProgressCallback | None = None,
    ) -> VideoGenerationResponse:
        """Generate a video and wait for it."""
        ...

    async def generate_video_async(
        self,
        config: VideoGenerationConfig,
        request: VideoGenerationRequest,
        on_progress: ProgressCallback | None = None,
    ) -> VideoGenerationResponse:
        """Generate a video without blocking the event loop."""
        ...

    def generate_image(
        self,
        config: ImageGenerationConfig,
        request: ImageGenerationRequest,
        on_progress: ImageProgressCallback | None = None,
    ) -> ImageGenerationResponse:
        """Generate images and wait for them."""
        ...

    async def generate_image_async(
        self,
        config: ImageGenerationConfig,
        request: ImageGenerationRequest,
        on_progress: ImageProgressCallback | None = None,
    ) -> ImageGenerationResponse:
        """Generate images without blocking the event loop."""
        ...


_handlers: dict[str, ProviderHandler] = {}


def register_provider(provider: str, handler: ProviderHandler) -> None:
    """Let `provider` in a config stand for `handler`, in this process; the name of a shipped one is taken over.

    The handler's calls are its own: no ledger, no directory, no retry. Raises `ConfigError` if it is none.
    """
    if not provider.strip():
        raise ConfigError("a provider needs a name", hint="register_provider('my-provider', MyHandler())")
    if isinstance(handler, type):
        raise ConfigError(
            f"{handler.__name__} is a class", hint=f"register_provider({provider!r}, {handler.__name__}())"
        )
    if not any(callable(getattr(handler, name, None)) for name in METHODS):
        raise ConfigError(f"{type(handler).__name__} has none of the methods {', '.join(METHODS)}")
    _handlers[spelled_provider(provider)] = handler


def spelled_provider(name: str) -> str:
    """Return a provider's name; a shipped one may be written with hyphens."""
    shipped = name.replace("-", "_")
    return shipped if shipped in names("provider") else name


def handler_of(config: GenerationConfig) -> ProviderHandler | None:
    """Return whose calls the config asks for; None: the engine's, as with a mock. Raises `ConfigError` for nobody's."""
    handler = None if config.mocked else _handlers.get(config.provider)
    if handler is None and not config.mocked and config.provider not in names("provider"):
        known = [*names("provider"), *sorted(_handlers)]
        near = did_you_mean(config.provider, known)
        raise ConfigError(
            f"Unsupported provider: {config.provider}{f'; did you mean {near}?' if near else ''} ({', '.join(known)})",
            hint="one of your own is made known by register_provider(name, handler)",
            provider=config.provider,
            model=config.model,
        )
    return handler
