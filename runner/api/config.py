"""Where a program's requests go: provider, model, credential, patience and what is tried next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from runner.config.frozen import Frozen, Seconds
from runner.config.model import Validation

from .handler import spelled_provider
from .names import checked_model, refuse_unknown

AZURE_API_VERSION = "2024-05-01-preview"
"""Azure's API version where none is given; no request depends on it."""


def _secret(value: SecretStr | str | None) -> SecretStr | None:
    return SecretStr(value) if isinstance(value, str) else value


class MockConfig(Frozen):
    """Describe how the embedded emulator stands in for the provider: no key, no cost, real files.

    `latency` is in seconds from a video job's creation to its completion.
    """

    enabled: bool = True
    latency: Seconds = 2


class GenerationConfig(Frozen):
    """Describe what video and image generation share.

    Attributes:
        model: the model's name; on Azure the deployment's, which may be any.
        underlying_model: what a deployment is a deployment of, as in sora-2: a name of `conf/model/`, whose rules and
            prices then hold.
        provider: an option of `conf/provider/`, as in openai, azure_openai, emulator, or one of `register_provider`; it
            is looked up by each call.
        api_key: the key, or a bearer token of Entra ID; without it the provider's environment variable is read. It is
            kept in memory only and never shown.
        base_url: the endpoint; Azure needs it, in any spelling.
        api_version: Azure's; `?api-version=` in `base_url` wins over it. For videos, which go to the v1 API whatever
            it is, it is 2024-05-01-preview if none is given.
        headers: headers that the endpoint gets with every request, and no other host; None leaves one out.
        headers_env: headers whose values are secret, each with the name of the environment variable that holds it.
        timeout: seconds that one HTTP request, and the whole wait for a job, may take.
        max_poll_attempts: with `poll_interval` another bound of the wait for a job.
        poll_interval: seconds between two questions about a job.
        mock: True or a `MockConfig`: the embedded emulator answers instead.
        validation: strict, warn or off: what happens when a request asks for more than the model's data offers.
        output_dir: where each call makes a directory for its files; None: a temporary one, see the response.
        provider_config: further keys of the provider, as in `conf/provider/`.
    """

    model: Annotated[str, Field(min_length=1)]
    underlying_model: Annotated[str, AfterValidator(checked_model)] | None = None
    provider: Annotated[str, AfterValidator(spelled_provider)]
    api_key: Annotated[SecretStr | str | None, AfterValidator(_secret)] = Field(default=None, repr=False)
    base_url: str | None = None
    api_version: str | None = Field(default=None, validate_default=True)
    headers: Mapping[str, str | int | None] = {}
    headers_env: Mapping[str, str] = {}
    timeout: Seconds
    max_poll_attempts: int = Field(strict=True, ge=1)
    poll_interval: Seconds
    mock: MockConfig | bool | None = None
    validation: Validation = "strict"
    output_dir: Path | None = None
    provider_config: Mapping[str, Any] = {}  # Any: validated by the provider's own config

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: object) -> object:
        refuse_unknown(given, cls.model_fields)
        return given

    @field_serializer("api_key")
    def _hidden(self, key: SecretStr | str | None) -> str | None:
        return None if key is None else "**********"

    @property
    def mocked(self) -> MockConfig | None:
        """Return the emulator's settings if it is to answer."""
        mock = MockConfig() if self.mock is True else self.mock
        return mock if isinstance(mock, MockConfig) and mock.enabled else None


class VideoGenerationConfig(GenerationConfig):
    """Where videos come from; `fallback_configs` are tried in order after errors that another place may not meet."""

    timeout: Seconds = 600
    max_poll_attempts: int = Field(default=120, strict=True, ge=1)
    poll_interval: Seconds = 5
    fallback_configs: Sequence[Self] | None = None

    @field_validator("api_version")
    @classmethod
    def _of_azure(cls, version: str | None, known: ValidationInfo) -> str | None:
        """Show which API version holds where none is given."""
        if version is not None or known.data.get("provider") != "azure_openai":
            return version
        query = parse_qs(urlsplit(known.data.get("base_url") or "").query)
        return query.get("api-version", [AZURE_API_VERSION])[0]


class ImageGenerationConfig(GenerationConfig):
    """Describe where images come from; `fallback_configs` as for videos."""

    timeout: Seconds = 120
    max_poll_attempts: int = Field(default=60, strict=True, ge=1)
    poll_interval: Seconds = 2
    fallback_configs: Sequence[Self] | None = None
