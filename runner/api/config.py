"""Say where a program's requests go: provider, model, credential, what is tried next, and providers of its own."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from runner.config.dialect import EXTENSIONS
from runner.config.frozen import Frozen, Seconds
from runner.config.model import ModelConfig, Validation
from runner.config.problem import did_you_mean, from_validation_error
from runner.config.provider import CompatibleConfig, EmulatorConfig, OpenAIConfig, ProviderConfig, given_key
from runner.config.run import Usd
from runner.config.shipped import names, option
from runner.errors import ConfigError
from runner.providers.endpoint import OPENAI_HOST

from .media import Folder
from .request import checked_model, refuse_unknown

if TYPE_CHECKING:
    from .progress import ImageProgressCallback, ProgressCallback
    from .request import ImageGenerationRequest, VideoGenerationRequest
    from .response import ImageGenerationResponse, VideoGenerationResponse


METHODS = ("generate_video", "generate_video_async", "generate_image", "generate_image_async")


class ProviderHandler(Protocol):
    """Generate as a provider of your own; what it cannot do raises `NotImplementedError`.

    It gets config and request as they were given (the key by `config.api_key.get_secret_value()`) and builds its
    response by hand. A `RunnerError` of its that is `retryable` lets the next of `fallback_configs` try.
    """

    def generate_video(
        self,
        config: VideoGenerationConfig,
        request: VideoGenerationRequest,
        on_progress: ProgressCallback | None = None,
    ) -> VideoGenerationResponse:
        """Generate a video and wait for it."""
        ...

    async def generate_video_async(
        self,
        config: VideoGenerationConfig,
        request: VideoGenerationRequest,
        on_progress: ProgressCallback | None = None,
    ) -> VideoGenerationResponse:
        """Generate a video without blocking the event loop."""
        ...

    def generate_image(
        self,
        config: ImageGenerationConfig,
        request: ImageGenerationRequest,
        on_progress: ImageProgressCallback | None = None,
    ) -> ImageGenerationResponse:
        """Generate images and wait for them."""
        ...

    async def generate_image_async(
        self,
        config: ImageGenerationConfig,
        request: ImageGenerationRequest,
        on_progress: ImageProgressCallback | None = None,
    ) -> ImageGenerationResponse:
        """Generate images without blocking the event loop."""
        ...


_handlers: dict[str, ProviderHandler] = {}


def register_provider(provider: str, handler: ProviderHandler) -> None:
    """Let `provider` in a config stand for `handler`, in this process; the name of a shipped one is taken over.

    The handler's calls are its own: no ledger, no directory, no retry. Raises `ConfigError` if it is none.
    """
    if not provider.strip():
        raise ConfigError("a provider needs a name", hint="register_provider('my-provider', MyHandler())")
    if isinstance(handler, type):
        raise ConfigError(
            f"{handler.__name__} is a class", hint=f"register_provider({provider!r}, {handler.__name__}())"
        )
    if not any(callable(getattr(handler, name, None)) for name in METHODS):
        raise ConfigError(f"{type(handler).__name__} has none of the methods {', '.join(METHODS)}")
    _handlers[spelled_provider(provider)] = handler


def spelled_provider(name: str) -> str:
    """Return a provider's name; a shipped one may be written with hyphens."""
    shipped = name.replace("-", "_")
    return shipped if shipped in names("provider") else name


def handler_of(config: GenerationConfig) -> ProviderHandler | None:
    """Return whose calls the config asks for; None: the engine's, as with a mock. Raises `ConfigError` for nobody's."""
    handler = None if config.mocked else _handlers.get(config.provider)
    if handler is None and not config.mocked and config.provider not in names("provider"):
        known = [*names("provider"), *sorted(_handlers)]
        near = did_you_mean(config.provider, known)
        raise ConfigError(
            f"Unsupported provider: {config.provider}{f'; did you mean {near}?' if near else ''} ({', '.join(known)})",
            hint="one of your own is made known by register_provider(name, handler)",
            provider=config.provider,
            model=config.model,
        )
    return handler


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
        underlying_model: what a deployment, or a server's own name, stands for, as in sora-2: a name of `conf/model/`,
            whose rules and prices then hold.
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
        max_usd: US dollars that one call, with its fallbacks, may cost at list price: what would cost more is not sent.
            It is the first config's that holds; for a sweep see `budget_usd`.
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
    max_usd: Usd | None = None
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
    """Describe where videos come from; `fallback_configs` are tried in order after errors that another may not meet."""

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


Kind = Literal["video", "image"]

_adapter: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)

_RULES: dict[Kind, str] = {"video": "sora-2", "image": "gpt-image-2.6-flare"}
"""Whose rules hold for a name that no model file describes: Sora 2's, and the newest GPT image model's."""

# Nothing is known of a deployment's price or end.
_UNKNOWN: dict[Kind, dict[str, Any]] = {  # Any: values of a model's keys
    "video": {"usd_per_second": None, "offers": {}},
    "image": {"usd_per_image": None, "usd_per_million_tokens": None, "offers": {}},
}
# An open model makes what its server lets it make.
_OPEN: dict[str, Any] = {  # Any: as above
    "durations": None, "sizes": None, "parameters": [*EXTENSIONS, "video"], "max_prompt_length": None,
}  # fmt: skip


def model_config(config: GenerationConfig, kind: Kind, provider: ProviderConfig) -> tuple[ModelConfig, str | None]:
    """Return the model that `config` names and warnings about it; raises `ConfigError` for the other kind."""
    name = config.model.removeprefix("openai/") if config.provider == "openai" else config.model
    described = option("model", config.underlying_model or name)
    data = described or option("model", _RULES[kind]) or {}
    if data["kind"] != kind:
        article, call = ("an", "generate_image") if data["kind"] == "image" else ("a", "generate_video")
        raise ConfigError(f"{data['name']} is {article} {data['kind']} model", hint=f"{call}(…)", model=name)
    data["validation"] = config.validation
    if config.underlying_model not in (None, name):
        # OpenAI's API knows no deployments: there, what is sent is the model's name.
        data["name" if isinstance(provider, OpenAIConfig) else "deployment"] = name
    if described is not None:
        return _checked_model(data), None
    open_model = isinstance(provider, CompatibleConfig) and kind == "video"
    data |= _UNKNOWN[kind] | (_OPEN if open_model else {})
    if not isinstance(provider, EmulatorConfig):
        data["name"] = name
    rules = "any size and duration is sent" if open_model else f"it gets the rules of {_RULES[kind]}"
    return _checked_model(data), (
        f"no model file describes {name}; {rules} and its price is unknown "
        f"(underlying_model={_RULES[kind]!r} would say what it is, validation='off' lifts the rules)"
    )


def _checked_model(data: Mapping[str, Any]) -> ModelConfig:  # Any: not yet validated
    try:
        return _adapter.validate_python(data)
    except ValidationError as error:
        raise ConfigError("; ".join(f"model: {problem}" for problem in from_validation_error(error))) from error


_provider_adapter: TypeAdapter[ProviderConfig] = TypeAdapter(ProviderConfig)

_TIMEOUTS = ("timeout", "max_poll_attempts", "poll_interval")


class Keys:
    """Hold the keys given in configs, each by the name of a variable that stands for it; never in the environment."""

    def __init__(self) -> None:
        self._keys: dict[str, SecretStr] = {}

    def add(self, key: SecretStr, number: int, _usual: str | None) -> str:
        """Return the name that stands for the key of a call's config (0) or of its nth fallback.

        `_usual` is the variable that the provider's key is read from where none is given. The same key keeps its name.
        """
        name = next((name for name, known in self._keys.items() if known == key), given_key(number))
        self._keys[name] = key
        return name

    def of(self, provider: ProviderConfig) -> SecretStr | None:
        """Return the key that was given for this provider, if one was."""
        return self._keys.get(str(getattr(provider, "api_key_env", None)))

    def environment(self, provider: ProviderConfig) -> Mapping[str, str]:
        """Return where this provider looks for its credential (its own key alone, if one was given) and its headers."""
        key = self.of(provider)
        if key is None:
            return os.environ
        headers = {name: os.environ[name] for _, name in provider.headers_env if name in os.environ}
        return {**headers, str(getattr(provider, "api_key_env", None)): key.get_secret_value()}


def provider_config(
    config: GenerationConfig, keys: Keys, number: int = 0, state_file: Path | None = None
) -> ProviderConfig:
    """Return the provider that `config` describes, a call's own (0) or its nth fallback; its key is added to `keys`.

    `state_file` is where the emulator keeps its jobs, by default a file of this process. Raises `ConfigError`.
    """
    option_keys = option("provider", config.provider) or {}
    emulated = config.mocked is not None or option_keys.get("kind") == "emulator"
    given = _emulator(config, option_keys, state_file) if emulated else _endpoint(config, option_keys)
    if not config.mocked:
        given |= config.provider_config
    if isinstance(config.api_key, SecretStr) and not emulated:
        given["api_key_env"] = keys.add(config.api_key, number, given.get("api_key_env"))
    try:
        return _provider_adapter.validate_python(given)
    except ValidationError as error:
        problems = "; ".join(str(problem) for problem in from_validation_error(error))
        raise ConfigError(f"provider {config.provider}: {problems}", provider=config.provider) from error


def _endpoint(config: GenerationConfig, given: dict[str, Any]) -> dict[str, Any]:  # Any: not yet validated
    # A config that was copied from Azure's to another provider keeps the default that was shown.
    version = (
        None if given["kind"] != "azure_openai" and config.api_version == AZURE_API_VERSION else config.api_version
    )
    said = {"base_url": config.base_url, "api_version": version}
    given |= {name: value for name, value in said.items() if value is not None}
    given |= {"headers": {**given["headers"], **config.headers}, "headers_env": config.headers_env}
    given |= _timeouts(config, everything=given["kind"] in ("openai", "azure_openai"))
    if given["kind"] == "openai" and OPENAI_HOST not in (given["base_url"] or OPENAI_HOST):
        # Another server has its own models, even under OpenAI's names.
        given["retired_models"] = "off"
    if given["kind"] == "azure_openai" and config.underlying_model not in (None, config.model):
        # That there is a deployment says more than the model's dates, which differ by tenant.
        given["retired_models"] = "off"
    return given


def _emulator(
    config: GenerationConfig, option_keys: Mapping[str, Any], state_file: Path | None
) -> dict[str, Any]:  # Any: not yet validated
    return {
        "kind": "emulator",
        "dialect": option_keys.get("dialect", "plain"),
        "latency": (config.mocked or MockConfig()).latency,
        "state_file": state_file or _state_folder(os.getpid()).path / "state.sqlite3",
        **_timeouts(config, everything=False),
    }


@functools.cache
def _state_folder(_owner: int) -> Folder:
    """Return the one folder of the whole process, so that a later call can remix what an earlier one made."""
    return Folder(None)


def _timeouts(config: GenerationConfig, *, everything: bool) -> dict[str, Any]:  # Any: not yet validated
    """Return how long to wait: what was said, and with `everything` the defaults of `config`, too."""
    given = {name: getattr(config, name) for name in _TIMEOUTS if everything or name in config.model_fields_set}
    if "timeout" in given:
        attempts = max(1, math.ceil(config.timeout / given.get("poll_interval", config.poll_interval)))
        given["max_poll_attempts"] = min(given.get("max_poll_attempts", attempts), attempts)
        given.setdefault("poll_interval", config.poll_interval)
    return given
