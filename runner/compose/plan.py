"""Plan runs: from what is typed and what configs sweep over to overrides, each set composed once and validated."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.artifacts.atomic import disk_errors
from runner.config.loading import Known
from runner.config.problem import Problem
from runner.engine.run import Run
from runner.errors import ConfigError, RunnerError
from runner.ledger.reuse import new_run

from .composer import Composed, Composer
from .composition_error import problem_of
from .documents import Documents
from .examination import load_resolved, unsupported
from .guards import ConfigGuard
from .loader import typed_lines
from .preflight import Finding, collected

_COMPOSING_ERRORS = (HydraException, OmegaConfBaseException, RunnerError, ValueError, KeyError)


@dataclass(frozen=True, slots=True)
class Composition:
    """Describe what only Hydra wants to know of a planned run.

    Attributes:
        config: composes its whole config again, as callbacks and `JobReturn` see it.
        composed: gives what its `.hydra/` files hold.
        output_subdir: where these go, relative to the run's directory; None: nowhere.
    """

    config: Callable[[], DictConfig]
    composed: Callable[[], Composed]
    output_subdir: str | None

    def create_directory(self, directory: Path) -> None:
        """Make the run's directory with its `.hydra/` files; raises `DiskError`."""
        with disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
        if self.output_subdir is not None:
            found = self.composed()
            Documents(found.task, found.overrides, found.hydra).write(directory / self.output_subdir)


@dataclass(slots=True)
class Plan:
    """Hold the runs that could be composed (if need be without what is wrong with them) and what is wrong with any.

    `compositions` has what Hydra wants to know of each run, by its index.
    """

    runs: list[Run] = field(default_factory=list)
    compositions: dict[int, Composition] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    total: int = 0


class Planner:
    """Plan the runs of one sweep."""

    def __init__(self, config_loader: ConfigLoader, master: DictConfig) -> None:
        self._loader = config_loader
        self._composer = Composer(config_loader, master, inspect=ConfigGuard().refuse)
        self._known: Known = {}

    def plan(self, batch: Sequence[Sequence[str]], first: int = 0) -> Plan:
        """Compose, resolve and validate every run; errors become findings, never exceptions."""
        setup_globals()
        plan = Plan(total=len(batch))
        for index, overrides in enumerate(batch, first):
            found, problems = collected(overrides, functools.partial(self._planned, index), self._problems)
            plan.findings += [Finding(index, problem) for problem in problems]
            if found is not None:
                run, plan.compositions[index] = found
                plan.runs.append(run)
        return plan

    def _problems(self, error: Exception) -> Problem:
        if not isinstance(error, _COMPOSING_ERRORS):
            raise error
        return problem_of(error, self._loader)

    def _planned(self, index: int, overrides: Sequence[str]) -> tuple[tuple[Run, Composition] | None, list[Problem]]:
        composed = self._composer.composed(overrides, index)
        found = composed()
        typed, written = found.overrides, (found.task, {"hydra": found.hydra})
        config, problems = load_resolved(found.resolved, typed, *written, known=self._known)
        problems += unsupported(found.job, found.output_subdir)
        if found.directory == found.sweep or not found.directory.is_relative_to(found.sweep):
            problems.append(_outside(found.directory, found.sweep))
        if config is None:
            return None, problems
        run = new_run(index, config, found.directory, typed)
        whole = functools.partial(self._composer.config, tuple(overrides), index, run.directory)
        return (run, Composition(whole, composed, found.output_subdir)), problems


def _outside(directory: Path, sweep: Path) -> Problem:
    """Return why a run is not written there: names may come of prompts."""
    message = f"{str(directory)[:200]} is no directory below the sweep's, {sweep}"
    return Problem("hydra.sweep.subdir", message, "hydra.sweep.subdir='${hydra.job.num}'")


Point = list[str]


def points(loader: ConfigLoader, master: DictConfig, arguments: Sequence[str]) -> list[Point]:
    """Return the overrides of each run; raises Hydra's errors, and `ConfigError`.

    A key's values are those that are typed, else those in `params`, which may be a text as one types it (`4,8`) or a
    list. A swept option that is added, as `+experiment=a,b`, brings its own `params`, which the others do not have.
    """
    parser = OverridesParser.create(config_loader=loader)
    typed = parser.parse_overrides([*arguments])
    own = [override for override in typed if _chooses_added_options(override)]
    if not own:
        return _product(parser, [*_lines(_params(master)), *arguments])
    found: list[Point] = []
    rest = [override for override in typed if override not in own]
    for choice in itertools.product(*(_choices(override) for override in own)):
        config = _composed(loader, master, [*(_line(override) for override in rest if _is_plain(override)), *choice])
        found += _product(parser, [*_lines(_params(config)), *(_line(override) for override in rest), *choice])
    return found


def _product(parser: OverridesParser, lines: Sequence[str]) -> list[Point]:
    return combinations(parser.parse_overrides([*lines]))


def combinations(overrides: Sequence[Override]) -> list[Point]:
    """Return every combination of what is swept, as Hydra's basic sweeper makes them; a key's last override counts."""
    found: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            found[key] = [f"{key}={override.get_value_element_as_str()}"]
        elif override.is_discrete_sweep():
            found[key] = [*_choices(override)]
        else:
            kind = override.value_type.name if override.value_type else "this"
            raise HydraException(f"{override.input_line}: a sweep of the type {kind} is for an optimiser alone")
    return [list(point) for point in itertools.product(*found.values())]


def _params(config: DictConfig) -> Mapping[str, Any]:  # Any: a text, a number, or a list of such
    found = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    params = found.get("params") if isinstance(found, dict) else None
    return {str(key): value for key, value in params.items()} if isinstance(params, dict) else {}


def _lines(params: Mapping[str, Any]) -> list[str]:  # Any: as above
    empty = next((key for key, value in params.items() if value == []), None)
    if empty is not None:
        raise ConfigError(f"hydra.sweeper.params: {empty} is an empty list; nothing was sent", hint=f"{empty}: [a, b]")
    return [f"{key}={_values(value)}" for key, value in params.items()]


def _values(value: object) -> str:
    """Return the choices of a value: a list's elements, or what a text says behind `key=`."""
    if isinstance(value, list):
        return ",".join(map(_in_grammar, value))
    return value if isinstance(value, str) else _in_grammar(value)


def _in_grammar(value: object) -> str:
    """Return one value as Hydra's grammar writes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_in_grammar(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(_in_grammar, value))}]"
    return QuotedString(value, Quote.single).with_quotes() if isinstance(value, str) else str(value)


def _chooses_added_options(override: Override) -> bool:
    return override.is_add() and override.is_discrete_sweep() and "." not in override.key_or_group


def _choices(override: Override) -> Iterator[str]:
    return (f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator())


def _is_plain(override: Override) -> bool:
    return not override.is_sweep_override()


def _line(override: Override) -> str:
    return str(override.input_line)


def _composed(loader: ConfigLoader, master: DictConfig, lines: Sequence[str]) -> DictConfig:
    named = typed_lines(master.hydra.overrides.hydra)
    return loader.load_configuration(master.hydra.job.config_name, [*named, *lines], RunMode.MULTIRUN)
