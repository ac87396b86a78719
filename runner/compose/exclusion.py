"""Leave points out of a sweep: those that agree with an entry of `exclude`, and those that a model does not offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.config.capability import check
from runner.config.columns import ID, key_of
from runner.config.problem import Problem
from runner.config.run import RunConfig, sent_size
from runner.config.sweep import SweepConfig
from runner.engine.run import Run
from runner.errors import ConfigError

from .preflight import Finding, PreflightError

_GROUPS = {"provider": "kind", "model": "name", "request": "kind"}
"""The key by which a section says what it is, where its option is not among the overrides."""


@dataclass(slots=True)
class Exclusion:
    """Say of runs as they are planned whether they are left out.

    Attributes:
        dropped: of each reason, the parameters of the runs that it has left out.
    """

    dropped: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _entries: dict[str, None] = field(default_factory=dict)

    def drops(self, run: Run, settings: SweepConfig) -> bool:
        """Return whether a run is left out; raises `PreflightError` for a key that is none."""
        reason = self._reason(run, settings)
        if reason is not None:
            self.dropped.setdefault(reason, []).append(run.overrides)
        return reason is not None

    def _reason(self, run: Run, settings: SweepConfig) -> str | None:
        texts = [_text(entry) for entry in settings.exclude]
        self._entries |= dict.fromkeys(texts)
        for text, entry in zip(texts, settings.exclude, strict=True):
            if all(_agrees(run, key, wanted) for key, wanted in _by_key(entry).items()):
                self._used.add(text)
                return f"exclude: {text}"
        if settings.on_unsupported == "skip":
            found = next((problem for problem in check(run.config) if problem.severity == "error"), None)
            return None if found is None else f"not offered: {found.text}"
        return None

    def warnings(self) -> Iterator[Problem]:
        """Yield the entries of `exclude` that no run agrees with: one of their keys or values may be misspelt."""
        for text in self._entries:
            if text not in self._used:
                yield Problem("exclude", f"{text} leaves nothing out", severity="warning")

    def lines(self) -> Iterator[str]:
        """Yield what was left out, a line for each reason."""
        for reason, runs in self.dropped.items():
            yield f"left out: {len(runs):,} {'run' if len(runs) == 1 else 'runs'} ({reason})"


def _text(entry: Mapping[str, Any]) -> str:  # Any: values of the config
    return "{" + ", ".join(f"{key}: {value}" for key, value in entry.items()) + "}"


def _by_key(entry: Mapping[str, Any]) -> dict[str, Any]:  # Any: as above
    """Return an entry with its keys in full."""
    try:
        return {key_of(key): wanted for key, wanted in _flat(entry)}
    except ConfigError as error:
        problem = Problem("exclude", error.message.replace("the column ", ""), error.hint)
        raise PreflightError([Finding(None, problem)], total=0) from error


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
