"""Compose a sweep's runs: by Hydra once for each choice of groups, with single values set on its plain data.

An override is **chosen** if it names a group, is Hydra's own, deletes, has a package, brackets or an interpolation, or
gives a mapping: Hydra composes each set of those once. Everything else is a **value**. What does not fit this is
composed by Hydra alone, which also says why it refuses an override.
"""

from __future__ import annotations

import copy
import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from runner.config.run import SWEEP_KEYS

from .loader import parsed_override, typed_lines
from .typed import unescaped

_PLAIN = re.compile(
    r"(?P<mark>\+{0,2})(?!hydra\b)(?P<key>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
    r"=(?:'(?P<text>[^'\\$\x00-\x1f\x7f]*)'|(?P<number>0|[1-9]\d{0,14}))",
    re.ASCII,
)
"""A key with a text or whole number, of which tables and ranges make thousands; Hydra's grammar takes 3 ms for one."""

Plain = dict[str, Any]  # Any: a config's values are whatever its author wrote


@dataclass(frozen=True, slots=True)
class Value:
    """Describe one `key=value`.

    Attributes:
        resolved: the value as it is in a resolved config: an escaped interpolation is the text that it shows.
        mark: what is typed before the key: a value may take an old one's place, `+` makes a new key, `++` does either.
    """

    path: tuple[str, ...]
    value: Any  # Any: as Plain
    resolved: Any  # Any: as Plain
    mark: Literal["", "+", "++"] = ""

    def fits(self, config: Mapping[str, Any]) -> bool:  # Any: as Plain
        """Return whether setting it gives what Hydra's merging gives; if not, Hydra may still take it or refuse it."""
        node: object = config
        for part in self.path:
            if not isinstance(node, dict):
                return False
            if part not in node:
                return bool(self.mark) and all(self.path)
            node = node[part]
        # Mappings are merged, and a plus refuses what is there.
        return not isinstance(node, dict) and (self.mark != "+" or node is None)


def plain_value(line: str) -> Value | None:
    """Return what a line of the simplest kind sets, if its key is no group, as Hydra reads it; None for all others."""
    found = _PLAIN.fullmatch(line)
    if found is None:
        return None
    value = found["text"] if found["number"] is None else int(found["number"])
    mark = cast("Literal['', '+', '++']", found["mark"])
    return Value(_path_of(found["key"]), value, value, mark)


@functools.lru_cache(maxsize=256)
def _path_of(key: str) -> tuple[str, ...]:
    """Return the parts of a dotted key, one object for all of a sweep's runs."""
    return (*key.split("."),)


def with_value(config: Mapping[str, Any], path: Sequence[str], value: object) -> Plain:  # Any: as Plain
    """Return a config with the value at `path`, sharing all else with the old one, which stays as it is."""
    key, *rest = path
    if not rest:
        return {**config, key: value}
    below = config.get(key, {})
    return {**config, key: with_value(below if isinstance(below, dict) else {}, rest, value)}


_FROM_ENVIRONMENT = re.compile(r"(?:[^$\\]|\$\{oc\.env:\w+(?:,[^${}\\]*)?\})*")
"""A text whose interpolations read the environment and nothing else."""
_WITHOUT_HYDRA = re.compile(r"(?:[^$\\]|\$\{(?:oc\.env:\w+(?:,[^${}\\]*)?|(?!hydra\b)\w+(?:\.\w+)*)\})*")
"""A text whose interpolations read the environment or other keys of the task, and nothing else."""
_SAME_FOR_ALL = re.compile(r"(?:[^$]|\$\{(?:oc\.env|now):[^${}]*\})*")
"""A directory that no run's own values are part of."""
_INDEX = "${hydra.job.num}"
_RESOLVED_LATER = "${hydra_override_dirname:}"
"""What `hydra.job.override_dirname` is from Hydra 1.4 on; before, a text that differs from run to run."""


@dataclass(frozen=True, slots=True)
class Composed:
    """Describe a run's config as plain data; sections that runs have in common are the same objects.

    Attributes:
        task: the config without its `hydra` node, interpolations unresolved.
        resolved: the same, resolved.
        hydra: the `hydra` node, interpolations unresolved.
        job: of `hydra.job` what one process cannot keep to, resolved: `chdir` and `env_set`.
        output_subdir: where Hydra's files go, below `directory`; None: nowhere.
        sweep: the directory that `directory` is to lie in.
    """

    task: Plain
    resolved: Plain
    hydra: Plain
    job: Plain
    output_subdir: str | None
    directory: Path
    sweep: Path

    @property
    def overrides(self) -> tuple[str, ...]:
        """Return what was typed for this run, without what is Hydra's own."""
        return tuple(self.hydra["overrides"]["task"])


def composed(config: DictConfig, index: int) -> Composed:
    """Return what a config, which then is the run's of this index, amounts to; raises OmegaConf's errors."""
    with _current(config, index) as (directory, sweep):
        whole = plain(config)
        hydra = whole["hydra"]
        whole = _without_sweep(whole)
        resolved = resolved_task(config, whole)
        job = {"chdir": config.hydra.job.chdir, "env_set": dict(config.hydra.job.env_set)}
        subdir = config.hydra.output_subdir
    return Composed(whole, resolved, hydra, job, subdir, directory, sweep)


@contextmanager
def _current(config: DictConfig, index: int) -> Iterator[tuple[Path, Path]]:
    """Let `${hydra:…}` see this run; give its directory, as `hydra.core.utils.run_job` finds it, and the sweep's."""
    instance = HydraConfig.instance()
    before = instance.cfg
    config.hydra.job.id, config.hydra.job.num = str(index), index
    instance.set_config(config)
    try:
        sweep = str(config.hydra.sweep.dir)
        directory = _absolute(os.path.join(sweep, str(config.hydra.sweep.subdir)))  # noqa: PTH118 - as Hydra does
        placed(config, directory)
        instance.set_config(config)
        yield directory, _absolute(sweep)
    finally:
        instance.cfg = before


def placed(config: DictConfig, directory: Path) -> None:
    """Say in a run's config where it writes."""
    with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(directory)


def plain(config: DictConfig) -> Plain:
    """Return a config as plain data: interpolations unresolved, enums by name."""
    return cast("Plain", OmegaConf.to_container(config, resolve=False, enum_to_str=True))


def resolved_task(config: DictConfig, task: Mapping[str, Any]) -> Plain:  # Any: as Plain
    """Return a config's part `task`, which is given unresolved, resolved as a task sees it; raises OmegaConf's errors.

    A task sees no `hydra` node, only `${hydra:…}`.
    """
    if not all(map(_WITHOUT_HYDRA.fullmatch, _interpolating(task))):
        return cast("Plain", OmegaConf.to_container(OmegaConf.masked_copy(config, [*task]), resolve=True))
    # Copying a config takes Hydra as long as composing half of it.
    return {key: resolved_value(config, key) for key in task}


def resolved_value(config: DictConfig, key: str) -> object:
    """Return a key's value as plain data, resolved in the whole config: it may be another key's."""
    if OmegaConf.is_missing(config, key):
        return "???"
    value = config[key]
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _without_sweep(whole: Plain) -> Plain:
    """Return a run's own part of a config: without Hydra's, and without the sweep's, which may be a long table."""
    return {key: value for key, value in whole.items() if key != "hydra" and key not in SWEEP_KEYS}


class Choice:
    """Hold what Hydra composed of the overrides that choose.

    Attributes:
        task: the config without its `hydra` node, interpolations unresolved.
        resolved: the same, resolved; None where its values may depend on the run.
    """

    def __init__(self, config: DictConfig, own: int) -> None:
        """Take a composed config; `own` is how many of its task overrides are the choice's."""
        self._config = config
        whole = plain(config)
        self._hydra: Plain = whole["hydra"]
        self.task = _without_sweep(whole)
        lines = self._hydra["overrides"]["task"]
        self._inherited: list[str] = lines[: len(lines) - own]
        self.resolved = self._resolve()

    def unfit(self, values: Sequence[Value]) -> Sequence[Value]:
        """Return the first value that cannot be set, if there is one; each may need one before it."""
        task = self.task
        for value in values:
            if not value.fits(task):
                return [value]
            task = with_value(task, value.path, value.value)
        return []

    def with_values(self, values: Sequence[Value], lines: Sequence[str], index: int) -> Composed:
        """Return a run of a choice that is resolved; `lines` are its own overrides, the chosen ones among them."""
        task, resolved = self.task, self.resolved or {}
        for value in values:
            task = with_value(task, value.path, value.value)
            resolved = with_value(resolved, value.path, value.resolved)
        known, sweep = self._hydra, self._sweep
        subdir = index if known["sweep"]["subdir"] == _INDEX else known["sweep"]["subdir"]
        directory = _absolute(os.path.join(sweep, str(subdir)))  # noqa: PTH118 - as Hydra does
        hydra = {
            **known,
            "overrides": {**known["overrides"], "task": [*self._inherited, *lines]},
            "job": {**known["job"], "id": str(index), "num": index, **self._dirname(lines)},
            "runtime": {**known["runtime"], "output_dir": str(directory)},
        }
        job = {key: known["job"][key] for key in ("chdir", "env_set")}
        return Composed(task, resolved, hydra, job, known["output_subdir"], directory, _absolute(sweep))

    def config(self, values: Sequence[Value], lines: Sequence[str]) -> DictConfig:
        """Return a run's whole config, the `hydra` node included, as an object of its own."""
        config = copy.deepcopy(self._config)
        for value in values:
            OmegaConf.update(config, ".".join(value.path), value.value, force_add=bool(value.mark))
        config.hydra.overrides.task = [*self._inherited, *lines]
        for key, text in self._dirname(lines).items():
            config.hydra.job[key] = text
        return config

    def _dirname(self, lines: Sequence[str]) -> Plain:
        """Return `hydra.job.override_dirname`, where Hydra makes a text of it."""
        if self._hydra["job"]["override_dirname"] == _RESOLVED_LATER:
            return {}
        style = self._dirname_style
        kept = sorted(line for line in lines if _key(line) not in style["exclude_keys"])
        return {"override_dirname": style["item_sep"].join(kept).replace("=", style["kv_sep"])}

    @cached_property
    def _dirname_style(self) -> Plain:
        return cast("Plain", OmegaConf.to_container(self._config.hydra.job.config.override_dirname, resolve=True))

    @cached_property
    def _sweep(self) -> str:
        return str(self._config.hydra.sweep.dir)

    def _resolve(self) -> Plain | None:
        """Return the task resolved, None where its values may depend on the run, or have types of their own."""
        job, sweep = self._hydra["job"], self._hydra["sweep"]
        fixed = [self._hydra["output_subdir"], job["chdir"], job["env_set"], job["config"]["override_dirname"]]
        if not (
            all(map(_FROM_ENVIRONMENT.fullmatch, _interpolating(self.task)))
            and not any(_interpolating(fixed))
            and isinstance(sweep, dict)
            and _SAME_FOR_ALL.fullmatch(str(sweep["dir"]))
            and (sweep["subdir"] == _INDEX or not any(_interpolating(sweep["subdir"])))
            and "???" not in (sweep["dir"], sweep["subdir"])
            and not _typed(self._config, self.task)
        ):
            return None
        try:
            return resolved_task(self._config, self.task)
        except OmegaConfBaseException:
            return None  # a run may set what cannot be resolved


def _interpolating(value: object) -> Iterator[str]:
    """Yield every text that holds an interpolation."""
    if isinstance(value, str):
        if "${" in value:
            yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _interpolating(child)


def _typed(config: DictConfig, shown: Plain) -> bool:
    """Return whether a mapping, shown as plain data, has a structured config in it, which checks what is set."""
    below = [key for key, value in shown.items() if isinstance(value, dict)]
    return any(OmegaConf.get_type(config, key) is not dict or _typed(config[key], shown[key]) for key in below)


def _key(line: str) -> str:
    return re.split("[=@]", line.lstrip("+~"), maxsplit=1)[0].strip()


def _absolute(path: str) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - a directory that is not there yet, text for text as Hydra's


_LOOKED_UP = re.compile(r"(?<!\\)(?:\\\\)*\$\{")
"""The beginning of an interpolation that is not escaped."""


def _looks_up(value: object, line: str) -> bool:
    """Return whether a value holds an interpolation, or may do so."""
    return bool(_LOOKED_UP.search(value)) if isinstance(value, str) else "$" in line


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


_UNKNOWN_KEY = "Could not override "
"""How Hydra begins what it says of a key, whatever value is given to it."""


class Composer:
    """Compose the runs of one sweep, each equal to `config_loader.load_sweep_config(master, overrides)`."""

    def __init__(
        self,
        config_loader: ConfigLoader,
        master: DictConfig,
        inspect: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        """Make a composer; `inspect` sees all that is composed, resolved or set, as plain data, and may raise."""
        self._loader = config_loader
        self._inspect = inspect
        self._master = master
        self._read: dict[str, Value | _Chosen] = {}
        # Of Hydra's own, all that may say where groups are: reading the others takes longer than looking there.
        self._places = [line for line in typed_lines(master.hydra.overrides.hydra) if "searchpath" in line]
        self._groups: dict[str, bool] = {}
        self._choices: dict[tuple[str, ...], Choice | None] = {}
        self._refused: dict[tuple[object, ...], HydraException] = {}
        with suppress(OmegaConfBaseException):
            str(master.hydra.sweep.dir)  # resolved now, as it may hold the time, which all choices take from the sweep

    def composed(self, overrides: Sequence[str], index: int) -> Callable[[], Composed]:
        """Return what gives, each time it is called, what a run's config amounts to, and keeps little of it.

        Raises what Hydra and OmegaConf raise.
        """
        found = self._found(overrides)
        if not isinstance(found, DictConfig):
            choice, values, lines = found
            if choice.resolved is not None:
                return functools.partial(choice.with_values, values, lines, index)
            found = choice.config(values, lines)
        run = composed(found, index)
        self._look_at(run.resolved)
        return lambda: run

    def config(self, overrides: Sequence[str], index: int, directory: Path) -> DictConfig:
        """Return the whole config of a run that was composed before, as Hydra's launchers have it."""
        found = self._found(overrides)
        config = found if isinstance(found, DictConfig) else found[0].config(*found[1:])
        config.hydra.job.id, config.hydra.job.num = str(index), index
        placed(config, directory)
        return config

    def _found(self, overrides: Sequence[str]) -> DictConfig | tuple[Choice, list[Value], list[str]]:
        """Return the run's choice, its values and its task's overrides, or its config where Hydra must compose it."""
        chosen: list[str] = []
        values: list[Value] = []
        lines: list[str] = []
        own = 0
        self._read_all(overrides)
        for line in overrides:
            kind = self._read.get(line)
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
            return self._alone(
                overrides, (tuple(chosen), *((each.mark, each.path, type(each.value)) for each in unfit))
            )
        return choice, values, lines

    def _read_all(self, lines: Sequence[str]) -> None:
        """Read the overrides that are new, but for those that cannot be read, which Hydra says best."""
        new: dict[str, Value | _Chosen] = {}
        values: dict[str, list[object]] = {}
        for line in lines:
            if line not in self._read:
                with suppress(HydraException):
                    kind = new[line] = self._kind_of(line)
                    if isinstance(kind, Value):
                        values.setdefault(".".join(kind.path), []).append(kind.value)
        if values:
            self._look_at(values)
        self._read |= new

    def _kind_of(self, line: str) -> Value | _Chosen:
        simplest = plain_value(line)
        if simplest is not None and not self._is_group(".".join(simplest.path)):
            return simplest
        override = parsed_override(line)
        key, mark = override.key_or_group, _MARKS.get(override.type)
        if key.partition(".")[0].partition("/")[0] == "hydra":
            return _Chosen(own=not override.is_hydra_override(), key=key if key == "hydra" else None)
        value = None if override.is_sweep_override() else override.value()
        if self._is_group(key) and not isinstance(value, dict):
            return _Chosen(own=True)
        unusual = override.package is not None or override.is_sweep_override() or "[" in key or _looks_up(value, line)
        if mark is None or unusual or isinstance(value, dict):
            return _Chosen(own=True, key=key, adds=bool(mark))
        return Value(_path_of(key), value, unescaped(value) if isinstance(value, str) and "$" in value else value, mark)

    def _is_group(self, key: str) -> bool:
        if "." in key and "/" not in key:
            return False  # the path of a value; asking Hydra takes as long as composing a defaults list
        if key not in self._groups:
            # With the search path that the command line adds to.
            name = self._master.hydra.job.config_name
            self._groups[key] = bool(self._loader.get_group_options(key, None, name, self._places))
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
                text = str(error)
                if not text.startswith(_UNKNOWN_KEY) and any(line in text for line in overrides):
                    raise  # it says what is wrong with this value, and another one is another mistake
                self._refused[reason] = error
        raise self._refused[reason].with_traceback(None)

    def _load(self, overrides: Sequence[str]) -> DictConfig:
        config = self._loader.load_sweep_config(self._master, [*overrides])
        self._look_at(plain(config))
        return config

    def _look_at(self, found: Mapping[str, Any]) -> None:  # Any: as Plain
        if self._inspect is not None:
            self._inspect(found)
