"""Find a model's rules by its name or deployment."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import TypeAdapter

from runner.config import CompatibleConfig, EmulatorConfig, ModelConfig, ProviderConfig
from runner.config.dialect import EXTENSIONS
from runner.config.shipped import option
from runner.errors import ConfigError

from .config import GenerationConfig

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
    """The model that `config` names, and what should be said about it; raises `ConfigError` for the other kind."""
    name = config.model.removeprefix("openai/") if config.provider == "openai" else config.model
    described = option("model", config.underlying_model or name)
    data = described or option("model", _RULES[kind]) or {}
    if data["kind"] != kind:
        article, call = ("an", "generate_image") if data["kind"] == "image" else ("a", "generate_video")
        raise ConfigError(f"{data['name']} is {article} {data['kind']} model", hint=f"{call}(…)", model=name)
    data["validation"] = config.validation
    if config.underlying_model not in (None, name):
        data["deployment"] = name
    if described is not None:
        return _adapter.validate_python(data), None
    open_model = isinstance(provider, CompatibleConfig) and kind == "video"
    data |= _UNKNOWN[kind] | (_OPEN if open_model else {})
    if not isinstance(provider, EmulatorConfig):
        data["name"] = name
    rules = "any size and duration is sent" if open_model else f"it gets the rules of {_RULES[kind]}"
    return _adapter.validate_python(data), (
        f"no model file describes {name}; {rules} and its price is unknown "
        f"(underlying_model={_RULES[kind]!r} would say what it is, validation='off' lifts the rules)"
    )
