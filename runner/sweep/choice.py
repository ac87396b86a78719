"""One plainly composed config, and the loan of it to one job after the other with that job's values applied."""

# ruff: noqa: SLF001 - OmegaConf's and Hydra's private API is what this module keeps to itself

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException
from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from .interpolation import Environment, Plain, interpolates
from .node import child, children, plain, plain_except, replace_children, set_lines, set_text, twin

_VARYING = (("overrides", ("task",)), ("job", ("id", "num", "override_dirname")), ("runtime", ("output_dir",)))
"""What differs below `hydra` between the jobs of one choice; each is set by a new node, never by changing the old."""


class Composition:
    """One job's config while it is on loan."""

    def __init__(
        self,
        config: DictConfig,
        known: Plain | None = None,
        changed: Sequence[str] = (),
        environment: Environment | None = None,
    ) -> None:
        """`known` is the whole config as plain data, from before the values at the paths `changed` were applied."""
        self.config = config
        self._known = known
        self._changed = changed
        self._environment = environment or Environment()

    @property
    def sweep(self) -> DictConfig:
        """Where the sweep writes, and each job below that."""
        hydra = child(self.config, "hydra")
        node = children(hydra).get("sweep")
        return node if isinstance(node, DictConfig) and isinstance(children(node), dict) else hydra.sweep

    def number(self, num: int) -> None:
        """Say which job this is, as every launcher does."""
        job = child(child(self.config, "hydra"), "job")
        set_text(job, "id", str(num))
        set_text(job, "num", num)

    def place(self, directory: str) -> None:
        """Say where this job writes."""
        set_text(child(child(self.config, "hydra"), "runtime"), "output_dir", directory)

    def hydra(self) -> Plain:
        """The `hydra` node as plain data, interpolations unresolved, enums by name; to be read only."""
        node = child(self.config, "hydra")
        if self._known is None:
            return {"hydra": plain(node)}
        hydra = dict(self._known["hydra"])
        for section, keys in _VARYING:
            raw = children(child(node, section))
            hydra[section] = {**hydra[section], **{key: plain(raw[key]) for key in keys}}
        return {"hydra": hydra}

    def task(self) -> Plain:
        """Everything but the `hydra` node as plain data, interpolations unresolved; to be read only."""
        with _without_hydra(self.config):
            if self._known is None:
                return plain_dict(self.config)
            task: Plain = plain_except(self.config, self._known, self._changed)
            return task

    def resolved_task(self, unresolved: Plain | None = None) -> Mapping[str, Any]:  # Any: as Plain
        """Everything but the `hydra` node, resolved where only `${hydra:…}` reaches that node, as in a task."""
        task = self.task() if unresolved is None else unresolved
        filled = self._environment.filled(task)
        if filled is not None:
            return filled
        with _without_hydra(self.config):
            if not interpolates(task, naming="hydra"):
                return _resolved(self.config)
            own = copy.deepcopy(self.config)
        # `${hydra:…}` looks into the config that HydraConfig holds: that one must be whole again.
        return _resolved(own)

    def detached(self) -> DictConfig:
        """A copy that outlives the loan."""
        return copy.deepcopy(self.config)


class Choice:
    """The composition of one choice of groups."""

    def __init__(
        self,
        config: DictConfig,
        master: DictConfig,
        chosen: Sequence[Override] = (),
        environment: Environment | None = None,
    ) -> None:
        self._config = config
        self._master = master
        self._environment = environment
        lines = list(config.hydra.overrides.task)
        count = sum(not override.is_hydra_override() for override in chosen)
        self._inherited = lines[: len(lines) - count]

    @cached_property
    def _plain(self) -> Plain:
        return plain_dict(self._config)

    def untouched(self) -> Composition:
        """The config as it was composed; what is done to it stays."""
        return Composition(self._config)

    def accepts(self, values: Sequence[Override]) -> bool:
        """Whether these overrides change nothing but the top-level nodes that they name."""
        return not any(self._leads_elsewhere(override.key_or_group) for override in values)

    @contextmanager
    def applied(self, values: Sequence[Override], overrides: Sequence[Override]) -> Iterator[Composition]:
        """The config with `values` applied, as after Hydra composed `overrides`; undone at the end."""
        known = self._plain  # before anything is changed
        changed = [value.key_or_group for value in values]
        with ExitStack() as stack:
            for value in values:
                stack.enter_context(_restored(*_touched(self._config, value.key_or_group)))
            for section, _ in _VARYING:
                stack.enter_context(_restored(child(child(self._config, "hydra"), section)))
            self._apply(values, overrides)
            yield Composition(self._config, known, changed, self._environment)

    def _apply(self, values: Sequence[Override], overrides: Sequence[Override]) -> None:
        try:
            ConfigLoaderImpl._apply_overrides_to_config(list(values), self._config)
        except OmegaConfBaseException as error:
            # As load_configuration does.
            raise ConfigCompositionException().with_traceback(sys.exc_info()[2]) from error
        own = [override for override in overrides if not override.is_hydra_override()]
        hydra = child(self._config, "hydra")
        set_lines(child(hydra, "overrides"), "task", [*self._inherited, *(str(each.input_line) for each in own)])
        set_text(child(hydra, "job"), "override_dirname", get_overrides_dirname(overrides=own, **self._dirname_style()))
        OmegaConf.copy_cache(from_config=self._master, to_config=self._config)

    def _dirname_style(self) -> Plain:
        style: Plain = self._plain["hydra"]["job"]["config"]["override_dirname"]
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
def _restored(node: DictConfig, keys: Sequence[str] = ()) -> Iterator[None]:
    """Let children be replaced, added or deleted, and those of `keys` be changed; put the old ones back."""
    content = children(node)
    replace_children(node, {key: twin(each) if key in keys else each for key, each in content.items()})
    try:
        yield
    finally:
        replace_children(node, content)


@contextmanager
def _without_hydra(config: DictConfig) -> Iterator[None]:
    content = children(config)
    replace_children(config, {key: each for key, each in content.items() if key != "hydra"})
    try:
        yield
    finally:
        replace_children(config, content)


def plain_dict(node: DictConfig) -> Plain:
    """The node as plain data: interpolations unresolved, enums by name."""
    return cast("Plain", OmegaConf.to_container(node, resolve=False, enum_to_str=True))


def _resolved(config: DictConfig) -> Plain:
    container = cast("Plain", OmegaConf.to_container(config, resolve=True))
    return {str(key): value for key, value in container.items()}
