"""Know the config groups and read the options of `conf/` as data, by the names of files, without Hydra."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

Group = Literal["provider", "model", "request"]

_VARIABLE = re.compile(r"\$\{oc\.env:(\w+)(?:,(.*))?\}")


_PACKAGE = Path(__file__).parent.parent

CONF = (_PACKAGE if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent) / "conf"
"""Where the config groups are: inside the package in a wheel, beside it in a checkout."""


REFRESHED = Path(".runner") / "conf"
"""Where `models --refresh` keeps what hosts list, as options of the model group: beside `.env`."""


@functools.cache
def names(group: Group) -> tuple[str, ...]:
    """Return the options that a group offers, sorted."""
    return tuple(sorted(path.stem for path in (CONF / group).glob("*.yaml")))


def option(group: Group, name: str, env: Mapping[str, str] = os.environ) -> dict[str, Any] | None:  # Any: unvalidated
    """Return one option's keys, with `${oc.env:NAME,default}` looked up in `env`; None if there is no such option."""
    if name not in names(group):
        return None
    return {key: _resolved(value, env) for key, value in _read(group, name).items()}


def parsed_yaml(text: str) -> dict[str, Any]:  # Any: not yet validated
    """Return what a shipped file says, read by libyaml where there is one, which takes a tenth of the time."""
    import yaml

    content: dict[str, Any] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    return content


@functools.cache
def _read(group: Group, name: str) -> dict[str, Any]:  # Any: not yet validated
    return parsed_yaml((CONF / group / f"{name}.yaml").read_text(encoding="utf-8"))


def _resolved(value: object, env: Mapping[str, str]) -> object:
    found = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    return env.get(found[1], None if found[2] in (None, "null") else found[2])


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
