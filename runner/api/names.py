"""Names that a program gives, refused with the nearest that exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runner.config.problem import did_you_mean
from runner.config.shipped import names


def refuse_unknown(given: object, known: Iterable[str]) -> None:
    """Raise `ValueError` naming every keyword that no field has; a misspelt one would cost the full price."""
    if not isinstance(given, Mapping):
        return
    fields = list(known)
    unknown = [_unknown(str(name), fields) for name in given if name not in fields]
    if unknown:
        raise ValueError("; ".join(unknown))


def checked_model(name: str) -> str:
    """Return the name of a model that `conf/model/` describes; `ValueError` if there is none."""
    known = names("model")
    if name not in known:
        near = did_you_mean(name, known)
        raise ValueError(f"{name!r} is no model{f'; did you mean {near}?' if near else ''} ({', '.join(known)})")
    return name


def _unknown(name: str, known: Iterable[str]) -> str:
    near = did_you_mean(name, known)
    return f"{name!r} is no field{f'; did you mean {near!r}?' if near else ''}"
