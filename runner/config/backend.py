"""Describe what the backends of a LiteLLM gateway make of a request for a video, as data, and say what they lose."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from .dialect import EXTENSIONS, OWN_SERVERS
from .problem import Problem
from .request import VideoRequest
from .run import RunConfig, video_size

_RATIOS = frozenset({"16:9", "9:16", "1:1", "4:3", "3:4"})
_OF_GOOGLE = frozenset({"1280x720", "720x1280", "1920x1080", "1080x1920"})
_ANY_SIZE = "request.size=1280x720, 720x1280, 1920x1080 or 1080x1920"


@dataclass(frozen=True, slots=True)
class Backend:
    """Describe one backend.

    Attributes:
        reads: the keys beyond OpenAI's API, and `aspect_ratio`, that it passes on; others vanish. None: all.
        sizes: the sizes that it keeps; None: any, or those of `sides`.
        sides: the shorter sides, in pixels, for which it has a resolution; a size becomes one of them and a ratio.
        image: how an image gets there: as a file, as text in `input_reference`, or in lists by what it is to the video.
        instead: what to type in place of a key that vanishes.
    """

    reads: frozenset[str] | None = None
    sizes: frozenset[str] | None = None
    sides: frozenset[int] | None = None
    image: Literal["file", "text", "lists"] = "file"
    instead: Mapping[str, str] = field(default_factory=dict)

    def keeps(self, size: str) -> bool:
        """Return whether a video of WIDTHxHEIGHT is asked for as just that."""
        if self.sizes is not None:
            return size in self.sizes
        if self.sides is None or "x" not in size:
            return True
        width, height = map(int, size.split("x"))
        part = math.gcd(width, height)
        return min(width, height) in self.sides and f"{width // part}:{height // part}" in _RATIOS


_GEMINI = Backend(
    frozenset({"resolution"}),
    _OF_GOOGLE,
    instead={
        "aspect_ratio": f"request.aspect_ratio=null, and {_ANY_SIZE}",
        "negative_prompt": "+request.extra_params.negativePrompt=TEXT",
    },
)
# Read in the package litellm 1.110.2 (llms/*/videos/transformation.py).
BACKENDS: Mapping[str, Backend] = MappingProxyType({
    **dict.fromkeys(("openai", "azure", "hosted_vllm", "edenai"), Backend()),
    "runwayml": Backend(image="text"),
    "gemini": _GEMINI,
    "vertex_ai": Backend(
        _GEMINI.reads, _GEMINI.sizes,
        instead={
            **_GEMINI.instead, "seed": "+request.extra_params.parameters.seed=N",
            "generate_audio": "+request.extra_params.parameters.generateAudio=true",
            "negative_prompt": "+request.extra_params.parameters.negativePrompt=TEXT",
        },
    ),
    **dict.fromkeys(
        ("dashscope", "qwencloud", "qwen_ai_platform"),
        Backend(
            frozenset({"resolution", "seed", "negative_prompt"}), sides=frozenset({480, 720, 1080}),
            instead={
                "aspect_ratio": "request.aspect_ratio=null, and +request.extra_params.ratio=W:H",
                "generate_audio": "+request.extra_params.audio=true",
            },
        ),
    ),
    "fal_ai": Backend(sides=frozenset({480, 540, 720, 768, 1080, 1440, 2160}), image="text"),
    "minimax": Backend(frozenset({"resolution", "aspect_ratio"}), frozenset(), image="lists"),
    "volcengine": Backend(
        frozenset({"resolution", "aspect_ratio", "seed", "generate_audio"}), sides=frozenset({480, 720, 1080, 2160}),
        image="lists",
    ),
})  # fmt: skip
"""The backends with videos by LiteLLM's names of them; of another, nothing is known."""


def backend_name(config: RunConfig) -> str | None:
    """Return what the gateway's backend is called, if that is said."""
    return getattr(config.provider, "custom_llm_provider", None)


def backend_of(config: RunConfig) -> Backend | None:
    """Return what is known of the gateway's backend."""
    return BACKENDS.get(backend_name(config) or "")


def sound_field(config: RunConfig) -> str:
    """Return what the backend calls the switch for sound: vLLM-Omni has a word of its own."""
    name = backend_name(config)
    own = bool(OWN_SERVERS & config.model.offers.keys()) if name is None else name == "hosted_vllm"
    return "generate_sound" if own else "generate_audio"


def lists_images(config: RunConfig) -> bool:
    """Return whether images go into the lists `frame_images` and `input_references`."""
    request, backend = config.request, backend_of(config)
    if not isinstance(request, VideoRequest) or not request.image_list:
        return False
    return request.image_roles != ("first_frame",) or (backend is not None and backend.image == "lists")


def check_backend(config: RunConfig) -> Iterator[Problem]:
    """Yield what the backend would leave out, or read otherwise, without a word."""
    request, backend = config.request, backend_of(config)
    if not isinstance(request, VideoRequest) or request.video is not None:
        return
    name = f"the gateway's backend {backend_name(config)}"
    if sound_field(config) in request.extra_params and request.generate_audio is not None:
        yield Problem(
            f"request.extra_params.{sound_field(config)}", "is given twice: request.generate_audio is set too"
        )
    if lists_images(config) and backend is None:
        message = "frames and references are read by the backends minimax and volcengine only"
        hint = "provider.custom_llm_provider says which one is behind the gateway"
        yield Problem("request.image_list", message, hint, severity="warning")
    if backend is None:
        return
    if lists_images(config) and backend.image != "lists":
        yield Problem("request.image_list", f"{name} takes one first frame, and no other image",
                      "minimax and volcengine take others")  # fmt: skip
    size = video_size(config)
    sent = _sent_keys(config, size)
    for key in sorted(sent - (sent if backend.reads is None else backend.reads)):
        hint = backend.instead.get(key, f"request.{key}=null; model.validation=warn sends it all the same")
        yield Problem(f"request.{key}", f"would be left out without a word by {name}", hint)
    if size is not None and not backend.keeps(size):
        yield Problem("request.size", f"{size} would not be what {name} asks for", _size_hint(backend))


def _sent_keys(config: RunConfig, size: str | None) -> frozenset[str]:
    """Return the keys that OpenAI's API has no field for and that the request sends."""
    request = config.request
    given = {key for key in EXTENSIONS if getattr(request, key, None) is not None}
    ratio = {"aspect_ratio"} if request.aspect_ratio is not None and size is None else set()
    return frozenset(given & config.model.parameters | ratio)


def _size_hint(backend: Backend) -> str:
    if backend.sizes:
        return f"{_ANY_SIZE}; model.validation=warn sends it all the same"
    if backend.sizes is not None:
        return "it keeps a size's ratio only: request.size=null, request.resolution and request.aspect_ratio"
    sides = ", ".join(map(str, sorted(backend.sides or ())))
    return f"it makes 16:9, 9:16, 1:1, 4:3 or 3:4 of a resolution, with a shorter side of {sides}"
