"""Generate videos and images declaratively through the `openai` SDK."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.api.config import (
        ImageGenerationConfig,
        MockConfig,
        ProviderHandler,
        VideoGenerationConfig,
        register_provider,
    )
    from runner.api.generate import generate_image, generate_image_async, generate_video, generate_video_async
    from runner.api.media import Media, MediaContent, MediaType
    from runner.api.progress import (
        ImageGenerationUpdate,
        ImageProgressCallback,
        ProgressCallback,
        VideoGenerationUpdate,
    )
    from runner.api.request import (
        AspectRatio,
        ImageGenerationRequest,
        ImageType,
        Resolution,
        VideoGenerationRequest,
    )
    from runner.api.response import AttemptMetadata, ExecutionMetadata, ImageGenerationResponse, VideoGenerationResponse
    from runner.api.sweep import sweep, sweep_async
    from runner.errors import (
        ArtifactError,
        AuthenticationError,
        BadRequestError,
        BudgetError,
        ConfigError,
        ContentModerationError,
        DiskError,
        ExpiredError,
        GenerationFailedError,
        HTTPConnectionError,
        IncompleteAnswerError,
        JobNotFoundError,
        JobTimeoutError,
        ModelNotFoundError,
        ProviderError,
        QuotaError,
        RateLimitError,
        RunnerError,
        SecretError,
        ServerError,
        UncertainError,
        UnexpectedAnswerError,
    )
    from runner.results.loading import FileRating, RunRecord, Sweep, load_sweep

__version__ = "0.1.0"

__all__ = [
    "ArtifactError",
    "AspectRatio",
    "AttemptMetadata",
    "AuthenticationError",
    "BadRequestError",
    "BudgetError",
    "ConfigError",
    "ContentModerationError",
    "DiskError",
    "ExecutionMetadata",
    "ExpiredError",
    "FileRating",
    "GenerationFailedError",
    "HTTPConnectionError",
    "ImageGenerationConfig",
    "ImageGenerationRequest",
    "ImageGenerationResponse",
    "ImageGenerationUpdate",
    "ImageProgressCallback",
    "ImageType",
    "IncompleteAnswerError",
    "JobNotFoundError",
    "JobTimeoutError",
    "Media",
    "MediaContent",
    "MediaType",
    "MockConfig",
    "ModelNotFoundError",
    "ProgressCallback",
    "ProviderError",
    "ProviderHandler",
    "QuotaError",
    "RateLimitError",
    "Resolution",
    "RunRecord",
    "RunnerError",
    "SecretError",
    "ServerError",
    "Sweep",
    "UncertainError",
    "UnexpectedAnswerError",
    "VideoGenerationConfig",
    "VideoGenerationRequest",
    "VideoGenerationResponse",
    "VideoGenerationUpdate",
    "__version__",
    "generate_image",
    "generate_image_async",
    "generate_video",
    "generate_video_async",
    "load_sweep",
    "register_provider",
    "sweep",
    "sweep_async",
]

_HOMES = {
    "runner.api.config": (
        "ImageGenerationConfig",
        "MockConfig",
        "ProviderHandler",
        "VideoGenerationConfig",
        "register_provider",
    ),
    "runner.api.generate": ("generate_image", "generate_image_async", "generate_video", "generate_video_async"),
    "runner.api.media": ("Media", "MediaContent", "MediaType"),
    "runner.api.request": (
        "AspectRatio",
        "ImageGenerationRequest",
        "ImageType",
        "Resolution",
        "VideoGenerationRequest",
    ),
    "runner.api.response": (
        "AttemptMetadata",
        "ExecutionMetadata",
        "ImageGenerationResponse",
        "VideoGenerationResponse",
    ),
    "runner.api.progress": (
        "ImageGenerationUpdate",
        "ImageProgressCallback",
        "ProgressCallback",
        "VideoGenerationUpdate",
    ),
    "runner.api.sweep": ("sweep", "sweep_async"),
    "runner.results.loading": ("FileRating", "RunRecord", "Sweep", "load_sweep"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    # `import runner` and the command line's --help must not pay for pydantic and the rest.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME.get(name, "runner.errors")), name)


def __dir__() -> list[str]:
    return __all__
