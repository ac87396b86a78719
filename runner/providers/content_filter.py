"""What Azure's content filter took offence at, wherever in an answer it says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_RESULTS = ("content_filter_result", "content_filter_results")


def categories(*nodes: object) -> list[str]:
    """The filters that struck in any of these JSON objects, each once, with its severity."""
    return list(dict.fromkeys(name for node in nodes for name in _struck(node)))


def _struck(node: object) -> Iterator[str]:
    if not isinstance(node, Mapping):
        return
    for key in _RESULTS:
        yield from _named(node.get(key))
    # The v1 API lists one result for the prompt and one for what came of it.
    filters = node.get("content_filters")
    for item in filters if isinstance(filters, list) else []:
        yield from _struck(item)


def _named(results: object) -> Iterator[str]:
    if not isinstance(results, Mapping):
        return
    for name, result in results.items():
        if isinstance(result, Mapping) and (result.get("filtered") or result.get("detected")):
            yield _category(str(name), result)


def _category(name: str, result: Mapping[str, Any]) -> str:  # Any: JSON
    details = result.get("details")
    lists = [str(item["id"]) for item in details if isinstance(item, Mapping) and item.get("filtered") and "id" in item
             ] if isinstance(details, list) else []  # fmt: skip
    detail = result.get("severity") or ", ".join(lists)
    return f"{name} ({detail})" if detail else name
