"""Find the runs that records are about after their sweep's directory was given another name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from .record import AnyRecord, FileReference, Pair, Rating


class CurrentKeys:
    """Know the keys that a directory's runs have now; a key begins with what the directory was called."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)
        self._below = _unique(self._keys, _below)
        self._work = _unique(self._keys, _work)

    def record(self, record: AnyRecord) -> AnyRecord:
        """Return a record of this directory's `ratings.jsonl` with the keys that its runs have now.

        What is rated there is always of the directory's own runs. Of a pair one side may be another sweep's: it is
        changed only where both sides begin with the same name, which is none that is used now.
        """
        if isinstance(record, Rating):
            return record.model_copy(update={"run": self._now(record.run)})
        if isinstance(record, Pair):
            runs = (record.left.run, record.right.run)
            if not self._keys.isdisjoint(runs) or _begin(runs[0]) != _begin(runs[1]):
                return record
            left, right = map(self._now, runs)
            if (left, record.left.file) != (right, record.right.file):
                sides = {"left": FileReference(run=left, file=record.left.file)}
                sides["right"] = FileReference(run=right, file=record.right.file)
                return record.model_copy(update=sides)
        return record

    def _now(self, run: str) -> str:
        if run in self._keys:
            return run
        return self._below.get(_below(run)) or self._work.get(_work(run)) or run


def _begin(key: str) -> str:
    return key.partition("/")[0]


def _below(key: str) -> str:
    """Return the run's place below its sweep's directory, with the mark of what it was asked for."""
    return key.partition("/")[2]


def _work(key: str) -> str:
    """Return the mark of what the run was asked for."""
    return key.rpartition("/")[2]


def _unique(keys: Iterable[str], part: Callable[[str], str]) -> Mapping[str, str]:
    """Return the keys by a part of theirs that no other has."""
    found: dict[str, str | None] = {}
    for key in keys:
        found[part(key)] = None if part(key) in found else key
    return {name: key for name, key in found.items() if key is not None}
