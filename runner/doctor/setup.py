"""What can be said of a config from itself and the environment alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.config import Problem, RunConfig, check
from runner.providers import check_body, check_endpoint

from .check import Check, of_problem, ok

_ADDRESS = frozenset({"provider.base_url", "provider.api_version"})


def configured(config: RunConfig) -> Iterator[Check]:
    """Whether the request is one that the model's data allows."""
    problems = [*check(config), *check_body(config)]
    if not any(problem.severity == "error" for problem in problems):
        model = config.model.deployment or config.model.name
        yield ok("config", f"{config.request.kind} by {model} at {config.provider.kind}")
    yield from (of_problem("config", problem) for problem in problems)


def reachable(config: RunConfig, env: Mapping[str, str]) -> Iterator[Check]:
    """What is wrong with the address and the credential, as far as can be seen without sending anything."""
    for problem in check_endpoint(config.provider, env):
        yield of_problem(_topic(problem), problem)


def _topic(problem: Problem) -> str:
    if not problem.key.startswith("provider."):
        return "network"  # a variable that names a proxy, or certificate authorities
    return "address" if problem.key in _ADDRESS else "credential"
