"""Know the config groups and their options by the names of files, as Hydra lists them, without importing it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from .shipped import CONF, REFRESHED

GROUPS = ("provider", "model", "request", "experiment", "tracking", "hydra")

NO_CONFIG = ("__pycache__", "__init__.py")
_PLUGINS = frozenset(
    {"runner", "hydra_ax_sweeper", "hydra_colorlog", "hydra_joblib_launcher", "hydra_nevergrad_sweeper",
     "hydra_optuna_sweeper", "hydra_ray_launcher", "hydra_rq_launcher", "hydra_submitit_launcher"}
)  # fmt: skip
"""Plugins whose options are of Hydra's own groups; any other may bring groups, or options of ours."""


def files_tell_all() -> bool:
    """Return whether the shipped files and those that were read from hosts are all that Hydra would list."""
    spec = find_spec("hydra_plugins")
    places = (spec.submodule_search_locations or ()) if spec is not None else ()
    found = {name for place in places if os.path.isdir(place) for name in os.listdir(place)}  # noqa: PTH112, PTH208 - text
    return found <= _PLUGINS | {*NO_CONFIG}


def _listed(directory: Path) -> tuple[set[str], set[str]]:
    """Return the names of the groups in a directory, and of its options."""
    found = [path for path in directory.iterdir() if path.name not in NO_CONFIG]
    groups = {path.name for path in found if path.is_dir()}
    return groups, {path.stem for path in found if path.suffix == ".yaml" and path.is_file()}


def below(group: str = "") -> tuple[set[str], set[str]]:
    """Return the groups and the options in a group, or at the top."""
    groups: set[str] = set()
    options: set[str] = set()
    for root in (CONF, REFRESHED):
        if (root / group).is_dir():
            some, others = _listed(root / group)
            groups |= some
            options |= others
    return groups, options


def all_groups(above: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield every group that has options, with those, but for Hydra's own."""
    for name in sorted(below(above)[0] - {"hydra"}):
        group = f"{above}/{name}" if above else name
        options = below(group)[1]
        if options:
            yield group, sorted(options)
        yield from all_groups(group)
