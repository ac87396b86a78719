"""Drive Hydra: `hydra.main` composes up to three times, writes before it checks and exits 1 for everything."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import hydra
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.errors import HydraException, MissingConfigException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.artifacts.atomic import disk_errors
from runner.config.shipped import CONF, GROUPS, REFRESHED
from runner.errors import ConfigError
from runner.shell import word

from .guards import refuse_in_config
from .loader import Compositions, GuardedLoader, Repository, as_written, parsed_override, refuse_own_files, typed_lines
from .typed import assignment

if TYPE_CHECKING:
    from runner.config.run import RunConfig
    from runner.engine.run import Run

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


def started() -> str:
    """Return DATE/TIME and four random characters, as in 2026-11-23/09-30-00-x7k2 (local time)."""
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(4))
    return f"{datetime.now().astimezone():%Y-%m-%d/%H-%M-%S}-{suffix}"


Config = DictConfig
"""What is composed; whoever only hands it on needs to know no more."""
_PARAMS = "hydra.sweeper.params"
_PLAIN = "hydra._internal.core_plugins.basic_"
"""How Hydra names its own sweeper and launcher."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return Hydra's own flags and the overrides; exits as argparse does (2) on an unknown flag."""
    parser = get_args_parser()
    parser.prog = "python -m runner"
    parsed, unknown = parser.parse_known_intermixed_args(list(arguments))
    if unknown:
        raise _no_flag(unknown[0])
    parsed.parser = parser
    if parsed.experimental_rerun is not None:
        raise ConfigError("--experimental-rerun is not supported", hint="python -m runner repeat RUN_DIR [overrides]")
    modes = [parsed.run, parsed.multirun, bool(parsed.cfg), bool(parsed.info), parsed.shell_completion]
    if sum(modes) > 1:
        raise ConfigError("only one of --run, --multirun, --cfg, --info and --shell-completion can be given")
    if parsed.resolve and not (parsed.cfg or parsed.help):
        raise ConfigError("--resolve goes with --cfg or --help", hint="python -m runner --cfg job --resolve")
    if sum(_names_flag(each, "--config-dir", "-cd") for each in arguments) > 1:
        hint = "one --config-dir, and hydra.searchpath=[DIR] for others"
        raise ConfigError("--config-dir is given twice, and only one is read; nothing was sent", hint=hint)
    if parsed.package is not None and not parsed.cfg:
        hint = "python -m runner --cfg job --package request; a prompt: \"request.prompt='A red fox'\""
        raise ConfigError("--package goes with --cfg; nothing was sent", hint=hint)
    return parsed


def _names_flag(argument: str, *names: str) -> bool:
    """Return whether an argument is a flag of one of these names, its value beside it or behind `=`."""
    return argument.partition("=")[0] in names


def _no_flag(flag: str) -> ConfigError:
    """Return the error for a flag that there is not; a key of the config is typed without its hyphens."""
    from runner.config.loading import known_keys

    name, _, value = flag.lstrip("-").partition("=")
    key = name.replace("-", "_")
    hint = f"{key}={value or 'true'}" if key in known_keys({}, "") else "python -m runner --help"
    return ConfigError(f"{flag.partition('=')[0]} is no flag; nothing was sent", hint=hint)


def initialize(main: Path) -> initialize_config_dir:
    """Make Hydra compose what is in a directory; to be left as a context where another was to be kept."""
    # Hydra 1.3 behaves as 1.1 unless it is told a version, and later ones refuse 1.1.
    base = {"version_base": "1.3"} if hydra.__version__.startswith("1.3.") else {}
    return initialize_config_dir(str(main), job_name="runner", **base)


@contextmanager
def opened(parsed: argparse.Namespace) -> Iterator[App]:
    """Give Hydra over what is typed; raises `ConfigError`."""
    GlobalHydra.instance().clear()
    os.environ["RUNNER_STARTED"] = started()
    try:
        yield App(parsed)
    finally:
        GlobalHydra.instance().clear()


class App:
    """Drive Hydra over the shipped `conf/`, or over --config-path, with --config-dir added.

    Attributes:
        name: of the primary config.
        overrides: as they are typed.
        loader: composes; what it gives has passed the secret guard.
    """

    def __init__(self, parsed: argparse.Namespace) -> None:
        self._parsed = parsed
        self.name: str = parsed.config_name or "config"
        self.overrides: list[str] = parsed.overrides
        main = Path(parsed.config_path).absolute() if parsed.config_path else CONF
        if not main.is_dir():
            raise ConfigError(f"--config-path {parsed.config_path} is no directory",
                              hint="your own files beside the shipped ones: --config-dir DIR")  # fmt: skip
        initialize(main)
        made: Any = GlobalHydra.instance().hydra  # Any: Hydra has no public name for it
        self._hydra, inner = made, made.config_loader
        search_path = inner.get_search_path()
        if parsed.config_dir:
            # Before the shipped files, so that a user's option replaces a shipped one of the same name.
            anchor = SearchPathQuery(provider="main")
            search_path.prepend(provider="command-line", path=f"file://{_own_files(parsed)}", anchor=anchor)
        if REFRESHED.is_dir():
            # After the shipped files, none of which it can replace; the schema is always last.
            last = SearchPathQuery(provider="schema")
            search_path.prepend(provider="refreshed", path=f"file://{REFRESHED.absolute()}", anchor=last)
        inner.repository = Repository(search_path)
        self.loader = self._hydra.config_loader = GuardedLoader(inner, _check, Compositions(inner).load)

    def compose(self, overrides: Sequence[str], mode: RunMode, *, name: str = "", choices: bool = False) -> DictConfig:
        """Compose a run, or a sweep as a whole; `choices`: whether what is swept may stand among the overrides."""
        return self.loader.load_configuration(
            name or self.name, [*overrides], mode, validate_sweep_overrides=not choices
        )

    def sweep(self, task: Callable[[Config], float | None], *more: str) -> object:
        """Run a sweep and return what its sweeper gives; `task` is what a launcher that is not ours calls."""
        if misplaced_directory(typed := [*self.overrides, *more], "sweep") is not None:
            refuse_misplaced_directory(typed, self.compose(typed, RunMode.MULTIRUN, choices=True), "sweep")
        return self._hydra.multirun(self.name, task, [*self.overrides, "hydra.mode=MULTIRUN", *more])

    def single(self) -> DictConfig | None:
        """Return the composed config of a single run, None if the command line or the config asks for a sweep."""
        if self._parsed.multirun:
            return None
        try:
            config = self.compose(self.overrides, RunMode.RUN, choices=True)
        except MissingConfigException:
            # In multirun a group may be left to the sweep; only the config itself can say that it is one.
            if self.compose(self.overrides, RunMode.MULTIRUN, choices=True).hydra.mode != RunMode.MULTIRUN:
                self.compose(self.overrides, RunMode.RUN)
            return None
        if config.hydra.mode == RunMode.MULTIRUN and not self._parsed.run:
            return None
        if any(parsed_override(each).is_sweep_override() for each in self.overrides):
            self.compose(self.overrides, RunMode.RUN)  # which says what is wrong with it
        config.hydra.mode = RunMode.RUN
        return config

    def show(self) -> bool:
        """Do what only prints (help, --cfg, --info); False if none of it was asked for."""
        hydra, parsed = self._hydra, self._parsed
        if parsed.help:
            hydra.app_help(config_name=self.name, args_parser=parsed.parser, args=parsed)
        elif parsed.hydra_help:
            hydra.hydra_help(config_name=self.name, args_parser=parsed.parser, args=parsed)
        elif parsed.cfg:
            if parsed.resolve:
                self._refuse_resolved()
            try:
                hydra.show_cfg(self.name, self.overrides, parsed.cfg, parsed.package, parsed.resolve)
            except SystemExit as error:  # Hydra has said that there is no such package, and left with 1
                raise ConfigError(f"--package {parsed.package} is no key here, or holds nothing",
                                  hint=f"python -m runner --cfg {parsed.cfg} shows all keys") from error  # fmt: skip
        elif parsed.info:
            hydra.show_info(parsed.info, self.name, self.overrides)
        else:
            return False
        sys.stdout.flush()
        return True

    def complete(self, *arguments: str) -> None:
        """Do what Hydra does for a shell that completes a line, which is in COMP_LINE."""
        self._hydra.shell_completion(self.name, [*arguments])

    def _refuse_resolved(self) -> None:
        """Raise `SecretError` before values are printed that only resolving brings to light."""
        from .composer import resolved_task

        config = self.compose(self.overrides, RunMode.RUN)
        HydraConfig.instance().set_config(config)
        written = as_written(config)
        del written["hydra"]
        refuse_in_config(resolved_task(config, written))


def _own_files(parsed: argparse.Namespace) -> Path:
    """Return the directory that --config-dir names; raises `ConfigError` for one that would not be read as meant."""
    own = Path(parsed.config_dir).absolute()
    if not own.is_dir():
        hint = "it names the directory that holds request/, experiment/ and other groups"
        raise ConfigError(f"--config-dir {parsed.config_dir} is no directory", hint=hint)
    refuse_own_files(own, _options(parsed.overrides))
    return own


def _options(overrides: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the groups and names that overrides choose."""
    for override in overrides:
        key, _, names = override.lstrip("+").partition("=")
        yield from ((key, name) for name in names.split(",") if key in GROUPS and name)


def _check(config: DictConfig) -> None:
    """Raise `SecretError` if a credential stands in a composed config, whatever is done with it then."""
    refuse_in_config(as_written(config))
    _require_checks(config)


def _require_checks(config: DictConfig) -> None:
    """Raise `ConfigError` for a sweep that has Hydra's own sweeper and launcher although nobody chose them."""
    for kind in ("sweeper", "launcher"):
        if config.hydra[kind] is None:
            raise ConfigError(
                f"hydra.{kind} is set to nothing; nothing was sent",
                hint=f"leave it out, or choose one: hydra/{kind}=runner",
            )
    lines = typed_lines(config.hydra.overrides.hydra)
    typed = any(line.startswith(("hydra/sweeper", "hydra/launcher")) for line in lines)
    # By what they are, not by their names: a user's file may have the name of a shipped one.
    plain = all(str(node.get("_target_")).startswith(_PLAIN) for node in (config.hydra.sweeper, config.hydra.launcher))
    if config.hydra.mode == RunMode.MULTIRUN and not _is_ours(config.hydra.sweeper):
        _refuse_points(config)
    if config.hydra.mode == RunMode.MULTIRUN and plain and not typed:
        raise ConfigError(
            "this sweep would be neither checked nor priced before its first request, as neither hydra/sweeper nor "
            "hydra/launcher is runner; nothing was sent",
            hint="begin a primary config of your own with 'defaults: [config, _self_]', or name '- hydra: default' in "
            "its defaults list, before _self_; or type hydra/sweeper=runner",
        )


def _refuse_points(config: DictConfig) -> None:
    """Raise `ConfigError` for what another sweeper than ours would leave unread."""
    from runner.config.run import SweepConfig

    from .examination import settings_of

    settings, unset = settings_of(config), SweepConfig()
    for key in SweepConfig.model_fields.keys() - {"ray"}:  # which is the launcher's
        if getattr(settings, key) != getattr(unset, key):
            hint = f"leave out {key}, or hydra/sweeper"
            raise ConfigError(f"{key} is read by hydra/sweeper=runner alone; nothing was sent", hint=hint)


def _is_ours(sweeper: DictConfig) -> bool:
    return "RunnerSweeper" in str(sweeper.get("_target_"))


def is_sweep(config: DictConfig) -> bool:
    """Return whether a single run asks for several: by a table, a part of a sweep, or a whole number above one.

    Other numbers are for the checks of the run or the sweep.
    """
    if config.get("prompts") is not None or config.get("shard") is not None:
        return True
    numbers = [OmegaConf.select(config, key) for key in ("request.number_of_videos", "repeat")]
    return any(isinstance(number, int) and not isinstance(number, bool) and number > 1 for number in numbers)


DirectoryKind = Literal["run", "sweep"]
"""Whose directory: `hydra.run.dir` or `hydra.sweep.dir`."""

_OTHER: dict[DirectoryKind, DirectoryKind] = {"run": "sweep", "sweep": "run"}
_OF = {"run": "a single run", "sweep": "a sweep"}


def typed_directory(overrides: Sequence[str], kind: DirectoryKind) -> str | None:
    """Return the directory that is typed for a single run or for a sweep, None if none is; raises Hydra's errors."""
    found = None
    own = [each for each in overrides if each.lstrip("+").startswith("hydra.")]
    for override in map(parsed_override, own):
        if override.is_delete():
            continue
        if override.key_or_group == f"hydra.{kind}.dir":
            found = override.get_value_element_as_str()
        elif override.key_or_group == f"hydra.{kind}" and isinstance(value := override.value(), dict):
            found = str(value["dir"]) if "dir" in value else found
    return found


def misplaced_directory(overrides: Sequence[str], read: DirectoryKind) -> str | None:
    """Return the directory that is typed for the other kind alone, where it is not read; None if there is none."""
    return None if typed_directory(overrides, read) is not None else typed_directory(overrides, _OTHER[read])


def refuse_misplaced_directory(overrides: Sequence[str], config: DictConfig, read: DirectoryKind) -> None:
    """Raise `ConfigError` for a directory of the other kind, unless the config makes of it the one that is read."""
    given, other = misplaced_directory(overrides, read), _OTHER[read]
    if given is None or f"{other}.dir" in str(OmegaConf.to_container(config.hydra[read], resolve=False)):
        return
    hint = f"{word(f'hydra.{read}.dir={given}')} chooses the directory of {_OF[read]}"
    raise ConfigError(f"hydra.{other}.dir is the directory of {_OF[other]}, and this is {_OF[read]}; nothing was sent",
                      hint=hint)  # fmt: skip


def refuse_both_directories(overrides: Sequence[str]) -> None:
    """Raise `ConfigError` for two that differ, where a command without -m makes a sweep."""
    one, other = typed_directory(overrides, "run"), typed_directory(overrides, "sweep")
    if one is not None and other is not None and one != other:
        raise ConfigError("hydra.run.dir and hydra.sweep.dir both say where this sweep goes; nothing was sent",
                          hint="leave one of the two out")  # fmt: skip


def sweep_overrides(config: DictConfig) -> list[str]:
    """Return what makes a sweep of the run and nothing more: no experiment's sweep beside it.

    It goes where the run would go, unless a directory for sweeps is typed.
    """
    alone = "hydra.sweeper.params=null"
    typed = typed_lines(config.hydra.overrides.hydra)
    refuse_both_directories(typed)
    if typed_directory(typed, "sweep") is not None:
        return [alone]
    HydraConfig.instance().set_config(config)
    return [assignment("hydra.sweep.dir", str(config.hydra.run.dir)), alone]


Task = Callable[[Path], float | None]


class HydraRun:
    """Execute a single run, and call what a user's config wants called at its beginning and end."""

    def __init__(self, loader: ConfigLoader, config: DictConfig) -> None:
        """Make the callbacks, before anything of the config is resolved: they may register resolvers."""
        self._loader = loader
        self._config = config
        self._callbacks = Callbacks(config)

    @property
    def overrides(self) -> list[str]:
        """Return what was typed for the task."""
        return typed_lines(self._config.hydra.overrides.task)

    def execute(self, task: Task, directory: Path) -> None:
        """Make the directory and call the task with it, which keeps what it raises; raises `DiskError`."""
        name = self._config.hydra.job.config_name
        self._callbacks.on_run_start(config=self._config, config_name=name)
        context = HydraContext(config_loader=self._loader, callbacks=self._callbacks)
        with disk_errors(directory):
            done = run_job(lambda _config: task(_output_dir()), self._config, "hydra.run.dir", None, context)
        self._callbacks.on_run_end(config=self._config, config_name=name, job_return=done)


def launched_index() -> int:
    """Return the index of the run that a launcher, not ours, has begun in a process of its own."""
    return int(HydraConfig.get().job.num)


def launched_run(config: RunConfig) -> Run:
    """Return that run, of which `config` was loaded."""
    from runner.ledger.reuse import new_run

    return new_run(launched_index(), config, _output_dir(), typed_lines(HydraConfig.get().overrides.task))


def asked_before() -> bool:
    """Return whether that run is our own sweeper's, which checks and asks before anything is launched."""
    return _is_ours(HydraConfig.get().sweeper)


def _output_dir() -> Path:
    return Path(HydraConfig.get().runtime.output_dir)


@contextmanager
def composing(app: App, overrides: Sequence[str] | None = None, *, sweep: bool = False) -> Iterator[None]:
    """Turn their exceptions into a `ConfigError` that names the key, or, of the `overrides`, every key at fault.

    `overrides` are those typed where the app composes its own config. A `sweep` is one by its command line; a config
    can make one of any.
    """
    from yaml import YAMLError

    try:
        yield
    except YAMLError as error:
        where = " ".join(str(error).split())
        raise ConfigError(f"a config file cannot be read: {where}", hint="fix its YAML") from error
    except RecursionError as error:
        raise ConfigError(
            "a config file leads back to itself by its defaults list, or by those of the files that it names; "
            "nothing was sent",
            hint="remove one of the entries below 'defaults:' that lead round",
        ) from error
    except (HydraException, OmegaConfBaseException, AssertionError, AttributeError) as error:
        # The last two are OmegaConf 2.3's, of a key below what holds nothing; some of its own are AttributeErrors, too.
        own = isinstance(error, HydraException | OmegaConfBaseException)
        if any(_PARAMS in each.partition("=")[0] for each in app.overrides) and (_PARAMS in str(error) or not own):
            hint = "what is swept over is typed behind -m: python -m runner -m replica=0,1"
            raise ConfigError(
                f"{_PARAMS} is set by files alone, as in an experiment; nothing was sent", hint=hint
            ) from error
        if not own:
            raise
        from .composition_error import Diagnosis

        raise Diagnosis(app, overrides, error, sweep=sweep).refusal() from error
