"""Try a config and its fallbacks in turn where one of them is a provider of the program's own."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from runner.engine.run import gives_way
from runner.errors import ConfigError, RunnerError

from .config import GenerationConfig, ProviderHandler, handler_of
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
