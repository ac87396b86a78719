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


def checked_provider(name: str) -> str:
    """The provider's name as `conf/provider/` spells it; `ValueError` if there is none."""
    spelled = name.replace("-", "_")
    known = names("provider")
    if spelled not in known:
        near = did_you_mean(spelled, known)
        raise ValueError(f"{name!r} is no provider{f'; did you mean {near}?' if near else ''} ({', '.join(known)})")
    return spelled


def _unknown(name: str, known: Iterable[str]) -> str:
    near = did_you_mean(name, known)
    return f"{name!r} is no field{f'; did you mean {near!r}?' if near else ''}"
