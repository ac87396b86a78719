"""Composing a sweep's runs: by Hydra once for each choice of groups, with single values set on its plain data.

An override is **chosen** if it names a group, is Hydra's own, deletes, has a package, brackets or an interpolation, or
gives a mapping: Hydra composes each set of those once. Everything else is a **value**. What does not fit this is
composed by Hydra alone, which also says why it refuses an override.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from .choice import Choice, Composed, Value, composed, placed, plain

_MARKS: Mapping[OverrideType, Literal["", "+", "++"]] = {
    OverrideType.CHANGE: "",
    OverrideType.ADD: "+",
    OverrideType.FORCE_ADD: "++",
}


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Describe an override that Hydra composes; `key` is None where its place among the others means nothing."""

    own: bool
    """Whether it stands among the task's overrides, and not among Hydra's."""
    key: str | None = None
    adds: bool = False

    def depends_on(self, values: Sequence[Value]) -> bool:
        """Return whether it must not be composed before these values, which were given before it, are set."""
        if self.key is None:
            return False
        own = f"{self.key.partition('[')[0]}."
        paths = [f"{'.'.join(value.path)}." for value in values]
        # What is added stands in the order in which it is added.
        return any(path.startswith(own) or own.startswith(path) for path in paths) or (
            self.adds and any(value.mark for value in values)
        )


class Composer:
    """Composes the runs of one sweep, each equal to `config_loader.load_sweep_config(master, overrides)`."""

    def __init__(
        self,
        config_loader: ConfigLoader,
        master: DictConfig,
        inspect: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        """`inspect` sees, as plain data, whatever is composed, resolved or set as a value, and may raise."""
        self._loader = config_loader
        self._inspect = inspect
        self._master = master
        self._parser = OverridesParser.create()
        self._read: dict[str, Value | _Chosen] = {}
        self._groups: dict[str, bool] = {}
        self._choices: dict[tuple[str, ...], Choice | None] = {}
        self._refused: dict[tuple[object, ...], HydraException] = {}
        with suppress(OmegaConfBaseException):
            str(master.hydra.sweep.dir)  # what time it is, which all choices take from the sweep, is found out now

    def composed(self, overrides: Sequence[str], number: int) -> Callable[[], Composed]:
        """Return what gives, each time it is called, what a run's config amounts to, and keeps little of it.

        Raises what Hydra and OmegaConf raise.
        """
        found = self._found(overrides)
        if not isinstance(found, DictConfig):
            choice, values, lines = found
            if choice.resolved is not None:
                return functools.partial(choice.with_values, values, lines, number)
            found = choice.config(values, lines)
        run = composed(found, number)
        self._look_at(run.resolved)
        return lambda: run

    def config(self, overrides: Sequence[str], number: int, directory: Path) -> DictConfig:
        """Return the whole config of a run that was composed before, as Hydra's launchers have it."""
        found = self._found(overrides)
        config = found if isinstance(found, DictConfig) else found[0].config(*found[1:])
        config.hydra.job.id, config.hydra.job.num = str(number), number
        placed(config, directory)
        return config

    def _found(self, overrides: Sequence[str]) -> DictConfig | tuple[Choice, list[Value], list[str]]:
        """Return the run's choice, its values and its task's overrides, or its config where Hydra must compose it."""
        chosen: list[str] = []
        values: list[Value] = []
        lines: list[str] = []
        own = 0
        for line in overrides:
            kind = self._kind(line)
            if kind is None or (isinstance(kind, _Chosen) and kind.depends_on(values)):
                return self._load(overrides)
            if isinstance(kind, Value):
                values.append(kind)
                lines.append(line)
                continue
            chosen.append(line)
            if kind.own:
                own += 1
                lines.append(line)
        choice = self._choice(tuple(chosen), own)
        unfit = values if choice is None else choice.unfit(values)
        if choice is None or unfit:
            return self._alone(overrides, (tuple(chosen), *((each.path, type(each.value)) for each in unfit)))
        return choice, values, lines

    def _kind(self, line: str) -> Value | _Chosen | None:
        """Return what an override is; None if it cannot be read, which Hydra says best."""
        known = self._read.get(line)
        if known is None:
            try:
                (override,) = self._parser.parse_overrides([line])
            except HydraException:
                return None
            known = self._kind_of(override, line)
            if isinstance(known, Value):
                self._look_at({".".join(known.path): known.value})
            self._read[line] = known
        return known

    def _kind_of(self, override: Override, line: str) -> Value | _Chosen:
        key, mark = override.key_or_group, _MARKS.get(override.type)
        if key.partition(".")[0].partition("/")[0] == "hydra":
            return _Chosen(own=not override.is_hydra_override(), key=key if key == "hydra" else None)
        value = None if override.is_sweep_override() else override.value()
        if self._is_group(key) and not isinstance(value, dict):
            return _Chosen(own=True)
        unusual = override.package is not None or override.is_sweep_override() or "[" in key or "$" in line
        if mark is None or unusual or isinstance(value, dict):
            return _Chosen(own=True, key=key, adds=bool(mark))
        return Value((*key.split("."),), value, mark)

    def _is_group(self, key: str) -> bool:
        if key not in self._groups:
            # With the search path that the command line adds to.
            typed = OmegaConf.to_container(self._master.hydra.overrides.hydra, resolve=False)
            lines = [str(line) for line in typed] if isinstance(typed, list) else []
            name = self._master.hydra.job.config_name
            self._groups[key] = bool(self._loader.get_group_options(key, None, name, lines))
        return self._groups[key]

    def _choice(self, chosen: tuple[str, ...], own: int) -> Choice | None:
        """Return what Hydra makes of the chosen overrides, None if it refuses them."""
        if chosen not in self._choices:
            try:
                choice = Choice(self._load(chosen), own)
            except HydraException:
                self._choices[chosen] = None
            else:
                self._look_at(choice.resolved or {})
                self._choices[chosen] = choice
        return self._choices[chosen]

    def _alone(self, overrides: Sequence[str], reason: tuple[object, ...]) -> DictConfig:
        """Return what Hydra makes of one run; what it refuses for a `reason` it would refuse again."""
        if reason not in self._refused:
            try:
                return self._load(overrides)
            except HydraException as error:
                self._refused[reason] = error
        raise self._refused[reason].with_traceback(None)

    def _load(self, overrides: Sequence[str]) -> DictConfig:
        config = self._loader.load_sweep_config(self._master, [*overrides])
        self._look_at(plain(config))
        return config

    def _look_at(self, found: Mapping[str, Any]) -> None:  # Any: as Plain
        if self._inspect is not None:
            self._inspect(found)
