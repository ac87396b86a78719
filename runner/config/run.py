"""One run: the composed, validated, immutable config that everything after Hydra works on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .frozen import Frozen, Off
from .model import ModelConfig
from .provider import ProviderConfig
from .request import RequestConfig

Objective = Literal["cost", "latency", "duration", "file_size"]
Progress = Annotated[Literal["auto", "live", "plain", "off"], Off]


class RunConfig(Frozen):
    """A provider, a model, a request, and how this invocation behaves."""

    provider: ProviderConfig
    model: ModelConfig
    request: RequestConfig
    replica: int = Field(0, strict=True, ge=0)
    dry_run: bool = False
    fail_fast: bool = False
    progress: Progress = "auto"
    objective: Objective = "cost"
