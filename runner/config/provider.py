"""Describe where requests go: providers, their endpoints, and the HTTP headers that a user configures for them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, model_validator

from .dialect import DIALECTS, OPENAI, Dialect, DialectName
from .frozen import Frozen, Off, Seconds
from .shipped import option

Pairs = tuple[tuple[str, str], ...]
"""A mapping as pairs, so that a provider's config stays hashable."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# Bare words: in "X-Max-Tokens" or "x-litellm-cache-key-prefix" nothing is secret.
_SECRET_NAME = re.compile(
    r"(^|[-_.])((api|subscription|access|auth)?-?key|(api|access|auth)?-?token|secret|passw(or)?d|auth(orization)?|"
    r"credentials?|cookie|jwt|signature)$",
    re.IGNORECASE,
)
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "api-key", "cookie"})
# The HTTP client writes these itself; another value would break the request or the reading of its answer. One
# Idempotency-Key for all requests would make them one.
_OF_THE_CLIENT = re.compile(
    r"content-.*|host|accept-encoding|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|proxy-.*|"
    r"idempotency-key",
    re.IGNORECASE,
)
_LONGEST_HEADER = 8192


def is_secret_name(name: str) -> bool:
    """Return whether a header of this name holds a credential."""
    return name.lower() in _CREDENTIALS or _SECRET_NAME.search(name) is not None


def value_problem(value: str) -> str | None:
    """Return why `value` cannot be a header's value, without repeating it; None where it can."""
    if not value.isascii() or not value.isprintable():
        return "holds control characters, line breaks or letters beyond ASCII"
    return "is longer than 8,192 characters" if len(value) > _LONGEST_HEADER else None


def _plain_headers(given: object) -> Pairs:
    pairs = _pairs(given)
    for name, value in pairs:
        if is_secret_name(name):
            raise ValueError(
                f"the header {name} carries a credential, which would be written down; keep it in a variable, whose "
                f"name belongs here: provider.headers_env.{name}=VARIABLE"
            )
        if (reason := value_problem(value)) is not None:
            raise ValueError(f"the value of {name} {reason}")
    return pairs


def _from_environment(given: object) -> Pairs:
    pairs = _pairs(given)
    for name, variable in pairs:
        if not _ENV_NAME.fullmatch(variable):
            raise ValueError(f"the header {name} must name an environment variable (letters, digits and underscores)")
    return pairs


def _pairs(given: object) -> Pairs:
    """Return the pairs of a mapping without its nulls, each name legal and there once."""
    if isinstance(given, tuple):
        given = dict(given)
    if not isinstance(given, Mapping):
        raise ValueError("must be a mapping of header names, as in {X-Name: value}")  # noqa: TRY004 - pydantic's way
    pairs = tuple((str(name), _text(name, value)) for name, value in given.items() if value is not None)
    for name, _ in pairs:
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no legal header name")
        if _OF_THE_CLIENT.fullmatch(name):
            raise ValueError(f"the header {name} is written by the HTTP client itself")
    names = [name.lower() for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the header {twice} is given twice")
    return pairs


def _text(name: object, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise ValueError(f"the value of {name} must be a text or a number")  # noqa: TRY004 - pydantic's way
    return str(value).strip()


_AS_MAPPING = PlainSerializer(dict, return_type=dict[str, str])

_Given = dict[str, str | int | float | bool | None]

PlainHeaders = Annotated[Pairs, BeforeValidator(_plain_headers, json_schema_input_type=_Given), _AS_MAPPING]
"""Header names with the values that are sent; null takes one out that an option brings."""

HeaderVariables = Annotated[
    Pairs, BeforeValidator(_from_environment, json_schema_input_type=dict[str, str | None]), _AS_MAPPING
]
"""Header names with the names of the variables that hold their values."""


EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
"""The name of an environment variable, never its value."""

_GIVEN_KEY = re.compile(r"(?:fallback_\d+_)?api_key")


def given_key(number: int) -> str:
    """Return what stands in records for the key that a program gave to a call (0) or to its nth fallback."""
    return "api_key" if number == 0 else f"fallback_{number}_api_key"


def is_given_key(name: str | None) -> bool:
    """Return whether `name` stands for a key that a program gave, and is no variable unless somebody sets it."""
    return name is not None and _GIVEN_KEY.fullmatch(name) is not None


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
    def job_timeout(self) -> float:
        """Return seconds that a job is waited for."""
        return self.deadline_seconds or self.max_poll_attempts * self.poll_interval


class PoolMember(Frozen):
    """Describe one server of a pool; what is None is the provider's.

    Attributes:
        base_url: where it is.
        weight: its share of the runs beside the others'.
        max_concurrent_jobs: jobs there at the same time.
        api_key_env: the variable that holds its key.
        deployment: what it calls the model.
    """

    base_url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    weight: float = Field(1, gt=0)
    max_concurrent_jobs: int | None = Field(None, strict=True, ge=1)
    api_key_env: EnvName | None = None
    deployment: str | None = None


def _by_address(value: object) -> object:
    return {"base_url": value} if isinstance(value, str) else value


_Member = Annotated[PoolMember, BeforeValidator(_by_address, json_schema_input_type=PoolMember | str)]


class AddressedConfig(EndpointConfig):
    """Describe what every provider has that is reached at an address, or at several."""

    base_url: str | None = None
    base_urls: tuple[_Member, ...] = ()
    """Servers that serve the same, in place of `base_url`: runs are spread over them."""
    allow_http: bool = False

    def server(self, number: int) -> Self:
        """Return the server of that number, from 0, as a provider that is no pool."""
        chosen = self.base_urls[number]
        own = {
            "base_url": chosen.base_url,
            "base_urls": (),
            "max_concurrent_jobs": chosen.max_concurrent_jobs or self.max_concurrent_jobs,
            "api_key_env": chosen.api_key_env or getattr(self, "api_key_env", None),
        }
        return self.model_copy(update=own)

    @model_validator(mode="after")
    def _each_server_once(self) -> Self:
        named = [member.base_url.rstrip("/").lower() for member in self.base_urls]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise ValueError("base_urls names one server twice; its weight is what gives it more runs")
        return self


class OpenAIConfig(AddressedConfig):
    """Describe OpenAI's own API, or any server at `base_url` that speaks it exactly."""

    kind: Literal["openai"]
    api_key_env: EnvName = "OPENAI_API_KEY"
    organization: BillingId = None
    project: BillingId = None


class AzureOpenAIConfig(AddressedConfig):
    """Describe a resource of Azure OpenAI; the model's deployment name is what is sent."""

    kind: Literal["azure_openai"]
    api_key_env: EnvName = "AZURE_OPENAI_API_KEY"
    api_version: str | None = None
    auth: Literal["auto", "api_key", "token", "entra_id"] = "auto"
    tenant_id: TenantId | None = None
    client_id: str | None = None
    managed_identity: bool = False
    token_scope: str | None = None
    batches: bool = False
    """Whether images may go out in batches, which Microsoft's pages contradict each other about."""
    retired_models: RetiredModels = "warn"


class CompatibleConfig(AddressedConfig):
    """Describe a server that speaks OpenAI's protocol in its own way, mostly with open models, often without keys."""

    kind: Literal["compatible"]
    dialect: DialectName = "plain"
    api_key_env: EnvName | None = None
    mark_field: Literal["user", "metadata"] | None = None
    """The field in which each video request carries a mark of its run, where the server's list tells it again."""
    batches: bool = False
    """Whether images may go out in batches, of whose price sources contradict each other."""
    custom_llm_provider: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")] | None = None
    """The backend of a LiteLLM gateway, in LiteLLM's words: its jobs are listed, and what it would lose is refused."""
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


def offerer(provider: ProviderConfig) -> str | None:
    """Return the name by which the models' data says what the provider offers; None for a server of one's own."""
    if isinstance(provider, OpenAIConfig | AzureOpenAIConfig):
        return provider.kind
    return provider.dialect if DIALECTS[provider.dialect].hosted else None


def option_of(provider: ProviderConfig) -> str:
    """Return the option that chooses the provider: its kind or, of a compatible server, its dialect."""
    dialect = provider.dialect if isinstance(provider, CompatibleConfig) else "plain"
    return provider.kind if dialect == "plain" else dialect


def usual_variable(provider: ProviderConfig) -> str | None:
    """Return the variable that holds the provider's key unless another one is named; None where it needs none."""
    name: str | None = (option("provider", option_of(provider)) or {}).get("api_key_env")
    return name


def members_of(provider: ProviderConfig) -> tuple[PoolMember, ...]:
    """Return what is said of the servers of a pool; nothing where `provider` is none."""
    return provider.base_urls if isinstance(provider, AddressedConfig) else ()


def server_names(addresses: Iterable[str]) -> dict[str, str]:
    """Return what tells servers apart, by their addresses: the host, with its path where several stand behind one."""
    parts = {address: urlsplit(address) for address in addresses}
    hosts = Counter(each.netloc for each in parts.values())
    return {
        address: (each.netloc if hosts[each.netloc] == 1 else f"{each.netloc}{each.path}") or address
        for address, each in parts.items()
    }


def servers_of(provider: ProviderConfig) -> list[ProviderConfig]:
    """Return the servers of a pool, each as a provider of its own; none where `provider` is no pool."""
    if not isinstance(provider, AddressedConfig):
        return []
    return [provider.server(number) for number in range(len(provider.base_urls))]
