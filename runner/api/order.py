"""Turn a call into runs for the engine, checked for every choice, and try its fallbacks in turn."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from runner.compose.preflight import problems_of_choice
from runner.config.problem import Problem, fault_of, from_validation_error
from runner.config.provider import ProviderConfig
from runner.config.request import RequestConfig, lacks_prompt
from runner.config.restrictions import check_kept
from runner.config.run import Budget, Fallback, RunConfig, check_choices
from runner.engine.run import Run, gives_way
from runner.errors import BudgetError, ConfigError, RunnerError
from runner.ledger.budget import check_budget
from runner.providers.base import Provider

from .config import GenerationConfig, Keys, Kind, ProviderHandler, handler_of, model_config, provider_config
from .request import GenerationRequest, ImageGenerationRequest, references
from .response import AttemptMetadata, ExecutionMetadata, GenerationResponse

C = TypeVar("C", bound=GenerationConfig)
R = TypeVar("R", bound=GenerationResponse)

_log = logging.getLogger("runner")


def flattened(config: C) -> Iterator[C]:
    """Yield the config, then its fallbacks, each followed by its own."""
    yield config
    for fallback in getattr(config, "fallback_configs", None) or ():
        yield from flattened(fallback)


def _chain(config: C) -> list[tuple[C, ProviderHandler | None]]:
    """Return the config and its fallbacks, each with the provider of the program's own that it asks for, if it does."""
    chain = [(choice, handler_of(choice)) for choice in flattened(config)]
    limited = any(choice.max_usd is not None for choice, _ in chain)
    own = next((choice.provider for choice, handler in chain if handler is not None), None)
    if limited and own is not None:
        raise ConfigError(f"max_usd cannot be kept, as nothing tells what {own} costs", hint="leave it out")
    return chain


async def along_async(
    config: C,
    engine: Callable[[C, bool], Awaitable[R]],
    own: Callable[[ProviderHandler, C], Awaitable[R]],
    kind: type[R],
) -> R:
    """Return the first response of the chain; one without providers of the program's own is the engine's as it is.

    `engine` is also told whether another config follows the one that it gets.
    """
    chain = _chain(config)
    if all(handler is None for _, handler in chain):
        return await engine(config, False)
    tries = _Tries(len(chain))
    for choice, handler in chain:
        with tries.next(choice):
            made = await (engine(_alone(choice), tries.left) if handler is None else own(handler, choice))
            return tries.finished(made, kind)
    raise AssertionError("the last try returns or raises")


def along(config: C, engine: Callable[[C, bool], R], own: Callable[[ProviderHandler, C], R], kind: type[R]) -> R:
    """Return the same as `along_async`, waiting for it."""
    chain = _chain(config)
    if all(handler is None for _, handler in chain):
        return engine(config, False)
    tries = _Tries(len(chain))
    for choice, handler in chain:
        with tries.next(choice):
            made = engine(_alone(choice), tries.left) if handler is None else own(handler, choice)
            return tries.finished(made, kind)
    raise AssertionError("the last try returns or raises")


class _Tries:
    """Hold what came of each config of a chain."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._attempts: list[AttemptMetadata] = []

    @property
    def left(self) -> bool:
        """Return whether another config comes after the one that is tried."""
        return len(self._attempts) + 1 < self._length

    @contextmanager
    def next(self, choice: GenerationConfig) -> Iterator[None]:
        """Try a config; its error is passed over if another may be tried."""
        self._choice, self._started = choice, _now()
        try:
            yield
        except RunnerError as error:
            self._add(error=error)
            if len(self._attempts) == self._length or not gives_way(error):
                raise
            _log.warning("%s failed, the next is tried: %s", choice.provider, error)

    def finished(self, made: R, kind: type[R]) -> R:
        """Return the response, which knows the tries before it."""
        if not isinstance(made, kind):
            name = self._choice.provider
            raise ConfigError(
                f"the provider {name} gave back {type(made).__name__}, not {kind.__name__}",
                hint=f"return {kind.__name__}(request_id=…, {kind.given_as}=…)",
                provider=name,
            )
        self._add(request_id=made.request_id)
        record = ExecutionMetadata(attempts=tuple(self._attempts), configs_in_chain=self._length)
        return made.model_copy(update={"execution_metadata": record})

    def _add(self, request_id: str | None = None, error: RunnerError | None = None) -> None:
        told: dict[str, Any] = {} if error is None else {
            "error_type": type(error).__name__,
            "error_message": str(error),
            "is_retryable": gives_way(error),
        }  # fmt: skip
        self._attempts.append(
            AttemptMetadata(
                attempt_number=len(self._attempts) + 1,
                provider=self._choice.provider,
                model=self._choice.model,
                started_at=self._started,
                ended_at=_now(),
                status="success" if error is None else "failed",
                request_id=request_id if error is None else error.job_id or error.request_id,
                **told,
            )
        )


def _alone(config: C) -> C:
    return config.model_copy(update={"fallback_configs": None})


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


_PLAIN = "texts, numbers, true, false, lists and mappings"


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
    if not isinstance(request, GenerationRequest):
        hint = "VideoGenerationRequest(prompt=…) or ImageGenerationRequest(prompt=…)"
        raise ConfigError(f"the request is a {type(request).__name__}; nothing was sent", hint=hint)
    keys = Keys()
    kind: Kind = "image" if isinstance(request, ImageGenerationRequest) else "video"
    choices, notes = choices_of(config, kind, keys)
    asked = request_of(request, kind, directory / "inputs", thumbnail=False)  # a program has no gallery
    replicas = replicas_of(choices, asked, {"budget": Budget(max_usd=config.max_usd)})
    problems = check_choices(replicas[0], lambda choice: problems_of(choice, keys))
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
    made = Order(tuple(_runs(replicas, directory, followed=alone)), keys, warnings)
    check_affordable(made.runs, "max_usd")
    return made


def check_affordable(runs: Sequence[Run], keyword: str, *, spent: float = 0.0) -> None:
    """Raise `BudgetError` where the runs would cost more than their budget, `ConfigError` for an unknown price.

    `keyword` is what the program calls the budget; `spent` is what counts already, in US dollars.
    """
    try:
        check_budget(runs, spent=spent)
    except BudgetError as error:
        error.hint = (error.hint or "").replace("budget.max_usd", keyword)
        raise
    except ConfigError as error:
        error.hint = f"underlying_model= says what a deployment is, and so its price; without {keyword} none is needed"
        raise


def choices_of(
    config: GenerationConfig, kind: Kind, keys: Keys, state_file: Path | None = None
) -> tuple[list[Fallback], list[str]]:
    """Return a config and its fallbacks as the engine's choices, and warnings about them; raises `ConfigError`.

    Their keys are added to `keys`; `state_file` is as of `provider_config`.
    """
    choices, notes = [], []
    for number, choice in enumerate(flattened(config)):
        if choice.max_usd not in (None, config.max_usd):
            raise ConfigError(
                "max_usd is the whole call's, and is not a fallback's", hint="give it to the first config"
            )
        provider = provider_config(choice, keys, number, state_file)
        model, note = model_config(choice, kind, provider)
        choices.append(Fallback(provider=provider, model=model))
        notes += [note] if note else []
    return choices, notes


def request_of(request: GenerationRequest, kind: Kind, inputs: Path, *, thumbnail: bool) -> RequestConfig:
    """Return what is asked for, by the command line's names; images given as bytes are written to `inputs`.

    `thumbnail`: whether a video gets one where the request does not say. Raises `ConfigError`.
    """
    given = {name: value for name, value in request.fields.items() if value is not None}
    if kind == "video":
        given.setdefault("thumbnail", thumbnail)
    everything: dict[str, Any] = {"kind": kind, **given, **references(request, inputs)}  # Any: not yet validated
    try:
        made = request.target.model_validate(everything)
    except ValidationError as error:
        raise ConfigError("; ".join(f"request.{problem}" for problem in from_validation_error(error))) from error
    # Anything may stand in these two, and is sent as it is.
    for name in ("extra_params", "lora"):
        if fault := fault_of(getattr(made, name, None)):
            raise ConfigError(f"request.{name} {fault}", hint=_PLAIN)
    if lacks_prompt(made):
        raise ConfigError("request.prompt is empty")
    return made  # type: ignore[return-value]  # `target` is one of the two that RequestConfig is made of


def replicas_of(choices: Sequence[Fallback], request: RequestConfig, settings: Mapping[str, object]) -> list[RunConfig]:
    """Return as many runs as videos are asked for: the API makes one a job.

    `settings` are further keys of their config. Raises `ConfigError` for what is wrong with these.
    """
    (first, *fallbacks) = choices
    found = {"provider": first.provider, "model": first.model, "request": request, "fallbacks": fallbacks, **settings}
    try:
        run = RunConfig.model_validate(found)
    except ValidationError as error:
        raise ConfigError("; ".join(map(str, from_validation_error(error)))) from error
    _refuse_unwritable(run)
    count = run.number_of_videos
    if count == 1:
        return [run]
    one = run.request.model_copy(update={"number_of_videos": 1})
    return [run.model_copy(update={"request": one, "replica": n}) for n in range(count)]


def _refuse_unwritable(run: RunConfig) -> None:
    """Raise `ConfigError` for what no record could hold: it would be noticed at the first, in the middle of a run."""
    for part, values in run.model_dump().items():
        for name, value in values.items() if isinstance(values, Mapping) else [("", values)]:
            if fault := fault_of(_without_objects(value)):
                raise ConfigError(f"{part}{'.' * bool(name)}{name} {fault}", hint=_PLAIN)


def _without_objects(value: object) -> object:
    """Return the texts, numbers, lists and mappings of a value, paths as texts; other objects write themselves."""
    match value:
        case Mapping():
            return {str(key): _without_objects(each) for key, each in value.items()}
        case list() | tuple():
            return [_without_objects(each) for each in value]
        case str() | int() | float() | None:
            return value
    return os.fspath(value) if isinstance(value, os.PathLike) else None


def _runs(replicas: Sequence[RunConfig], directory: Path, *, followed: bool) -> Iterable[Run]:
    for number, run in enumerate(replicas):
        place = directory if len(replicas) == 1 else directory / str(number)
        place.mkdir(exist_ok=True)
        yield Run(number, run, place, followed=followed)


def problems_of(choice: RunConfig, keys: Keys) -> list[Problem]:
    """Return what is wrong with one choice of a run, as far as that is known before something is sent."""
    return [*problems_of_choice(choice, keys.environment(choice.provider)), *check_kept(choice)]
