"""A program's config as the provider's, with its key under a name that only this process knows."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr, TypeAdapter, ValidationError

from runner.config import ProviderConfig
from runner.config.problem import from_validation_error
from runner.config.shipped import option
from runner.errors import ConfigError
from runner.providers.endpoint import OPENAI_HOST

from .config import AZURE_API_VERSION, GenerationConfig, MockConfig
from .media import Folder

_adapter: TypeAdapter[ProviderConfig] = TypeAdapter(ProviderConfig)

_PATIENCE = ("timeout", "max_poll_attempts", "poll_interval")


class Keys:
    """The keys that were given in configs, by the variable's name that stands for each; never in the environment."""

    def __init__(self) -> None:
        self._keys: dict[str, SecretStr] = {}

    def add(self, name: str, key: SecretStr) -> None:
        """Let `name` stand for `key`."""
        self._keys[name] = key

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


def provider_config(config: GenerationConfig, keys: Keys, name: str) -> ProviderConfig:
    """Return the provider that `config` describes; its key is added to `keys` as `name`. Raises `ConfigError`."""
    option_keys = option("provider", config.provider) or {}
    emulated = config.mocked is not None or option_keys.get("kind") == "emulator"
    given = _emulator(config, option_keys) if emulated else _endpoint(config, option_keys)
    if isinstance(config.api_key, SecretStr) and not emulated:
        given["api_key_env"] = name
        keys.add(name, config.api_key)
    try:
        return _adapter.validate_python(given if config.mocked else {**given, **config.provider_config})
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
    given |= _patience(config, everything=given["kind"] in ("openai", "azure_openai"))
    if given["kind"] == "openai" and OPENAI_HOST not in (given["base_url"] or OPENAI_HOST):
        # Another server has its own models, whatever they are called.
        given["retired_models"] = "off"
    if given["kind"] == "azure_openai" and config.underlying_model not in (None, config.model):
        # That there is a deployment says more than the model's dates, which differ by tenant.
        given["retired_models"] = "off"
    return given


def _emulator(config: GenerationConfig, option_keys: Mapping[str, Any]) -> dict[str, Any]:  # Any: not yet validated
    return {
        "kind": "emulator",
        "dialect": option_keys.get("dialect", "plain"),
        "latency": (config.mocked or MockConfig()).latency,
        "state_file": _state_folder(os.getpid()).path / "state.sqlite3",
        **_patience(config, everything=False),
    }


@functools.cache
def _state_folder(_owner: int) -> Folder:
    """One for the whole process, so that a later call can remix what an earlier one made."""
    return Folder(None)


def _patience(config: GenerationConfig, *, everything: bool) -> dict[str, Any]:  # Any: not yet validated
    """Return how long to wait: what was said, and with `everything` the defaults of `config`, too."""
    given = {name: getattr(config, name) for name in _PATIENCE if everything or name in config.model_fields_set}
    if "timeout" in given:
        attempts = max(1, math.ceil(config.timeout / given.get("poll_interval", config.poll_interval)))
        given["max_poll_attempts"] = min(given.get("max_poll_attempts", attempts), attempts)
        given.setdefault("poll_interval", config.poll_interval)
    return given
