"""Composing one job's config as Hydra would, at a small part of its price.

Hydra composes every job from its files (about 60 ms). Which files are read depends only on the overrides that name
config groups or Hydra's own keys; so one plain composition is kept per such choice, and the remaining overrides,
which change values, are applied to it by Hydra's own function. Values that all of many jobs share are part of the
choice, too. All use of private API of Hydra and OmegaConf is here and in `choice.py`; unknown versions and unusual
overrides are composed plainly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from .choice import Choice, Composition, plain_dict
from .interpolation import Environment, Plain

_KNOWN_VERSIONS = {("hydra-core", "1.3"), ("omegaconf", "2.3")}
_UNUSUAL_KEY = frozenset("[]")
_MANY = 20
"""Jobs for which one more plain composition pays."""

_NUMBER = re.compile(r"(\+{0,2}[a-z_.]+)=(0|[1-9][0-9]{0,17})")
"""An assignment of a whole number, as plain as most are."""

_KEY = re.compile(r"[+~]*([^=@]*)")


class Composer:
    """Composes the jobs of one sweep; the result equals `config_loader.load_sweep_config(master, overrides)`."""

    def __init__(
        self, config_loader: ConfigLoader, master: DictConfig, inspect: Callable[[Plain], None] | None = None
    ) -> None:
        """`inspect` sees, as plain data, whatever comes out of config files, and may raise."""
        self._loader = config_loader
        self._inspect = inspect
        self._master = master
        self._choices: dict[tuple[str, ...], Choice | Exception] = {}
        self._groups: dict[str, bool] = {}
        self._shared: frozenset[str] = frozenset()
        self._environment = Environment()
        self._parser = OverridesParser.create()
        self._parse = lru_cache(maxsize=4096)(self._parsed_anew)
        self._numbered: dict[str, Override] = {}
        self._quick = _versions_are_known() and hasattr(config_loader, "repository")

    def expect(self, batch: Sequence[Sequence[str]]) -> None:
        """Prepare for many jobs: what they share is composed once."""
        self._shared = _shared(batch) if len(batch) >= _MANY else frozenset()

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The job's whole config, `hydra` node included, as an object of its own."""
        with self.composed(overrides) as composition:
            return composition.detached()

    def forget(self) -> None:
        """Keep nothing of single jobs."""
        self._environment.forget()

    @contextmanager
    def composed(self, overrides: Sequence[str]) -> Iterator[Composition]:
        """The job's config, to be read and written inside the block only; the next job may reuse its nodes."""
        parsed = self._parsed(overrides)
        if parsed is None:
            yield Choice(self._load(overrides), self._master).untouched()
            return
        choice, values = self._split(overrides, parsed)
        if not choice.accepts(values):
            yield Choice(self._load(overrides), self._master).untouched()
            return
        with choice.applied(values, parsed) as composition:
            yield composition

    def _parsed(self, overrides: Sequence[str]) -> list[Override] | None:
        """The overrides, or None if this job must be composed plainly."""
        if not self._quick:
            return None
        parsed = [self._parse(line) for line in overrides]
        unusual = any(override.is_sweep_override() or override.key_or_group == "hydra" for override in parsed)
        return None if unusual or any(_UNUSUAL_KEY & {*override.key_or_group} for override in parsed) else parsed

    def _parsed_anew(self, line: str) -> Override:
        """What Hydra's parser makes of a line; of whole numbers it reads one for each key, for half a millisecond."""
        number = _NUMBER.fullmatch(line)
        known = self._numbered.get(number[1]) if number else None
        if number and known is not None:
            return replace(known, _value=int(number[2]), input_line=line)
        override: Override = self._parser.parse_overrides([line])[0]
        if number:
            self._numbered[number[1]] = override
        return override

    def _split(self, overrides: Sequence[str], parsed: Sequence[Override]) -> tuple[Choice, list[Override]]:
        """The job's choice, and the overrides that are not part of it."""
        chosen, values = [], []
        for line, override in zip(overrides, parsed, strict=True):
            if line in self._shared or self._chooses(override):
                chosen.append(line)
            else:
                values.append(override)
        try:
            return self._choice(tuple(chosen)), values
        except Exception:
            if not self._shared:
                raise
        # Another override may be wrong, too, and of two that are wrong Hydra names the first.
        self._shared = frozenset()
        return self._split(overrides, parsed)

    def _chooses(self, override: Override) -> bool:
        """Whether an override decides which files are composed, or how Hydra composes them."""
        if override.is_hydra_override():
            return True
        key = override.key_or_group
        if key not in self._groups:
            self._groups[key] = bool(self._loader.repository.group_exists(key))  # type: ignore[attr-defined]
        return self._groups[key] and not isinstance(override.value(), dict)

    def _choice(self, chosen: tuple[str, ...]) -> Choice:
        known = self._choices.get(chosen)
        if known is None:
            try:
                parsed = tuple(self._parse(line) for line in chosen)
                known = Choice(self._load(chosen), self._master, parsed, self._environment)
            except Exception as error:  # noqa: BLE001 - whatever Hydra says of a choice, it says of all its jobs
                known = error.with_traceback(None)
            self._choices[chosen] = known
        if isinstance(known, Exception):
            raise known.with_traceback(None)
        return known

    def _load(self, overrides: Sequence[str]) -> DictConfig:
        config = self._loader.load_sweep_config(self._master, [*overrides])
        if self._inspect is not None:
            self._inspect(plain_dict(config))
        return config


def _shared(batch: Iterable[Sequence[str]]) -> frozenset[str]:
    """The overrides that all jobs have and that no other is applied before: order matters where keys overlap."""
    first, *others = map(frozenset, batch)
    shared = first.intersection(*others)
    apart = {_key(line) for lines in (first, *others) for line in lines - shared}
    while overlapping := {line for line in shared if any(_overlap(_key(line), key) for key in apart)}:
        shared -= overlapping
        apart |= {_key(line) for line in overlapping}
    return shared


def _key(line: str) -> str:
    found = _KEY.match(line)
    return found[1].strip() if found else line


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _versions_are_known() -> bool:
    return all(version(package).rpartition(".")[0] == minor for package, minor in _KNOWN_VERSIONS)
