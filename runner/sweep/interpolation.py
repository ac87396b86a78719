"""Interpolations in plain data, and those that read nothing but the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

from omegaconf import OmegaConf

from runner.identity import ByIdentity

Plain = dict[str, Any]  # Any: a config's values are whatever its author wrote

_ENVIRONMENT = re.compile(r"(?:[^$\\]|\$\{oc\.env:\w+(?:,[^${}\\]*)?\})*")
"""A text whose interpolations read the environment and nothing else."""

_NAME = re.compile(r"\$\{oc\.env:(\w+)")


def interpolates(value: object, naming: str = "") -> bool:
    """Whether plain data holds an interpolation, in a text that contains `naming`."""
    return any(naming in text for text in _texts(value))


class Environment:
    """Fills in variables of the environment, in sections that many configs share once for all of them."""

    def __init__(self) -> None:
        self._texts: ByIdentity[tuple[str, ...]] = ByIdentity()
        self._filled: ByIdentity[Any] = ByIdentity()  # Any: plain data

    def forget(self) -> None:
        """Keep nothing of what was filled."""
        self._texts.forget()
        self._filled.forget()

    def filled(self, config: Mapping[str, Any]) -> Mapping[str, Any] | None:  # Any: a config
        """The config resolved, itself if it holds no interpolation; None if it holds one that reads anything else."""
        found = {key: self._texts_of(value) for key, value in config.items()}
        texts = [*chain.from_iterable(found.values())]
        if not texts:
            return config
        if not all(map(_ENVIRONMENT.fullmatch, texts)):
            return None
        return {key: self._section(value, found[key]) for key, value in config.items()}

    def _texts_of(self, section: object) -> tuple[str, ...]:
        if not isinstance(section, dict | list):
            return (*_texts(section),)
        known = self._texts.get(section)
        return self._texts.keep(section, (*_texts(section),)) if known is None else known

    def _section(self, section: Any, texts: tuple[str, ...]) -> Any:  # Any: plain data
        if not texts:
            return section
        if not isinstance(section, dict | list):
            return _filled(section)
        variables = (*map(_variables, texts),)
        known = self._filled.get(section, variables)
        return self._filled.keep(section, _filled(section), variables) if known is None else known


def _texts(value: object) -> Iterator[str]:
    """Every text that holds an interpolation."""
    if isinstance(value, str):
        if "${" in value:
            yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _texts(child)


def _filled(value: Any) -> Any:  # Any: plain data
    """Plain data whose only interpolations read the environment, resolved."""
    if isinstance(value, str):
        return _from_environment(value, _variables(value)) if "${" in value else value
    if isinstance(value, dict):
        return {key: _filled(child) for key, child in value.items()}
    return [_filled(child) for child in value] if isinstance(value, list) else value


def _variables(text: str) -> tuple[str | None, ...]:
    return tuple(os.environ.get(name) for name in _NAME.findall(text))


@lru_cache(maxsize=256)
def _from_environment(text: str, _values: tuple[str | None, ...]) -> Any:  # Any: what OmegaConf makes of it
    # Parsing costs OmegaConf a millisecond each time, and with the same variables such a text means the same.
    return OmegaConf.create({"text": text})["text"]
