"""Turn a call into runs for the engine: validated, checked for every choice, with the keys that it brings."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runner.config.capability import check, check_kept
from runner.config.problem import Problem, from_validation_error
from runner.config.provider import ProviderConfig
from runner.config.request import RequestConfig
from runner.config.run import Fallback, RunConfig, check_choices
from runner.engine.run import Run
from runner.errors import ConfigError
from runner.providers.base import Provider

from .chain import flattened
from .config import GenerationConfig, Keys, Kind, model_config, provider_config
from .reference import references
from .request import GenerationRequest, ImageGenerationRequest

_log = logging.getLogger("runner")


@dataclass(frozen=True, slots=True)
class Order:
    """Describe what the engine is to do, and how its providers are made."""

    runs: tuple[Run, ...]
    keys: Keys
    warnings: tuple[str, ...]

    def create(self, provider: ProviderConfig) -> Provider:
        """Return the provider, with the key that was given for it."""
        from runner.providers.registry import create

        return create(provider, self.keys.environment(provider))


def order(config: GenerationConfig, request: GenerationRequest, directory: Path, *, followed: bool = False) -> Order:
    """Return all that can be known before something is sent; blocks. Raises `ConfigError` with all that is wrong.

    `followed`: whether the caller has another choice to try after this one.
    """
    keys = Keys()
    kind: Kind = "image" if isinstance(request, ImageGenerationRequest) else "video"
    choices, notes = _choices(config, kind, keys)
    run = RunConfig(
        provider=choices[0].provider,
        model=choices[0].model,
        request=_request(request, kind, directory / "inputs"),
        fallbacks=tuple(choices[1:]),
        replica=0,
    )
    replicas = _replicas(run)
    problems = check_choices(replicas[0], lambda choice: _problems(choice, keys))
    if errors := [problem for problem in problems if problem.severity == "error"]:
        raise ConfigError(
            "; ".join(problem.text for problem in errors),
            hint=errors[0].hint if len(errors) == 1 else None,
            provider=config.provider,
            model=config.model,
        )
    warnings = tuple(dict.fromkeys([*notes, *map(str, problems)]))
    for warning in warnings:
        _log.warning("%s", warning)
    # Of several videos, some are enough for an answer, after which no choice is tried: each waits for its turn.
    alone = followed and len(replicas) == 1
    return Order(tuple(_runs(replicas, directory, followed=alone)), keys, warnings)


def _choices(config: GenerationConfig, kind: Kind, keys: Keys) -> tuple[list[Fallback], list[str]]:
    choices, notes = [], []
    for number, choice in enumerate(flattened(config)):
        provider = provider_config(choice, keys, "api_key" if number == 0 else f"fallback_{number}_api_key")
        model, note = model_config(choice, kind, provider)
        choices.append(Fallback(provider=provider, model=model))
        notes += [note] if note else []
    return choices, notes


def _request(request: GenerationRequest, kind: Kind, inputs: Path) -> RequestConfig:
    given = {name: value for name, value in request.fields.items() if value is not None}
    if kind == "video":
        given.setdefault("thumbnail", False)  # a program has no gallery
    everything: dict[str, Any] = {"kind": kind, **given, **references(request, inputs)}  # Any: not yet validated
    try:
        made = request.target.model_validate(everything)
    except ValidationError as error:
        raise ConfigError("; ".join(f"request.{problem}" for problem in from_validation_error(error))) from error
    if not made.prompt.strip():
        raise ConfigError("request.prompt is empty")
    return made  # type: ignore[return-value]  # `target` is one of the two that RequestConfig is made of


def _replicas(run: RunConfig) -> list[RunConfig]:
    """Return as many runs as videos are asked for: the API makes one a job."""
    count = run.number_of_videos
    if count == 1:
        return [run]
    one = run.request.model_copy(update={"number_of_videos": 1})
    return [run.model_copy(update={"request": one, "replica": n}) for n in range(count)]


def _runs(replicas: Sequence[RunConfig], directory: Path, *, followed: bool) -> Iterable[Run]:
    for number, run in enumerate(replicas):
        place = directory if len(replicas) == 1 else directory / str(number)
        place.mkdir(exist_ok=True)
        yield Run(number, run, place, followed=followed)


def _problems(choice: RunConfig, keys: Keys) -> Iterable[Problem]:
    from runner.providers.body import check_body
    from runner.providers.preflight import check_endpoint

    yield from check(choice)
    yield from check_kept(choice)
    yield from check_endpoint(choice.provider, keys.environment(choice.provider))
    yield from check_body(choice)
