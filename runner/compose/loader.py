"""Find, read and compose config files with Hydra, as users save them, and refuse those that it would pass over."""

from __future__ import annotations

import copy
import functools
import io
import os
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.config.shipped import CONF, GROUPS, NO_CONFIG
from runner.errors import ConfigError
from runner.shell import line, shown
from runner.text_file import read_text


def typed_lines(overrides: Any) -> list[str]:  # Any: a list of OmegaConf's, whatever Hydra says
    """Return a config's overrides as they were typed, interpolations and all."""
    lines = OmegaConf.to_container(overrides, resolve=False)
    return [str(line) for line in lines] if isinstance(lines, list) else []


def as_written(config: Any) -> dict[str, Any]:  # Any: `HydraConfig` has a type of its own, and values are any
    """Return a config as plain data: interpolations unresolved, enums as they are."""
    written = OmegaConf.to_container(config, resolve=False)
    return {str(key): value for key, value in written.items()} if isinstance(written, dict) else {}


Compose = Callable[[str | None, list[str], RunMode, bool, bool], DictConfig]
"""What takes and gives what `ConfigLoader.load_configuration` does."""


class GuardedLoader(ConfigLoader):
    """Compose as the given loader does; `check` sees each config of a run or a sweep first, and may raise."""

    def __init__(
        self, loader: ConfigLoader, check: Callable[[DictConfig], None], compose: Compose | None = None
    ) -> None:
        """Take what composes, if it is not the loader itself."""
        self._loader = loader
        self._check = check
        self._compose = compose or loader.load_configuration

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose a run, or a sweep as a whole."""
        config = self._compose(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
        self._check(config)
        return config

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Compose one run of a sweep, which may bring axes of its own: later Hydras refuse that as another sweeper."""
        own = typed_lines(master_config.hydra.overrides.hydra)
        name = master_config.hydra.job.config_name
        config = self._compose(name, [*own, *sweep_overrides], RunMode.RUN, True, True)
        # So that values such as the time are the same for all.
        OmegaConf.copy_cache(from_config=master_config, to_config=config)
        return config

    def get_search_path(self) -> ConfigSearchPath:
        """Return where config is looked for."""
        return self._loader.get_search_path()

    def get_sources(self) -> list[ConfigSource]:
        """Return what is found there."""
        sources: list[ConfigSource] = self._loader.get_sources()
        return sources

    def list_groups(self, parent_name: str) -> list[str]:
        """Return the groups below a group, '' for all."""
        groups: list[str] = self._loader.list_groups(parent_name)
        return groups

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """Return the options of a group."""
        options: list[str] = self._loader.get_group_options(group_name, results_filter, config_name, overrides)
        return options

    def compute_defaults_list(self, config_name: str | None, overrides: list[str], run_mode: RunMode) -> Any:
        """Return the defaults list that the overrides lead to."""
        return self._loader.compute_defaults_list(config_name, overrides, run_mode)


_OF_A_DIRECTORY = frozenset({"hydra.mode", "hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir"})
"""What of Hydra's own is another in each command, and chooses nothing."""
_MOST_KEPT = 64


class Compositions:
    """Compose as a loader does, but let Hydra compose once what differs in single values, and set these on a copy.

    Composing takes Hydra 0.1 s, and a sweep needs it twice. What was composed of the shipped files alone serves later
    commands of the same process, until a file changes.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        self._loader = loader
        self._own: dict[tuple[object, ...], bytes] = {}

    def load(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose a run, or a sweep as a whole; raises what the loader raises."""
        with suppress(HydraException, OmegaConfBaseException):
            lines = [parsed_override(line) for line in overrides]
            swept = [line for line in lines if line.is_sweep_override()]
            refused = swept if run_mode is RunMode.RUN else [line for line in swept if line.is_hydra_override()]
            if not (refused and validate_sweep_overrides):
                return self._with_values(config_name, lines)
        # What a sweep leaves open is not refused then, and what is wrong is said best by Hydra itself.
        config: DictConfig = self._loader.load_configuration(
            config_name, overrides, run_mode, from_shell, validate_sweep_overrides
        )
        return config

    def _with_values(self, name: str | None, lines: Sequence[Override]) -> DictConfig:
        fixed = [line for line in lines if not line.is_sweep_override()]
        values: list[Override] = []
        others: list[Override] = []
        for each in fixed:
            (values if self._is_value(each) else others).append(each)
        if any(map(_depends_on_its_place, others)):
            values, others = [], fixed
        # Hydra's own come first, so that a sweep and its runs are the same; the order means something among either.
        others.sort(key=lambda line: not line.is_hydra_override())
        config = self._composed(name, [str(line.input_line) for line in others])
        for value in values:
            OmegaConf.update(config, value.key_or_group, value.value(), merge=True)
        _say_what_was_typed(config, lines)
        return config

    def _is_value(self, line: Override) -> bool:
        """Return whether an override sets a single value after all is composed, wherever it stands among the others."""
        key, value = line.key_or_group, line.value()
        return (
            line.type is OverrideType.CHANGE
            and line.package is None
            and not {"/", "["} & {*key}
            and (not line.is_hydra_override() or key in _OF_A_DIRECTORY)
            and not isinstance(value, dict)
            and not (isinstance(value, list) and "$" in str(line.input_line))
            and ("." in key or not any(source.is_group(key) for source in self._loader.get_sources()))
        )

    def _composed(self, name: str | None, overrides: list[str]) -> DictConfig:
        """Return what Hydra composes, as an object of one's own."""
        kept = self._kept()
        key = (name, *overrides)
        if key not in kept:
            config: DictConfig = self._loader.load_configuration(name, overrides, RunMode.RUN)
            if config.hydra.searchpath or config.hydra.job.env_copy:
                return config  # it depends on more than the files that are known
            if len(kept) >= _MOST_KEPT:
                kept.pop(next(iter(kept)))
            OmegaConf.clear_cache(config)  # which holds the time
            try:
                kept[key] = pickle.dumps(config)
            except pickle.PicklingError:  # a plugin's class that another launcher's worker has imported twice
                return config
        found: DictConfig = pickle.loads(kept[key])  # noqa: S301 - pickled by this process
        return found

    def _kept(self) -> dict[tuple[object, ...], bytes]:
        """Return the compositions that files as they are now have led to."""
        places = [(source.scheme(), source.path) for source in self._loader.get_sources()]
        if any(scheme == "file" and path != str(CONF) for scheme, path in places):
            return self._own
        found = sorted(CONF.rglob("*.yaml"))
        files = tuple((str(path), known.st_mtime_ns, known.st_size) for path in found for known in [path.stat()])
        state = (tuple(places), files)
        if state not in _SHARED:
            _SHARED.clear()
            _SHARED[state] = {}
        return _SHARED[state]


_SHARED: dict[object, dict[tuple[object, ...], bytes]] = {}
"""Compositions of this process, by the state of the shipped files that they were made of; one state at most."""


@functools.lru_cache(maxsize=1024)
def parsed_override(line: str) -> Override:
    """Return what an override says; raises what Hydra's parser raises."""
    (override,) = OverridesParser.create().parse_overrides([line])
    return override


def _depends_on_its_place(line: Override) -> bool:
    """Return whether an override may change what a value was, or is to be, set in."""
    unusual = line.type is not OverrideType.CHANGE or "[" in line.key_or_group
    return unusual or not isinstance(line.value(), str | int | float)


def _say_what_was_typed(config: DictConfig, lines: Sequence[Override]) -> None:
    """Write into a config what Hydra does of its overrides and the place where it is composed."""
    task = [line for line in lines if not line.is_hydra_override()]
    hydra = config.hydra
    hydra.overrides.hydra = [line.input_line for line in lines if line.is_hydra_override()]
    hydra.overrides.task = [line.input_line for line in task]
    hydra.runtime.cwd = str(Path.cwd())
    if not OmegaConf.is_interpolation(hydra.job, "override_dirname"):  # before Hydra 1.4 a text
        style = hydra.job.config.override_dirname
        kept = sorted(str(line.input_line) for line in task if line.key_or_group not in style.exclude_keys)
        hydra.job.override_dirname = style.item_sep.join(kept).replace("=", style.kv_sep)


_HEADER = re.compile(r"\s*#\s*@(\w+)\s+(\S+)\s*")


class Repository(ConfigRepository):
    """Look for configs as Hydra does, but read a directory's files as users save them."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Take the sources of a search path, as Hydra does whenever that changes."""
        super().initialize_sources(config_search_path)
        self.sources = [_reading_once(source) for source in self.sources]

    def __deepcopy__(self, _memo: dict[int, Any]) -> Repository:  # Any: as the copy module has it
        """Share the sources, of which Hydra only changes which they are; copying all they hold would take 20 ms."""
        return copy.copy(self)


def _reading_once(source: ConfigSource) -> ConfigSource:
    if source.scheme() == "file":
        return UserFiles(source.provider, source.full_path())
    return PackagedFiles(source) if source.scheme() == "pkg" else source


class UserFiles(ConfigSource):
    """Read a directory of YAML files, each once: one command composes several times, and parsing takes its time."""

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider, path)
        self._read: dict[Path, _Kept] = {}

    @staticmethod
    def scheme() -> str:
        """Return what its addresses begin with."""
        return "file"

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file as Hydra does; raises `ConfigError` where it is no UTF-8 text."""
        path = self._place(_with_ending(config_path))
        if not path.is_file():
            raise ConfigLoadError(f"Config not found : {path}")
        if path not in self._read:
            known = path.stat()
            self._read[path] = _read(path, known.st_mtime_ns, known.st_size)
        return self._read[path].result(self.provider, self.full_path())

    def available(self) -> bool:
        """Return whether the directory is there."""
        return self.is_group("")

    def is_group(self, config_path: str) -> bool:
        """Return whether there is a directory of this name."""
        return self._place(config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        """Return whether there is a file of this name."""
        return self._place(_with_ending(config_path)).is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the names of the directories and files in a directory, or of one kind of them."""
        found = {path for path in self._place(config_path).iterdir() if path.name not in NO_CONFIG}
        groups = {path.name for path in found if path.is_dir()}
        configs = {path.stem for path in found if path.suffix == ".yaml" and path.is_file()}
        return sorted(
            (groups if results_filter is not ObjectType.CONFIG else set())
            | (configs if results_filter is not ObjectType.GROUP else set())
        )

    def _place(self, name: str) -> Path:
        return Path(os.path.realpath(os.path.join(self.path, name)))  # noqa: PTH118 - as Hydra does, text for text


class PackagedFiles(ConfigSource):
    """Read the files of an installed package as `source` does, each once in this process."""

    def __init__(self, source: ConfigSource) -> None:
        super().__init__(source.provider, source.full_path())
        self.path = source.path
        self._source = source

    @staticmethod
    def scheme() -> str:
        """Return what its addresses begin with."""
        return "pkg"

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file as the source does."""
        key = (self.path, config_path)
        if key not in _PACKAGED:
            read = self._source.load_config(config_path)
            _PACKAGED[key] = _Kept(pickle.dumps(read.config), read.header)
        return _PACKAGED[key].result(self.provider, self.full_path())

    def available(self) -> bool:
        """Return whether the package is there."""
        return self._source.available()

    def is_group(self, config_path: str) -> bool:
        """Return whether there is a directory of this name."""
        return self._source.is_group(config_path)

    def is_config(self, config_path: str) -> bool:
        """Return whether there is a file of this name."""
        return (self.path, config_path) in _PACKAGED or self._source.is_config(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the names of the directories and files in a directory, or of one kind of them."""
        return self._source.list(config_path, results_filter)


class _Kept(NamedTuple):
    """Hold what a file says; unpickling takes an eighth of what copying does."""

    config: bytes
    header: dict[str, str | None]

    def result(self, provider: str, path: str) -> ConfigResult:
        """Return it as objects of one's own."""
        config = pickle.loads(self.config)  # noqa: S301 - pickled by this process
        return ConfigResult(provider, path, config, dict(self.header))


_PACKAGED: dict[tuple[str, str], _Kept] = {}


@functools.cache
def _read(path: Path, _changed: int, _bytes: int) -> _Kept:
    """Read a file as it is since it changed last."""
    text = read_text(path)
    return _Kept(pickle.dumps(OmegaConf.load(_Text(text, str(path)))), _header(text, path))


class _Text(io.StringIO):
    """Hold a text with the name that YAML's errors show."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


def _with_ending(name: str) -> str:
    return name if name.endswith(".yaml") else f"{name}.yaml"


def _header(text: str, path: Path) -> dict[str, str | None]:
    """Return what the comments before anything else say, as in `# @package _global_`; raises `ConfigError`."""
    header: dict[str, str | None] = {"package": None}
    for row in text.splitlines():
        found = _HEADER.fullmatch(row)
        if found is not None:
            header[found[1]] = found[2]
        elif row.strip():
            if row.lstrip("# \t").startswith("@") and row.lstrip().startswith("#"):
                raise ConfigError(f"{path}: cannot be read: {row.strip()[:80]!r}", hint="# @package _global_")
            break
    return header


_UNSHADOWED = ("config.yaml", "hydra/default.yaml")


def refuse_own_files(own: Path, options: Iterable[tuple[str, str]]) -> None:
    """Raise `ConfigError` for files below `own` that would be passed over, or would switch off checks.

    `options` are the groups and names that the command line chooses.
    """
    if own.resolve() == CONF.resolve():
        return
    for name in _UNSHADOWED:
        if (own / name).is_file():
            raise ConfigError(
                f"{shown(own / name)} has the name of a shipped file that runs and sweeps rely on; nothing was sent",
                hint="give a primary config a name of its own that begins with 'defaults: [config, _self_]', and type "
                "--config-name NAME",
            )
    for group in GROUPS:
        if unread := sorted((own / group).glob("*.yml")):
            raise ConfigError(
                f"{shown(unread[0])} would not be read: config files end in .yaml; nothing was sent",
                hint=line(["mv", *map(str, (shown(unread[0]), shown(unread[0].with_suffix(".yaml"))))]),
            )
    for group, name in options:
        _refuse_passed_over(own, group, name)


def misplaced(own: Path, group: str, name: str) -> str | None:
    """Return what to type where a file below `own` may be this option and lies where Hydra does not look for it."""
    for path in _named(own, group, name):
        place = own / group / f"{name}.yaml"
        if path.parent == place.parent:
            return f"config files end in .yaml: {line(['mv', str(shown(path)), str(shown(place))])}"
        if path.parent.name == group and path.suffix == ".yaml":
            return f"{shown(path)} is read with {line(['--config-dir', str(shown(path.parent.parent))])}"
        return f"{shown(path)} lies in another place: {line(['mv', str(shown(path)), str(shown(place))])}"
    return None


def _refuse_passed_over(own: Path, group: str, name: str) -> None:
    """Raise `ConfigError` where a shipped option would be taken although a file of the user's looks like it."""
    if (own / group / f"{name}.yaml").is_file() or not (CONF / group / f"{name}.yaml").is_file():
        return
    for path in (own / f"{name}.yaml", own / f"{group}s" / f"{name}.yaml"):
        if path.is_file() and _looks_like(path, group):
            raise ConfigError(
                f"{group}={name} means the shipped one; {shown(path)} would not be read; nothing was sent",
                hint=misplaced(own, group, name),
            )


def _looks_like(path: Path, group: str) -> bool:
    """Return whether a file holds keys of this group, and of nothing else."""
    import yaml

    from runner.config.loading import section_keys

    try:
        content = yaml.safe_load(read_text(path))
    except (OSError, ConfigError, yaml.YAMLError):
        return False
    keys = {str(key) for key in content} - {"defaults"} if isinstance(content, dict) else set()
    return bool(keys) and keys <= section_keys(group)


def _named(own: Path, group: str, name: str) -> Iterator[Path]:
    """Yield the files of this name that are not far from where they belong, the nearest first."""
    others = {*GROUPS} - {group}
    for pattern in ("{}.yaml", "{}.yml", "*/{}.yaml", "*/{}.yml", "*/*/{}.yaml", "*/*/{}.yml"):
        yield from sorted(path for path in own.glob(pattern.format(name)) if path.parent.name not in others)
