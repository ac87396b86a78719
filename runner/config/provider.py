"""Where requests go, how they authenticate and how hard the endpoint may be pressed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from .frozen import Frozen, Off, Seconds

EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
"""The name of an environment variable, never its value."""

RetiredModels = Annotated[Literal["refuse", "warn", "off"], Off]


class EndpointConfig(Frozen):
    """What every provider has: limits, waiting and the treatment of retired models."""

    timeout: Seconds = 600
    max_poll_attempts: int = Field(120, strict=True, ge=1)
    poll_interval: Seconds = 5
    max_concurrent_jobs: int = Field(100, strict=True, ge=1)
    max_concurrent_requests: int = Field(8, strict=True, ge=1)
    requests_per_minute: float | None = Field(None, gt=0)
    retired_models: RetiredModels = "refuse"


class OpenAIConfig(EndpointConfig):
    """OpenAI's own API, or any server at `base_url` that speaks it exactly."""

    kind: Literal["openai"]
    base_url: str | None = None
    api_key_env: EnvName = "OPENAI_API_KEY"
    organization: str | None = None
    project: str | None = None
    allow_http: bool = False


class AzureOpenAIConfig(EndpointConfig):
    """A resource of Azure OpenAI; the model's deployment name is what is sent."""

    kind: Literal["azure_openai"]
    base_url: str | None = None
    api_key_env: EnvName = "AZURE_OPENAI_API_KEY"
    api_version: str | None = None
    auth: Literal["auto", "api_key", "token"] = "auto"
    allow_http: bool = False
    retired_models: RetiredModels = "warn"


class EmulatorConfig(EndpointConfig):
    """The embedded server: real files, no key, no cost."""

    kind: Literal["emulator"]
    state_file: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        Path("outputs/.emulator/state.sqlite3"), validate_default=True
    )
    latency: Seconds = 2
    poll_interval: Seconds = 0.25
    max_poll_attempts: int = Field(2400, strict=True, ge=1)
    retired_models: RetiredModels = "off"


ProviderConfig = Annotated[OpenAIConfig | AzureOpenAIConfig | EmulatorConfig, Field(discriminator="kind")]
