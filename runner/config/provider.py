"""Where requests go, how they authenticate and how hard the endpoint may be pressed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from .dialect import DIALECTS, OPENAI, Dialect, DialectName
from .frozen import Frozen, Off, Seconds
from .headers import HeaderVariables, PlainHeaders

EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
"""The name of an environment variable, never its value."""

TenantId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,255}$")]
"""The id or a domain of an Entra ID tenant."""

BillingId = Annotated[
    str | None, BeforeValidator(lambda value: (value.strip() or None) if isinstance(value, str) else value)
]
"""An organization or project; a variable that is set to nothing counts as absent."""


RetiredModels = Annotated[Literal["refuse", "warn", "off"], Off]


class EndpointConfig(Frozen):
    """Describe what every provider has: headers, limits, waiting and the treatment of retired models."""

    headers: PlainHeaders = ()
    headers_env: HeaderVariables = ()
    timeout: Seconds = 600
    min_bytes_per_second: float | None = Field(1000, ge=0)
    max_poll_attempts: int = Field(120, strict=True, ge=1)
    poll_interval: Seconds = 5
    deadline_seconds: Seconds | None = None
    max_concurrent_jobs: int = Field(100, strict=True, ge=1)
    max_concurrent_requests: int = Field(8, strict=True, ge=1)
    requests_per_minute: float | None = Field(None, gt=0)
    retired_models: RetiredModels = "refuse"

    @model_validator(mode="after")
    def _each_header_once(self) -> Self:
        plain = {name.lower() for name, _ in self.headers}
        both = next((name for name, _ in self.headers_env if name.lower() in plain), None)
        if both is not None:
            raise ValueError(f"the header {both} stands in headers and in headers_env")
        return self

    @property
    def patience(self) -> float:
        """Return seconds that a job is waited for."""
        return self.deadline_seconds or self.max_poll_attempts * self.poll_interval


class OpenAIConfig(EndpointConfig):
    """OpenAI's own API, or any server at `base_url` that speaks it exactly."""

    kind: Literal["openai"]
    base_url: str | None = None
    api_key_env: EnvName = "OPENAI_API_KEY"
    organization: BillingId = None
    project: BillingId = None
    allow_http: bool = False


class AzureOpenAIConfig(EndpointConfig):
    """Describe a resource of Azure OpenAI; the model's deployment name is what is sent."""

    kind: Literal["azure_openai"]
    base_url: str | None = None
    api_key_env: EnvName = "AZURE_OPENAI_API_KEY"
    api_version: str | None = None
    auth: Literal["auto", "api_key", "token", "entra_id"] = "auto"
    tenant_id: TenantId | None = None
    client_id: str | None = None
    managed_identity: bool = False
    token_scope: str | None = None
    allow_http: bool = False
    retired_models: RetiredModels = "warn"


class CompatibleConfig(EndpointConfig):
    """A server that speaks OpenAI's protocol in its own way, mostly with open models and often without keys."""

    kind: Literal["compatible"]
    dialect: DialectName = "plain"
    base_url: str | None = None
    api_key_env: EnvName | None = None
    allow_http: bool = False
    mark_field: Literal["user", "metadata"] | None = None
    """The field in which each video request carries a mark of its run, where the server's list tells it again."""
    custom_llm_provider: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")] | None = None
    """The backend of a LiteLLM gateway whose jobs are listed, in LiteLLM's words."""
    retired_models: RetiredModels = "off"

    @model_validator(mode="after")
    def _backends_are_a_gateway_s(self) -> Self:
        if self.custom_llm_provider is not None and not DIALECTS[self.dialect].lists_by_backend:
            raise ValueError("custom_llm_provider is for a LiteLLM gateway: provider=litellm")
        return self


class EmulatorConfig(EndpointConfig):
    """Describe the embedded server: real files, no key, no cost."""

    kind: Literal["emulator"]
    dialect: DialectName = "plain"
    state_file: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        Path("outputs/.emulator/state.sqlite3"), validate_default=True
    )
    latency: Seconds = 2
    poll_interval: Seconds = 0.25
    max_poll_attempts: int = Field(2400, strict=True, ge=1)
    retired_models: RetiredModels = "off"


ProviderConfig = Annotated[
    OpenAIConfig | AzureOpenAIConfig | CompatibleConfig | EmulatorConfig, Field(discriminator="kind")
]


def dialect_of(provider: EndpointConfig) -> Dialect:
    """Return how the provider's server speaks the protocol."""
    return DIALECTS[provider.dialect] if isinstance(provider, CompatibleConfig | EmulatorConfig) else OPENAI
