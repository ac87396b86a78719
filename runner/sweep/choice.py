"""One plainly composed config, and the loan of it to one job after the other with that job's values applied."""

# ruff: noqa: SLF001 - OmegaConf's and Hydra's private API is what this module keeps to itself

from __future__ import annotations

import copy
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property, lru_cache
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException
from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

Plain = dict[str, Any]  # Any: a config's values are whatever its author wrote

_VARYING = (("overrides", ("task",)), ("job", ("id", "num", "override_dirname")), ("runtime", ("output_dir",)))
"""What differs below `hydra` between the jobs of one choice."""

_ENVIRONMENT = re.compile(r"(?:[^$\\]|\$\{oc\.env:\w+(?:,[^${}\\]*)?\})*")
"""A text whose interpolations read the environment and nothing else."""

_NAME = re.compile(r"\$\{oc\.env:(\w+)")


class Composition:
    """One job's config while it is on loan."""

    def __init__(self, config: DictConfig, hydra: Plain | None) -> None:
        self.config = config
        self._hydra = hydra

    def number(self, num: int) -> None:
        """Say which job this is, as every launcher does."""
        _set(self.config.hydra.job, "id", str(num))
        _set(self.config.hydra.job, "num", num)

    def place(self, directory: str) -> None:
        """Say where this job writes."""
        _set(self.config.hydra.runtime, "output_dir", directory)

    def hydra(self) -> Plain:
        """The `hydra` node as plain data, interpolations unresolved, enums by name."""
        node = self.config.hydra
        if self._hydra is None:
            return {"hydra": _plain(node)}
        plain = dict(self._hydra)
        for section, keys in _VARYING:
            raw = node._get_node(section)
            plain[section] = {**plain[section], **{key: _plain(raw._get_node(key)) for key in keys}}
        return {"hydra": plain}

    def task(self) -> Plain:
        """Everything but the `hydra` node as plain data, interpolations unresolved."""
        with _without_hydra(self.config):
            return plain_dict(self.config)

    def resolved_task(self, unresolved: Plain | None = None) -> Plain:
        """Everything but the `hydra` node, resolved where only `${hydra:…}` reaches that node, as in a task."""
        plain = self.task() if unresolved is None else unresolved
        if not interpolates(plain):
            return plain
        if all(map(_ENVIRONMENT.fullmatch, _texts(plain))):
            return {key: _filled(value) for key, value in plain.items()}
        with _without_hydra(self.config):
            if not interpolates(plain, naming="hydra"):
                return _resolved(self.config)
            task = copy.deepcopy(self.config)
        # `${hydra:…}` looks into the config that HydraConfig holds: that one must be whole again.
        return _resolved(task)

    def detached(self) -> DictConfig:
        """A copy that outlives the loan."""
        return copy.deepcopy(self.config)


class Choice:
    """The composition of one choice of groups."""

    def __init__(self, config: DictConfig, master: DictConfig, chosen: Sequence[Override] = ()) -> None:
        self._config = config
        self._master = master
        lines = list(config.hydra.overrides.task)
        count = sum(not override.is_hydra_override() for override in chosen)
        self._inherited = lines[: len(lines) - count]

    @cached_property
    def _hydra(self) -> Plain:
        return plain_dict(self._config.hydra)

    def untouched(self) -> Composition:
        """The config as it was composed; what is done to it stays."""
        return Composition(self._config, None)

    def accepts(self, values: Sequence[Override]) -> bool:
        """Whether these overrides change nothing but the top-level nodes that they name."""
        return not any(self._leads_elsewhere(override.key_or_group) for override in values)

    @contextmanager
    def applied(self, values: Sequence[Override], overrides: Sequence[Override]) -> Iterator[Composition]:
        """The config with `values` applied, as after Hydra composed `overrides`; undone at the end."""
        hydra = self._hydra  # before anything is changed
        with ExitStack() as stack:
            for value in values:
                stack.enter_context(_restored(*_touched(self._config, value.key_or_group)))
            for section, keys in _VARYING:
                stack.enter_context(_restored(self._config.hydra._get_node(section), keys))
            self._apply(values, overrides)
            yield Composition(self._config, hydra)

    def _apply(self, values: Sequence[Override], overrides: Sequence[Override]) -> None:
        try:
            ConfigLoaderImpl._apply_overrides_to_config(list(values), self._config)
        except OmegaConfBaseException as error:
            # As load_configuration does.
            raise ConfigCompositionException().with_traceback(sys.exc_info()[2]) from error
        own = [override for override in overrides if not override.is_hydra_override()]
        hydra = self._config.hydra
        hydra.overrides.task = [*self._inherited, *(override.input_line for override in own)]
        hydra.job.override_dirname = get_overrides_dirname(overrides=own, **self._dirname_style())
        OmegaConf.copy_cache(from_config=self._master, to_config=self._config)

    def _dirname_style(self) -> Plain:
        style: Plain = self._hydra["job"]["config"]["override_dirname"]
        return dict(self._config.hydra.job.config.override_dirname) if interpolates(style) else style

    def _leads_elsewhere(self, key: str) -> bool:
        node: object = self._config
        for part in key.split("."):
            if not isinstance(node, DictConfig):
                return False
            node = node._get_node(part, validate_access=False)
            if isinstance(node, Container) and node._is_interpolation():
                return True
        return False


def _touched(config: DictConfig, key: str) -> tuple[DictConfig, Sequence[str]]:
    """The deepest mapping that an override of `key` reaches, and the child of it that changes."""
    *path, last = key.split(".")
    for part in path:
        child = config._get_node(part, validate_access=False)
        if not isinstance(child, DictConfig) or not isinstance(child.__dict__["_content"], dict):
            return config, (part,)
        config = child
    return config, (last,)


@contextmanager
def _restored(node: DictConfig, keys: Sequence[str]) -> Iterator[None]:
    """Let these children be changed, added or deleted, and put the old ones back."""
    content = node.__dict__["_content"]
    own = {key: copy.deepcopy(child) if key in keys else child for key, child in content.items()}
    node.__dict__["_content"] = own
    try:
        yield
    finally:
        node.__dict__["_content"] = content


@contextmanager
def _without_hydra(config: DictConfig) -> Iterator[None]:
    content = config.__dict__["_content"]
    config.__dict__["_content"] = {key: child for key, child in content.items() if key != "hydra"}
    try:
        yield
    finally:
        config.__dict__["_content"] = content


def _set(node: DictConfig, key: str, value: object) -> None:
    flags = node._get_node_flag("readonly"), node._get_node_flag("struct")
    node._set_flag(["readonly", "struct"], [False, False])
    node[key] = value
    node._set_flag(["readonly", "struct"], list(flags))


def _plain(node: Any) -> Any:  # Any: a node of OmegaConf, and its value
    if isinstance(node, Container) and not node._is_interpolation():
        return OmegaConf.to_container(node, resolve=False, enum_to_str=True)
    return node._value()


def plain_dict(node: DictConfig) -> Plain:
    """The node as plain data: interpolations unresolved, enums by name."""
    return cast("Plain", OmegaConf.to_container(node, resolve=False, enum_to_str=True))


def interpolates(value: object, naming: str = "") -> bool:
    """Whether plain data holds an interpolation, in a text that contains `naming`."""
    return any(naming in text for text in _texts(value))


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
def _from_environment(text: str, _values: tuple[str | None, ...]) -> Any:  # Any: a default may be of any type
    # Parsing costs OmegaConf a millisecond each time, and with the same variables such a text means the same.
    return _resolved(OmegaConf.create({"text": text}))["text"]


def _resolved(config: DictConfig) -> Plain:
    container = cast("Plain", OmegaConf.to_container(config, resolve=True))
    return {str(key): value for key, value in container.items()}
