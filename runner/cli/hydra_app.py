"""Drives Hydra: `hydra.main` composes up to three times, writes before it checks and exits 1 for everything."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from runner.config.own_files import GROUPS, refuse_own_files
from runner.config.shipped import directory
from runner.errors import ConfigError

from .config_loader import ConfigLoader
from .directory_name import started
from .secret_guard import refuse_in_config

_PLAIN = "hydra._internal.core_plugins.basic_"
"""How Hydra names its own sweeper and launcher."""


class HydraApp(Hydra):
    """Hydra whose every composed config has passed the secret guard, whatever is done with it then."""

    def compose_config(self, *args: Any, **kwargs: Any) -> DictConfig:  # Any: Hydra's signature, passed through
        """Compose as Hydra does; `SecretError` if a credential stands in the result."""
        config: DictConfig = super().compose_config(*args, **kwargs)
        container = OmegaConf.to_container(config, resolve=False)
        refuse_in_config({str(key): value for key, value in container.items()} if isinstance(container, dict) else {})
        _require_checks(config)
        return config


def _require_checks(config: DictConfig) -> None:
    """Raise `ConfigError` for a sweep that has Hydra's own sweeper and launcher although nobody chose them."""
    lines = OmegaConf.to_container(config.hydra.overrides.hydra, resolve=False)
    typed = any(str(line).startswith(("hydra/sweeper", "hydra/launcher")) for line in lines or ())
    # What they are, and not what they are called: a file of one's own may be called like ours.
    plain = all(str(node.get("_target_")).startswith(_PLAIN) for node in (config.hydra.sweeper, config.hydra.launcher))
    if config.hydra.mode == RunMode.MULTIRUN and plain and not typed:
        raise ConfigError(
            "this sweep would be neither checked nor priced before its first request, as neither hydra/sweeper nor "
            "hydra/launcher is runner; nothing was sent",
            hint="begin a primary config of your own with 'defaults: [config, _self_]', or name '- hydra: default' in "
            "its defaults list, before _self_; or type hydra/sweeper=runner",
        )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Hydra's own flags and the overrides; argparse's exit (2) on an unknown flag."""
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
    if parsed.package is not None and not parsed.cfg:
        hint = "python -m runner --cfg job --package request; a prompt: \"request.prompt='A red fox'\""
        raise ConfigError("--package goes with --cfg; nothing was sent", hint=hint)
    return parsed


def _no_flag(flag: str) -> ConfigError:
    """The error for a flag that there is not; a key of the config is typed without its hyphens."""
    from runner.config import known_keys

    name, _, value = flag.lstrip("-").partition("=")
    key = name.replace("-", "_")
    hint = f"{key}={value or 'true'}" if key in known_keys({}, "") else "python -m runner --help"
    return ConfigError(f"{flag.partition('=')[0]} is no flag; nothing was sent", hint=hint)


def create(parsed: argparse.Namespace) -> HydraApp:
    """The app over the shipped `conf/`, or over --config-path, with --config-dir added."""
    version.setbase("1.3")
    GlobalHydra.instance().clear()
    os.environ["RUNNER_STARTED"] = started()
    main = Path(parsed.config_path).absolute() if parsed.config_path else directory()
    if not main.is_dir():
        raise ConfigError(f"--config-path {parsed.config_path} is no directory",
                          hint="your own files beside the shipped ones: --config-dir DIR")  # fmt: skip
    search_path = create_config_search_path(str(main))
    if parsed.config_dir:
        extra = Path(parsed.config_dir).absolute()
        if not extra.is_dir():
            hint = "it names the directory that holds request/, experiment/ and other groups"
            raise ConfigError(f"--config-dir {parsed.config_dir} is no directory", hint=hint)
        refuse_own_files(extra, _options(parsed.overrides))
        # Before what is shipped, so that an option of one's own takes the place of one that has its name.
        anchor = SearchPathQuery(provider="main")
        search_path.prepend(provider="command-line", path=f"file://{extra}", anchor=anchor)
    app = HydraApp(task_name="runner", config_loader=ConfigLoader(search_path))
    GlobalHydra.instance().initialize(app)
    return app


def _options(overrides: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The groups and names that overrides choose."""
    for override in overrides:
        key, _, names = override.lstrip("+").partition("=")
        yield from ((key, name) for name in names.split(",") if key in GROUPS and name)


def show(app: HydraApp, parsed: argparse.Namespace) -> bool:
    """Do what only prints (help, --cfg, --info); False if none of it was asked for."""
    name = config_name(parsed)
    if parsed.help:
        app.app_help(config_name=name, args_parser=parsed.parser, args=parsed)
    elif parsed.hydra_help:
        app.hydra_help(config_name=name, args_parser=parsed.parser, args=parsed)
    elif parsed.cfg:
        if parsed.resolve:
            _refuse_resolved(app, parsed)
        app.show_cfg(name, parsed.overrides, parsed.cfg, parsed.package, parsed.resolve)
    elif parsed.info:
        app.show_info(parsed.info, name, parsed.overrides)
    else:
        return False
    sys.stdout.flush()
    return True


def _refuse_resolved(app: HydraApp, parsed: argparse.Namespace) -> None:
    """Raise `SecretError` before values are printed that only resolving brings to light."""
    config = app.compose_config(config_name(parsed), parsed.overrides, RunMode.RUN)
    task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    HydraConfig.instance().set_config(config)
    container = OmegaConf.to_container(task, resolve=True)
    refuse_in_config({str(key): value for key, value in container.items()} if isinstance(container, dict) else {})


def config_name(parsed: argparse.Namespace) -> str:
    """The primary config's name."""
    return parsed.config_name or "config"


def single_config(app: HydraApp, parsed: argparse.Namespace) -> DictConfig | None:
    """The composed config of a single run, or None if the command line or the config asks for a sweep."""
    if parsed.multirun:
        return None
    name = config_name(parsed)
    try:
        config = app.compose_config(name, parsed.overrides, RunMode.RUN, validate_sweep_overrides=False)
    except MissingConfigException:
        # In multirun a group may be left to the sweep; only the config itself can say that it is one.
        _require_multirun(app, parsed)
        return None
    if config.hydra.mode == RunMode.MULTIRUN and not parsed.run:
        return None
    app.config_loader.validate_sweep_overrides_legal(  # type: ignore[attr-defined]  # of the implementation
        _parse(parsed.overrides), RunMode.RUN, from_shell=True
    )
    config.hydra.mode = RunMode.RUN
    return config


def _require_multirun(app: HydraApp, parsed: argparse.Namespace) -> None:
    name = config_name(parsed)
    config = app.compose_config(name, parsed.overrides, RunMode.MULTIRUN, validate_sweep_overrides=False)
    if config.hydra.mode != RunMode.MULTIRUN:
        app.compose_config(name, parsed.overrides, RunMode.RUN)


def _parse(overrides: Sequence[str]) -> list[Any]:  # Any: Hydra's Override
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_overrides(list(overrides))
