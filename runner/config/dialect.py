"""Describe how servers depart from OpenAI's protocol, as data: which fields they have, and how these travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

_SAMPLING = frozenset({
    "seed", "negative_prompt", "fps", "num_frames", "num_inference_steps", "guidance_scale", "guidance_scale_2",
    "true_cfg_scale", "flow_shift",
})  # fmt: skip
EXTENSIONS = _SAMPLING | {"boundary_ratio", "generate_audio", "enhance_prompt", "lora", "resolution"}
"""The request keys that OpenAI's own API has no field for."""

ImageRole = Literal["first_frame", "last_frame", "reference", "keyframe"]
"""What an image can be to a video."""

_OPENAI = frozenset({"create", "remix", "edit", "extend", "character"})
_SOUND = MappingProxyType({"generate_audio": "generate_sound"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """Describe one way of speaking the protocol.

    Attributes:
        protocol: whose requests it takes: those of OpenAI's SDK, or JSON of its own (a file of `runner/providers/`).
        hosted: whether it is a service that sells others' models, whose names and prices there are the models' data.
        extensions: the request keys beyond OpenAI's API that it has a field for.
        takes_ratio: whether a video or image can be asked for by aspect ratio and resolution in place of a size.
        takes_size: whether it can be asked for by its size.
        image_roles: what an input image can be to a video there.
        prompt_optional: whether a first frame alone can make a video there, without a prompt, of models that can.
        most_keyframes: how many keyframes it takes.
        keyframe_gap: the seconds that lie between two of them at least.
        names: what a key is called there, where it is not called the same.
        fields: every field that its form reads; what else is given goes into one field, `pack`. None: any.
        pack: the field that takes what else is given; None: there is none.
        video_sizes: the only sizes of videos that it takes, whatever the model; None: any.
        image_version: the version of the API that images are at, where it is another than the videos'.
        image_fields: every field that a request for new images is read for. None: any.
        edit_fields: every field that the form of an image edit is read for. None: any.
        packs_images: whether what else is given for new images goes into their `pack`.
        takes_auto: whether `auto` is a size there; where not, it is left out, which leaves the size to the server.
        unnamed_length: what it makes of an open model where a request names no length, for people; None: what the
            model's data names. The model's default length and size are sent where this is another.
        limits: the largest values that it takes.
        nested_as_text: whether it reads an object or a list from a form only as JSON text.
        video_operations: what can be done with videos.
        source_by_address: whether a video to start from is named by the address at which it lies just now, beside the
            model; where not, by its job, whose model is kept.
        source_seconds: the least and most seconds of such a video, by what is made of it; none: not known.
        extension_seconds: by how much a video can be extended.
        default_extension: by how much it is where a request does not say; None: it has to.
        variants: the files of a job that can be downloaded.
        names_variant: whether the video itself is asked for as a variant.
        image_address: the form field that takes an input image's address; None: as OpenAI, in JSON.
        fetches: whether the server fetches an input image from its address; else it is downloaded here and sent.
        asks_base64: whether images come as base64 only when asked for.
        deletes: whether a job can be deleted.
        lists: whether jobs can be listed; where not, a job whose answer was lost is never found again.
        cost: below which keys an answer tells what its work has cost.
        cost_units: how many of what it counts the cost in make a US dollar.
        cost_header: the header that tells the same; of a video, in the answer to its creation.
        signed: keys of an answer whose addresses open without a key, and are kept nowhere.
        file_route: whether the file of a job has a route; where not, it lies where the job says, for a while.
        file_query: what that route is asked with.
        catalogues: where the models of each kind are listed, if not in `/models`.
        key_route: where the key can be asked about.
        tells_mark: whether a listed job may tell `user` or `metadata` again.
        lists_by_backend: whether jobs are listed only for a backend that the request names (`custom_llm_provider`), and
            under other ids than their creation's.
        batches: in whose form it takes batches of images; None: none are known there.
        gateway: whether it passes requests on to other servers, whose models and prices count.
    """

    protocol: Literal["openai", "openrouter", "xai", "together"] = "openai"
    hosted: bool = False
    extensions: frozenset[str] = EXTENSIONS
    takes_ratio: bool = False
    takes_size: bool = True
    image_roles: frozenset[ImageRole] = frozenset({"first_frame", "reference"})
    prompt_optional: bool = False
    most_keyframes: int = 0
    keyframe_gap: float = 0
    names: Mapping[str, str] = field(default_factory=dict)
    fields: frozenset[str] | None = None
    pack: Literal["extra_params", "metadata"] | None = "extra_params"
    video_sizes: frozenset[str] | None = None
    image_version: str | None = None
    image_fields: frozenset[str] | None = None
    edit_fields: frozenset[str] | None = None
    packs_images: bool = False
    takes_auto: bool = True
    unnamed_length: str | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    nested_as_text: bool = False
    video_operations: frozenset[str] = _OPENAI
    source_by_address: bool = False
    source_seconds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    extension_seconds: tuple[int, ...] = (4, 8, 12, 16, 20)
    default_extension: int | None = None
    variants: frozenset[str] = frozenset({"video", "thumbnail", "spritesheet"})
    names_variant: bool = True
    image_address: Literal["image_reference", "reference_url"] | None = None
    fetches: bool = True
    asks_base64: bool = False
    deletes: bool = True
    lists: bool = True
    cost: tuple[str, ...] = ()
    cost_units: float = 1
    cost_header: str | None = None
    signed: frozenset[str] = frozenset()
    file_route: bool = True
    file_query: Mapping[str, int] = field(default_factory=dict)
    catalogues: Mapping[str, str] = field(default_factory=dict)
    key_route: str | None = None
    tells_mark: bool = True
    lists_by_backend: bool = False
    batches: Literal["openai", "xai"] | None = None
    gateway: bool = False

    @property
    def tells_cost(self) -> bool:
        """Return whether its answers tell what a request has cost."""
        return bool(self.cost) or self.cost_header is not None

    @property
    def takes_several_images(self) -> bool:
        """Return whether a video can be made of more than one image there."""
        return self.protocol != "openai" or self.gateway

    def name(self, key: str) -> str:
        """Return what a request key is called there."""
        return self.names.get(key, key)


OPENAI = Dialect(batches="openai")
"""The protocol as OpenAI documents it."""

# Read in the packages vllm-omni 0.30.0 (entrypoints/openai), sglang 0.5.23 (multimodal_gen/runtime/entrypoints/openai)
# and litellm 1.110.2 (proxy/video_endpoints, llms/hosted_vllm/videos).
_VLLM_OMNI = Dialect(
    extensions=_SAMPLING | {"boundary_ratio", "generate_audio", "lora"},
    names=_SOUND,
    fields=_SAMPLING | {
        "prompt", "model", "seconds", "size", "user", "input_reference", "input_references", "image_reference",
        "video_reference", "audio_reference", "control_reference", "control_type", "width", "height", "aspect_ratio",
        "short_edge", "num_outputs_per_prompt", "start_time_seconds", "quality", "boundary_ratio", "generate_sound",
        "sound_duration", "enable_frame_interpolation", "frame_interpolation_exp", "frame_interpolation_scale",
        "frame_interpolation_model_path", "lora", "extra_params", "return_stage_metrics",
    },
    image_fields=frozenset({
        "prompt", "model", "n", "size", "response_format", "user", "negative_prompt", "seed", "num_inference_steps",
        "guidance_scale", "true_cfg_scale", "flow_shift", "extra_params", "generator_device", "lora", "layers",
        "bot_task", "system_prompt", "use_system_prompt", "vae_use_slicing", "vae_use_tiling", "output_format",
        "output_compression", "return_stage_metrics",
    }),
    edit_fields=frozenset({
        "prompt", "model", "n", "size", "response_format", "user", "image", "url", "negative_prompt", "seed",
        "num_inference_steps", "guidance_scale", "guidance_scale_2", "strength", "true_cfg_scale", "generator_device",
        "lora", "layers", "resolution", "bot_task", "sys_type", "system_prompt", "background", "output_format",
        "output_compression", "return_stage_metrics",
    }),
    packs_images=True,
    takes_auto=False,
    unnamed_length="a single frame at this server",
    tells_mark=False,
    limits=MappingProxyType(
        {"num_inference_steps": 200, "guidance_scale": 20, "guidance_scale_2": 20, "true_cfg_scale": 20}
    ),
    nested_as_text=True,
    video_operations=frozenset({"create"}),
    variants=frozenset({"video"}),
    names_variant=False,
    image_address="image_reference",
)  # fmt: skip
_SGLANG = Dialect(
    extensions=_SAMPLING | {"enhance_prompt"},
    fields=_SAMPLING | {
        "prompt", "model", "seconds", "size", "input_reference", "reference_url", "video_reference", "video_url",
        "video_path", "task_type", "n", "num_outputs_per_prompt", "width", "height", "generator_device",
        "max_sequence_length", "enable_teacache", "enable_frame_interpolation", "frame_interpolation_exp",
        "frame_interpolation_scale", "frame_interpolation_model_path", "enable_upscaling", "upscaling_model_path",
        "upscaling_scale", "output_quality", "output_compression", "x264_preset", "output_path", "perf_dump_path",
        "diffusers_kwargs", "enhance_prompt", "quality", "enable_cache_dit", "cache_dit_params", "cfg_gate_step",
        "extra_params", "extra_body",
    },
    image_fields=frozenset({
        "prompt", "model", "n", "size", "response_format", "user", "quality", "style", "background", "output_format",
        "output_compression",
    }),
    edit_fields=frozenset({
        "prompt", "model", "n", "size", "response_format", "user", "image", "url", "mask", "negative_prompt", "seed",
        "num_inference_steps", "guidance_scale", "true_cfg_scale", "generator_device", "task_type", "enhance_prompt",
        "quality", "output_quality", "background", "output_format", "output_compression", "enable_teacache",
        "enable_cache_dit", "cache_dit_params", "enable_upscaling", "upscaling_model_path", "upscaling_scale",
        "perf_dump_path", "profile", "num_profiled_timesteps", "profile_all_stages", "num_frames",
    }),
    takes_auto=False,
    unnamed_length="4 seconds at this server",
    tells_mark=False,
    nested_as_text=True,
    video_operations=frozenset({"create"}),
    variants=frozenset({"video"}),
    names_variant=False,
    image_address="reference_url",
    asks_base64=True,
)  # fmt: skip
# What is made of all this by which backend: runner/config/backend.py.
_LITELLM = Dialect(
    extensions=_SAMPLING | {"boundary_ratio", "generate_audio", "lora", "resolution"},
    takes_ratio=True,
    image_roles=frozenset({"first_frame", "last_frame", "reference"}),
    nested_as_text=True,
    variants=frozenset({"video"}),  # its content route reads no variant, and answers the video whatever is asked for
    names_variant=False,
    fetches=False,
    unnamed_length="a single frame where vLLM-Omni is behind this server",
    deletes=False,
    cost_header="x-litellm-response-cost",
    lists_by_backend=True,
    gateway=True,
)

# Read in the package aquiles-image 0.8.3 (main.py, models/models.py).
_AQUILES = Dialect(
    extensions=frozenset(),
    fields=frozenset({"prompt", "model", "seconds", "size", "quality", "input_reference"}),
    pack=None,
    video_sizes=frozenset({"1280x720", "720x1280", "1792x1024", "1024x1792"}),
    video_operations=frozenset({"create"}),
    variants=frozenset({"video"}),
    names_variant=False,
    fetches=False,
    asks_base64=True,
    tells_mark=False,
)

# Read in the repository QuantumNous/new-api (v1.0.0-rc.41); its many forks differ.
_NEW_API = Dialect(
    extensions=frozenset(),
    fields=frozenset({"prompt", "model", "seconds", "size", "input_reference", "metadata"}),
    pack="metadata",
    nested_as_text=True,
    video_operations=frozenset({"create"}),
    variants=frozenset({"video"}),
    names_variant=False,
    fetches=False,
    deletes=False,
    lists=False,
    tells_mark=False,
)

# Read in the package litellm 1.110.2 (llms/edenai).
_EDENAI = Dialect(
    hosted=True,
    extensions=frozenset(),
    nested_as_text=True,
    video_operations=frozenset({"create"}),
    variants=frozenset({"video"}),
    names_variant=False,
    deletes=False,
    cost=("cost",),
    tells_mark=False,
)

# Read in the package openrouter 1.3.84 (types) and OpenRouter's documentation.
_OPENROUTER = Dialect(
    protocol="openrouter",
    hosted=True,
    extensions=frozenset({"seed", "generate_audio", "resolution"}),
    takes_ratio=True,
    image_roles=frozenset({"first_frame", "last_frame", "reference"}),
    prompt_optional=True,
    image_fields=frozenset({"quality", "background", "output_format", "output_compression"}),
    edit_fields=frozenset({
        "quality", "background", "output_format", "output_compression", "provider", "user", "session_id", "trace",
    }),
    video_operations=frozenset({"create"}),
    variants=frozenset({"video"}),
    names_variant=False,
    deletes=False,
    lists=False,
    cost=("usage", "cost"),
    signed=frozenset({"urls"}),
    file_query=MappingProxyType({"index": 0}),
    catalogues=MappingProxyType({"video": "/videos/models", "image": "/images/models"}),
    key_route="/key",
    tells_mark=False,
)  # fmt: skip

# Read in xAI's documentation and the package xai-sdk 1.21.0 (types).
_XAI = Dialect(
    protocol="xai",
    hosted=True,
    extensions=frozenset({"generate_audio", "resolution"}),
    takes_ratio=True,
    takes_size=False,
    image_roles=frozenset({"first_frame", "last_frame", "reference", "keyframe"}),
    prompt_optional=True,
    most_keyframes=4,
    keyframe_gap=1 / 3,
    image_fields=frozenset({"quality"}),
    edit_fields=frozenset({"quality", "user", "storage_options"}),
    video_operations=frozenset({"create", "edit", "extend"}),
    source_by_address=True,
    source_seconds=MappingProxyType({"edit": (0, 8.7), "extend": (2, 30)}),
    extension_seconds=tuple(range(1, 11)),
    default_extension=6,
    variants=frozenset({"video"}),
    names_variant=False,
    deletes=False,
    lists=False,
    cost=("usage", "cost_in_usd_ticks"),
    cost_units=1e10,
    signed=frozenset({"url"}),
    file_route=False,
    tells_mark=False,
    batches="xai",
)

# Read in the package together 3.1.1 (types), which gives no unit of a video's cost, so that it is none that is known.
_TOGETHER = Dialect(
    protocol="together",
    hosted=True,
    extensions=frozenset({
        "seed", "negative_prompt", "fps", "num_inference_steps", "guidance_scale", "generate_audio", "resolution",
    }),
    names=MappingProxyType({"num_inference_steps": "steps"}),
    takes_ratio=True,
    image_roles=frozenset({"first_frame", "last_frame", "reference"}),
    image_version="v1",
    image_fields=frozenset({"steps"}),
    edit_fields=frozenset(),
    video_operations=frozenset({"create"}),
    variants=frozenset({"video"}),
    names_variant=False,
    deletes=False,
    lists=False,
    signed=frozenset({"video_url"}),
    file_route=False,
    tells_mark=False,
)  # fmt: skip

DIALECTS: Mapping[str, Dialect] = MappingProxyType({
    "plain": OPENAI, "vllm_omni": _VLLM_OMNI, "sglang": _SGLANG, "litellm": _LITELLM, "openrouter": _OPENROUTER,
    "xai": _XAI, "new_api": _NEW_API, "edenai": _EDENAI, "together": _TOGETHER,
    "aquiles": _AQUILES,
})  # fmt: skip
"""The dialects by their names: a new compatible server is one entry here and one file in `conf/provider/`."""

OWN_SERVERS = frozenset(name for name, each in DIALECTS.items() if each.unnamed_length is not None and not each.gateway)
"""Servers that run open weights, and make something of their own where a request names no length."""

HOSTS = frozenset(name for name, each in DIALECTS.items() if each.hosted)
"""Services that sell others' models."""

REFRESHABLE = frozenset(name for name, each in DIALECTS.items() if each.protocol == "openrouter" and each.catalogues)
"""Hosts that list durations, resolutions and prices of their models."""

if TYPE_CHECKING:
    DialectName = str
else:
    DialectName = Literal[tuple(DIALECTS)]
