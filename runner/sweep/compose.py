"""Composing one job's config as Hydra would, at a small part of its price.

Hydra composes every job from its files (about 60 ms). Which files are read depends only on the overrides that name
config groups or Hydra's own keys; so one plain composition is kept per such choice, and the remaining overrides,
which change values, are applied to it by Hydra's own function. All use of private API of Hydra and OmegaConf is here
and in `choice.py`; unknown versions and unusual overrides are composed plainly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from .choice import Choice, Composition, Plain, plain_dict

_KNOWN_VERSIONS = {("hydra-core", "1.3"), ("omegaconf", "2.3")}
_UNUSUAL_KEY = frozenset("[]")


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
        parser = OverridesParser.create()
        self._parse = lru_cache(maxsize=4096)(lambda line: parser.parse_overrides([line])[0])
        self._quick = _versions_are_known() and hasattr(config_loader, "repository")

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The job's whole config, `hydra` node included, as an object of its own."""
        with self.composed(overrides) as composition:
            return composition.detached()

    @contextmanager
    def composed(self, overrides: Sequence[str]) -> Iterator[Composition]:
        """The job's config, to be read and written inside the block only; the next job may reuse its nodes."""
        parsed = self._parsed(overrides)
        if parsed is None:
            yield Choice(self._load(overrides), self._master).untouched()
            return
        chosen = tuple(line for line, override in zip(overrides, parsed, strict=True) if self._chooses(override))
        values = [override for override in parsed if not self._chooses(override)]
        choice = self._choice(chosen)
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
                known = Choice(self._load(chosen), self._master, tuple(self._parse(line) for line in chosen))
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


def _versions_are_known() -> bool:
    return all(version(package).rpartition(".")[0] == minor for package, minor in _KNOWN_VERSIONS)
