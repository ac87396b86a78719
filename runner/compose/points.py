"""Find the points of a sweep: its table's rows, crossed with every combination of what is swept, less `exclude`."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from runner.config.capability import check
from runner.config.problem import Problem
from runner.config.request import MOST_RUNS, placeholders
from runner.config.run import SWEEP_KEYS, RunConfig, SweepConfig, sent_size
from runner.config.shipped import GROUPS
from runner.config.table import ID, Table, key_of, nearest_key, read_table, selected, values_of
from runner.engine.run import Run
from runner.errors import ConfigError
from runner.text_file import read_text

from .examination import settings_of
from .loader import typed_lines
from .preflight import Finding, PreflightError
from .slug import SLUG, slugs
from .typed import PROMPT_KEYS, text_in_grammar

Point = list[str]
"""The overrides of one run."""

_KEY = re.compile(r"[A-Za-z0-9_.$-]+")
"""What Hydra reads as the name of a key."""


@dataclass(slots=True)
class Points:
    """Hold the points of a sweep, in order, and what it says of those that it leaves out.

    Attributes:
        settings: of each point, what its config says of the sweep.
        warnings: what is odd about the tables.
        shard: which part of how many they are; None: all.
        total: how many points there are, those of other parts included.
    """

    points: list[Point] = field(default_factory=list)
    settings: list[SweepConfig] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    shard: tuple[int, int] | None = None
    total: int = 0


def points(loader: ConfigLoader, master: DictConfig, arguments: Sequence[str]) -> Points:
    """Return the points of a sweep; raises Hydra's errors, and `ConfigError`.

    A key's values are those that are typed, else those in `params`, which may be a text as one types it (`4,8`) or a
    list. A swept option that is added, as `+experiment=a,b`, brings its own `params` and rows, which the others do not
    have; so does each of several tables.
    """
    parser = OverridesParser.create(config_loader=loader)
    typed = parser.parse_overrides([*arguments])
    own = [override for override in typed if _brings_its_own(override)]
    rest = [override for override in typed if override not in own]
    found = Points()
    for choice in itertools.product(*(_choices(override) for override in own)):
        plain = [*(_line(override) for override in rest if _is_plain(override)), *choice]
        config = _composed(loader, master, plain) if own else master
        lines = [*_lines(_params(config)), *(_line(override) for override in rest), *choice]
        _add(found, config, parser.parse_overrides(lines))
    shard = found.settings[0].shard if found.settings else None
    if shard is not None and shard != "1/1":
        _keep_shard(found, shard)
    unresolved = OmegaConf.to_container(master.hydra.sweep, resolve=False)
    if isinstance(unresolved, dict) and SLUG in str(unresolved["subdir"]):
        for point, name in zip(found.points, slugs(found.points), strict=True):
            point.append(_assignment(SLUG, name))
    return found


def _keep_shard(found: Points, shard: str) -> None:
    """Leave out the points that are of another part."""
    part, count = map(int, shard.split("/"))
    found.shard, found.total = (part, count), len(found.points)
    found.points, found.settings = found.points[part - 1 :: count], found.settings[part - 1 :: count]


def combinations(overrides: Iterable[Override]) -> list[Point]:
    """Return every combination of what is swept, as Hydra's basic sweeper makes them; a key's last override counts.

    Raises `HydraException` for what is no list of values, and `ConfigError` for more than a sweep may have.
    """
    found: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            found[key] = _as_typed(override, [f"{key}={override.get_value_element_as_str()}"])
        elif override.is_discrete_sweep():
            found[key] = _as_typed(override, [*itertools.islice(_choices(override), MOST_RUNS + 1)])
        else:
            kind = override.value_type.name if override.value_type else "this"
            raise HydraException(f"{override.input_line}: a sweep of the type {kind} is for an optimiser alone")
    refuse_beyond(math.prod(map(len, found.values())))
    return [list(point) for point in itertools.product(*found.values())]


def _as_typed(override: Override, lines: list[str]) -> list[str]:
    """Return the lines of an override's values, of which a prompt that is a number is spelled as it was typed."""
    texts = _line(override).partition("=")[2].split(",")
    if override.key_or_group not in PROMPT_KEYS or len(texts) != len(lines):
        return lines
    key = override.get_key_element()
    pairs = [(line, text.strip()) for line, text in zip(lines, texts, strict=True)]
    return [f"{key}={text}" if _same_number(line.partition("=")[2], text) else line for line, text in pairs]


def _same_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def refuse_beyond(runs: int) -> None:
    """Raise `ConfigError` for more runs than a sweep may have; what was counted may be a part of them."""
    if runs > MOST_RUNS:
        raise ConfigError(
            f"a sweep has at most {MOST_RUNS:,} runs, and these are {runs:,} or more; nothing was sent",
            hint="part it into several sweeps, each with some values of a key, in a directory of its own",
        )


def _add(found: Points, config: DictConfig, overrides: Sequence[Override]) -> None:
    """Add the points of one config."""
    settings = settings_of(config)
    swept = [override for override in overrides if override.key_or_group.partition(".")[0] not in SWEEP_KEYS]
    rows: list[Point] = [[]]
    if settings.prompts is not None:
        table = _table(settings)
        rows = [*_row_lines(table, config, swept, found.warnings)]
    copies = _copies(settings, swept)
    crossed = combinations(swept)
    refuse_beyond(len(found.points) + len(rows) * len(crossed) * len(copies))
    made = [[*point, *row, *copy] for row in rows for point in crossed for copy in copies]
    found.points += made
    found.settings += [settings] * len(made)


def _copies(settings: SweepConfig, typed: Sequence[Override]) -> list[Point]:
    """Return what makes a point's repetitions."""
    if settings.repeat == 1:
        return [[]]
    if any(override.key_or_group == "replica" for override in typed):
        raise ConfigError("repeat and replica both say how often; nothing was sent", hint="leave one of the two out")
    return [[f"replica={number}"] for number in range(settings.repeat)]


def _table(settings: SweepConfig) -> Table:
    source = settings.prompts
    table = read_table(source if isinstance(source, str) else list(source or ()))
    return selected(
        table,
        limit=settings.prompts_limit,
        sample=settings.prompts_sample,
        seed=settings.prompts_seed,
        where=settings.prompts_where,
    )


def _row_lines(table: Table, config: DictConfig, typed: Sequence[Override], warnings: list[Problem]) -> Iterator[Point]:
    """Yield the overrides of each row."""
    templates = [*_templates(config, typed)]
    names = frozenset(itertools.chain.from_iterable(map(placeholders, templates)))
    keys = _keys(table, names)
    _refuse_given_twice(table, keys, typed, names)
    directory = Path(table.name).expanduser().parent if Path(table.name).suffix else None
    below = "vars."
    variables = {str(name) for name in config.get("vars") or {}}
    variables |= {each.key_or_group.removeprefix(below) for each in typed if each.key_or_group.startswith(below)}
    # The same objects for all rows: of ten thousand, each text would be there as often.
    of_table = [_assignment("run.table", table.name), _assignment("run.sha256", table.sha256)]
    warnings += _without_prompt(table, keys, names)
    for row in table.rows:
        of_row = {"id": row.id, "line": row.line}
        lines = [_assignment(f"run.{key}", value) for key, value in of_row.items() if value is not None] + of_table
        for column, cell in row.cells.items():
            key = keys[column]
            if column in names and key not in (ID, f"vars.{column}"):
                lines.append(_assignment(f"vars.{column}", cell))
            # A prompt that is typed as a template takes the place of the row's own, which is a word of it.
            if key == ID or (key in PROMPT_KEYS and column in names):
                continue
            for path, value in values_of(key, cell, directory):
                lines += _prompt(path, value) if path in PROMPT_KEYS else [_assignment(path, value)]
                if path in PROMPT_KEYS and isinstance(value, str) and (known := variables & {*placeholders(value)}):
                    message = f"{row.place}: {{{min(known)}}} is sent as it stands: a table's cells are no templates"
                    hint = "\"request.prompt='{prompt}, at night'\" is one, with the row's prompt in it"
                    warnings.append(Problem(path, message, hint, "warning"))
        yield lines


def _without_prompt(table: Table, keys: Mapping[str, str], names: frozenset[str]) -> Iterator[Problem]:
    """Yield a warning of rows whose cell for the prompt is empty: they are sent with the prompt of the config."""
    column = next((column for column, key in keys.items() if key == "request.prompt" and column not in names), None)
    rows = [row for row in table.rows if not {column, "prompt_file", "request.prompt_file"} & row.cells.keys()]
    if column is not None and rows:
        more = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
        message = f"{rows[0].place}{more}: without a prompt of its own, a row is sent with the config's"
        yield Problem("request.prompt", message, f"fill the cell of {column}, or remove the row", "warning")


def _keys(table: Table, names: frozenset[str]) -> dict[str, str]:
    """Return the key of each column; raises `ConfigError`."""
    keys: dict[str, str] = {}
    for column in table.columns:
        key = key_of(column) or (f"vars.{column}" if column in names else None)
        if key is None:
            near = nearest_key(column)
            hint = f"did you mean {near}? " if near else ""
            hint += f"a word for {{{column}}} in request.prompt, or a note of your own, is a column vars.{column}"
            raise ConfigError(f"{table.name}: the column {column!r} is no key; nothing was sent", hint=hint)
        if not _KEY.fullmatch(key):
            message = f"{table.name}: the column {column!r} has a letter that no key can have; nothing was sent"
            raise ConfigError(message, hint="name it with letters from a to z, digits, _ and -")
        first = next((each for each, known in keys.items() if known == key), None)
        if first is not None:
            message = f"{table.name}: the columns {first!r} and {column!r} are both {key}; nothing was sent"
            raise ConfigError(message, hint="leave one of the two out")
        keys[column] = key
    return keys


def _refuse_given_twice(
    table: Table, keys: Mapping[str, str], typed: Sequence[Override], names: frozenset[str]
) -> None:
    """Raise `ConfigError` for a key that a column has and the command line, or what an experiment sweeps over, too."""
    given = {override.key_or_group for override in typed}
    for column, key in keys.items():
        if key in given and not (key in PROMPT_KEYS and column in names):
            about = f"\"{key}='{{{column}}}, at night'\" puts the row's own in" if key in PROMPT_KEYS else None
            message = f"{key} is a column of {table.name}, and is given beside it; nothing was sent"
            raise ConfigError(message, hint=about or "leave one of the two out; an empty cell leaves the key alone")


def _templates(config: DictConfig, typed: Sequence[Override]) -> Iterator[str]:
    """Yield the prompts that are not the table's: those of the config and those that are typed."""
    request = OmegaConf.to_container(config.get("request") or OmegaConf.create({}))
    values = dict(request) if isinstance(request, dict) else {}
    for override in typed:
        section, _, name = override.key_or_group.partition(".")
        if section == "request" and name:
            found = override.sweep_iterator() if override.is_discrete_sweep() else [override.value()]
            values[name] = "\n".join(str(each) for each in found)
    for key in PROMPT_KEYS:
        text = values.get(key.partition(".")[2])
        if isinstance(text, str):
            yield text
    if isinstance(file := values.get("prompt_file"), str):
        for name in file.splitlines():
            try:
                yield read_text(Path(name).expanduser())
            except (OSError, ValueError, ConfigError):
                continue  # loading says so


def _prompt(key: str, value: object) -> Point:
    """Return the overrides that send a cell as it stands, also where it looks like a template."""
    if not isinstance(value, str) or not placeholders(value):
        return [_assignment(key, value)]
    return [_filled_by_word(key), _assignment(f"vars.{key.partition('.')[2]}", value)]


@functools.cache
def _filled_by_word(key: str) -> str:
    """Return the override that makes a prompt of a word of its own name, one object for all rows."""
    return _assignment(key, f"{{{key.partition('.')[2]}}}")


def _assignment(key: str, value: object) -> str:
    """Return an override that sets a key to a value as it stands, whether the key is there or not."""
    if key in GROUPS:
        return f"{key}={value}"
    return f"++{key}={_in_grammar(value, literally=True)}"


def _params(config: DictConfig) -> Mapping[str, Any]:  # Any: a text, a number, or a list of such
    found = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    params = found.get("params") if isinstance(found, dict) else None
    return {str(key): value for key, value in params.items()} if isinstance(params, dict) else {}


def _lines(params: Mapping[str, Any]) -> list[str]:  # Any: as above
    empty = next((key for key, value in params.items() if value == []), None)
    if empty is not None:
        raise ConfigError(f"hydra.sweeper.params: {empty} is an empty list; nothing was sent", hint=f"{empty}: [a, b]")
    # A constant of the user's own need not be there yet.
    return [f"{'++' * key.startswith('vars.')}{key}={_values(value)}" for key, value in params.items()]


def _values(value: object) -> str:
    """Return the choices of a value: a list's elements, or what a text says behind `key=`."""
    if isinstance(value, list):
        return ",".join(map(_in_grammar, value))
    return value if isinstance(value, str) else _in_grammar(value)


def _in_grammar(value: object, *, literally: bool = False) -> str:
    """Return one value as Hydra's grammar writes it; `literally`: what looks like an interpolation is none."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_in_grammar(part, literally=literally)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return f"[{','.join(_in_grammar(part, literally=literally) for part in value)}]"
    if not isinstance(value, str):
        return str(value)
    return text_in_grammar(value) if literally else QuotedString(value, Quote.single).with_quotes()


def _brings_its_own(override: Override) -> bool:
    """Return whether each of its values has a config of its own to sweep over: an added option, or a table."""
    added = override.is_add() and "." not in override.key_or_group
    return override.is_discrete_sweep() and (added or override.key_or_group == "prompts")


def _choices(override: Override) -> Iterator[str]:
    return (f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator())


def _is_plain(override: Override) -> bool:
    return not override.is_sweep_override()


def _line(override: Override) -> str:
    return str(override.input_line)


def _composed(loader: ConfigLoader, master: DictConfig, lines: Sequence[str]) -> DictConfig:
    named = typed_lines(master.hydra.overrides.hydra)
    return loader.load_configuration(master.hydra.job.config_name, [*named, *lines], RunMode.MULTIRUN)


_GROUPS = {"provider": "kind", "model": "name", "request": "kind"}
"""The key by which a section says what it is, where its option is not among the overrides."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Hold an entry of `exclude`: as it is written, and by its keys in full."""

    text: str
    wanted: Mapping[str, Any]  # Any: values of the config

    def covers(self, run: Run) -> bool:
        return all(_agrees(run, key, wanted) for key, wanted in self.wanted.items())


class Exclusion:
    """Say of runs as they are planned whether they are left out, and count them."""

    def __init__(self, settings: Sequence[SweepConfig]) -> None:
        """Take what each point's config says of the sweep; raises `PreflightError` for a key that is none."""
        self._settings = settings
        distinct = {id(each): each for each in settings}
        self._entries = {name: [*map(_entry, each.exclude)] for name, each in distinct.items()}
        self._dropped: Counter[str] = Counter()

    def drops(self, place: int, run: Run) -> bool:
        """Return whether the run of the point at `place` is left out."""
        reason = self._reason(self._settings[place], run)
        if reason is not None:
            self._dropped[reason] += 1
        return reason is not None

    def _reason(self, settings: SweepConfig, run: Run) -> str | None:
        for entry in self._entries[id(settings)]:
            if entry.covers(run):
                return _because(entry)
        if settings.on_unsupported == "skip":
            found = next((problem for problem in check(run.config) if problem.severity == "error"), None)
            return None if found is None else f"not offered: {found.text}"
        return None

    def warnings(self) -> Iterator[Problem]:
        """Yield the entries of `exclude` that no run agrees with: one of their keys or values may be misspelt."""
        if any(each.shard for each in self._settings):
            return  # another part may have such runs
        for entry in chain.from_iterable(self._entries.values()):
            if _because(entry) not in self._dropped:
                yield Problem("exclude", f"{entry.text} leaves nothing out", severity="warning")

    def lines(self) -> Iterator[str]:
        """Yield what was left out, a line for each reason."""
        for reason, count in self._dropped.items():
            yield f"left out: {count:,} {'run' if count == 1 else 'runs'} ({reason})"


def left_out(config: DictConfig, run: Run) -> Problem | None:
    """Return why a single run is none that its config wants: `exclude` names it; raises `PreflightError`."""
    entry = next((entry for entry in map(_entry, settings_of(config).exclude) if entry.covers(run)), None)
    if entry is None:
        return None
    return Problem("exclude", f"{entry.text} leaves this run out", "exclude=[] runs it all the same")


def _because(entry: _Entry) -> str:
    return f"exclude: {entry.text}"


def _entry(entry: Mapping[str, Any]) -> _Entry:  # Any: as above
    text = "{" + ", ".join(f"{key}: {value}" for key, value in entry.items()) + "}"
    return _Entry(text, {_in_full(key): wanted for key, wanted in _flat(entry)})


def _in_full(name: str) -> str:
    key = key_of(name)
    if key is None:
        near = nearest_key(name)
        problem = Problem(
            "exclude", f"{name!r} is no key", f"did you mean {near}?" if near else "as in model, request.size"
        )
        raise PreflightError([Finding(None, problem)], total=0)
    return key


def _flat(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:  # Any: as above
    for key, value in entry.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", part) for name, part in _flat(value))
        else:
            yield key, value


def _agrees(run: Run, key: str, wanted: object) -> bool:
    choices = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
    values = [*_values_at(run.config, run.overrides, key)]
    return any(_same(value, choice) for value in values for choice in choices)


def _values_at(config: RunConfig, overrides: Sequence[str], key: str) -> Iterator[object]:
    """Yield the value of a key, in each way in which one would write it."""
    if key == ID:
        yield config.run.id
        return
    if key in _GROUPS:
        yield from (line.partition("=")[2] for line in overrides if line.lstrip("+").partition("=")[0] == key)
        yield getattr(getattr(config, key), _GROUPS[key])
        return
    if key == "request.size":
        yield sent_size(config.request, config.model)
    node: object = config
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else getattr(node, part, None)
    yield node


def _same(value: object, wanted: object) -> bool:
    """Return whether two values are the same, or are written the same."""
    if isinstance(value, bool) or isinstance(wanted, bool) or value is None or wanted is None:
        return value is wanted
    return value == wanted or str(value) == str(wanted)
