"""The length and size that a request is sent with, also where it names none and the server would make another."""

from __future__ import annotations

from .model import ModelConfig, VideoModel
from .provider import dialect_of
from .request import ImageRequest, VideoRequest
from .run import RunConfig

_SIZES = frozenset({"width", "height", "aspect_ratio", "short_edge", "resolution"})
_OWN_SERVERS = frozenset({"vllm_omni", "sglang"})
_LENGTHS = frozenset({"num_frames"})


def sent_size(request: VideoRequest | ImageRequest, model: ModelConfig) -> str | None:
    """WIDTHxHEIGHT as sent: `size` if given, else what the aspect ratio stands for, else nothing."""
    if request.size is not None or request.aspect_ratio is None:
        return request.size
    return model.aspect_ratios.get(request.aspect_ratio)


def video_seconds(config: RunConfig) -> int | None:
    """Return the seconds that a new video is asked for, None where they are the server's to choose."""
    request, model = config.request, config.model
    if not isinstance(request, VideoRequest) or request.duration_seconds is not None:
        return getattr(request, "duration_seconds", None)
    named = request.num_frames is not None or _LENGTHS & request.extra_params.keys()
    return model.default_duration if isinstance(model, VideoModel) and not named and _differs(config, model) else None


def video_size(config: RunConfig) -> str | None:
    """Return the size that a new video is asked for, None where it is the server's to choose, as by an input image."""
    request, model = config.request, config.model
    size = sent_size(request, model)
    named = size is not None or request.image_list or _SIZES & request.extra_params.keys()
    return model.default_size if isinstance(model, VideoModel) and not named and _differs(config, model) else size


def _differs(config: RunConfig, model: VideoModel) -> bool:
    """Return whether the server's own choice is another; at a gateway it is for models of servers of one's own."""
    dialect = dialect_of(config.provider)
    own = not dialect.lists_by_backend or _OWN_SERVERS & model.offers.keys()
    return dialect.unnamed_length is not None and bool(own)
