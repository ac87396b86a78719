"""Who takes a request key: the models and servers that conf/ knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .dialect import DIALECTS, EXTENSIONS, Dialect
from .shipped import names, option

_LENIENT = "remove it, or model.validation=warn to run without it"


def takers(key: str, kind: str) -> str:
    """Which models honour a request key, of what kind of request, and on which servers; what else can be done."""
    models = [name for name in names("model") if _honours(name, key, kind)]
    servers = providers(lambda dialect: key in dialect.extensions) if key in EXTENSIONS else ""
    if models and (servers or key not in EXTENSIONS):
        return f"model={one_of(models)}{f' on {servers}' if servers else ''} can take it; {_LENIENT}"
    if servers:
        return f"{servers} can take it, for a model whose model.parameters name it; {_LENIENT}"
    return f"no model of conf/ takes it; {_LENIENT}"


def servers_taking(key: str) -> str:
    """Which servers have a field for a key that the model honours; what else can be done."""
    return f"{providers(lambda dialect: key in dialect.extensions)} can take it; {_LENIENT}"


def providers(able: Callable[[Dialect], bool]) -> str:
    """The compatible servers that are able to do something, as one would choose them."""
    return f"provider={one_of([name for name, dialect in DIALECTS.items() if name != 'plain' and able(dialect)])}"


def one_of(words: Sequence[str]) -> str:
    """The words as alternatives: a, b or c."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _honours(model: str, key: str, kind: str) -> bool:
    data = option("model", model) or {}
    return data.get("kind") == kind and key in (data.get("parameters") or ())
