"""How an open model samples: keys that servers take beyond OpenAI's API."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from .frozen import Frozen

Count = Annotated[int, Field(strict=True, ge=1)]
"""One or more."""

Scale = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Zero or more."""


class VideoSampling(Frozen):
    """The knobs of a diffusion model that makes videos; null leaves each to the server."""

    fps: Count | None = None
    num_frames: Count | None = None
    num_inference_steps: Count | None = None
    guidance_scale: Scale | None = None
    guidance_scale_2: Scale | None = None
    true_cfg_scale: Scale | None = None
    flow_shift: Annotated[float, Field(allow_inf_nan=False)] | None = None
    boundary_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    lora: dict[str, Any] | None = None
    """Any: an adapter's name, path and scale, in the server's own words."""
