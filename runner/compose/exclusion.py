"""Leave points out of a sweep: those that agree with an entry of `exclude`, and those that a model does not offer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from runner.config.capability import check
from runner.config.columns import ID, key_of, nearest_key
from runner.config.problem import Problem
from runner.config.run import RunConfig, sent_size
from runner.config.sweep import SweepConfig
from runner.engine.run import Run

from .preflight import Finding, PreflightError

_GROUPS = {"provider": "kind", "model": "name", "request": "kind"}
"""The key by which a section says what it is, where its option is not among the overrides."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Hold an entry of `exclude`: as it is written, and by its keys in full."""

    text: str
    wanted: Mapping[str, Any]  # Any: values of the config

    def covers(self, run: Run) -> bool:
        return all(_agrees(run, key, wanted) for key, wanted in self.wanted.items())


class Exclusion:
    """Say of runs as they are planned whether they are left out, and count them."""

    def __init__(self, settings: Sequence[SweepConfig]) -> None:
        """Take what each point's config says of the sweep; raises `PreflightError` for a key that is none."""
        self._settings = settings
        distinct = {id(each): each for each in settings}
        self._entries = {name: [*map(_entry, each.exclude)] for name, each in distinct.items()}
        self._dropped: Counter[str] = Counter()

    def drops(self, place: int, run: Run) -> bool:
        """Return whether the run of the point at `place` is left out."""
        reason = self._reason(self._settings[place], run)
        if reason is not None:
            self._dropped[reason] += 1
        return reason is not None

    def _reason(self, settings: SweepConfig, run: Run) -> str | None:
        for entry in self._entries[id(settings)]:
            if entry.covers(run):
                return _because(entry)
        if settings.on_unsupported == "skip":
            found = next((problem for problem in check(run.config) if problem.severity == "error"), None)
            return None if found is None else f"not offered: {found.text}"
        return None

    def warnings(self) -> Iterator[Problem]:
        """Yield the entries of `exclude` that no run agrees with: one of their keys or values may be misspelt."""
        if any(each.shard for each in self._settings):
            return  # another part may have such runs
        for entry in chain.from_iterable(self._entries.values()):
            if _because(entry) not in self._dropped:
                yield Problem("exclude", f"{entry.text} leaves nothing out", severity="warning")

    def lines(self) -> Iterator[str]:
        """Yield what was left out, a line for each reason."""
        for reason, count in self._dropped.items():
            yield f"left out: {count:,} {'run' if count == 1 else 'runs'} ({reason})"


def _because(entry: _Entry) -> str:
    return f"exclude: {entry.text}"


def _entry(entry: Mapping[str, Any]) -> _Entry:  # Any: as above
    text = "{" + ", ".join(f"{key}: {value}" for key, value in entry.items()) + "}"
    return _Entry(text, {_in_full(key): wanted for key, wanted in _flat(entry)})


def _in_full(name: str) -> str:
    key = key_of(name)
    if key is None:
        near = nearest_key(name)
        problem = Problem(
            "exclude", f"{name!r} is no key", f"did you mean {near}?" if near else "as in model, request.size"
        )
        raise PreflightError([Finding(None, problem)], total=0)
    return key


def _flat(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:  # Any: as above
    for key, value in entry.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", part) for name, part in _flat(value))
        else:
            yield key, value


def _agrees(run: Run, key: str, wanted: object) -> bool:
    choices = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
    values = [*_values(run.config, run.overrides, key)]
    return any(_same(value, choice) for value in values for choice in choices)


def _values(config: RunConfig, overrides: Sequence[str], key: str) -> Iterator[object]:
    """Yield the value of a key, in each way in which one would write it."""
    if key == ID:
        yield config.run.id
        return
    if key in _GROUPS:
        yield from (line.partition("=")[2] for line in overrides if line.lstrip("+").partition("=")[0] == key)
        yield getattr(getattr(config, key), _GROUPS[key])
        return
    if key == "request.size":
        yield sent_size(config.request, config.model)
    node: object = config
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else getattr(node, part, None)
    yield node


def _same(value: object, wanted: object) -> bool:
    """Return whether two values are the same, or are written the same."""
    if isinstance(value, bool) or isinstance(wanted, bool) or value is None or wanted is None:
        return value is wanted
    return value == wanted or str(value) == str(wanted)
