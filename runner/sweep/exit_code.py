"""The process's exit code after a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.errors import RunnerError

_GRAVEST_FIRST = (5, 3, 1, 2, 4)


def exit_code(returns: object) -> int:
    """0 if every run succeeded, else the gravest of its errors' codes; `returns` is what any sweeper returned."""
    codes = {*_codes(returns)}
    return next((code for code in _GRAVEST_FIRST if code in codes), max(codes, default=0))


def _codes(returns: object) -> Iterator[int]:
    from hydra.core.utils import JobReturn, JobStatus

    if isinstance(returns, JobReturn):
        if returns.status is not JobStatus.COMPLETED:
            error = returns._return_value  # noqa: SLF001 - the property would raise it and print
            yield error.exit_code if isinstance(error, RunnerError) else 1
    elif isinstance(returns, Iterable) and not isinstance(returns, str | bytes):
        for each in returns:
            yield from _codes(each)
