"""Read the options of `conf/` as data without Hydra, for programs that use the Python API."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
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
