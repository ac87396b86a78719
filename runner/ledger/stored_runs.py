"""Make runs of a ledger's rows: whole sweeps are read, and what most runs have in common is validated once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from runner.artifacts.result import Result
from runner.config.request import RequestConfig
from runner.config.run import RunConfig
from runner.engine.run import Run

from .discover import run_directory

SHARED = ("provider", "model", "fallbacks")
"""The parts of a config that most runs of a sweep have in common; each is stored once."""

SELECT = "SELECT number, directory, fingerprint, config, overrides, result FROM runs"
"""What `StoredRuns` takes."""

_REQUEST: TypeAdapter[RequestConfig] = TypeAdapter(RequestConfig)
_MISSING = object()

Own = dict[str, Any]
"""Any: JSON. The other parts of a config."""


class StoredRuns:
    """Make runs of the rows of the ledger in `place`, whose `sections` are what its configs share."""

    def __init__(self, sections: Mapping[int, Any], place: Path) -> None:  # Any: JSON
        self._sections = sections
        self._place = place
        self._first: dict[tuple[int, ...], tuple[RunConfig, Own]] = {}

    def run(self, row: tuple[Any, ...]) -> Run:  # Any: SQLite's
        """Return the run of a row; raises what a damaged record makes Python raise."""
        index, directory, fingerprint, packed, overrides, text = row
        shared, own = from_json(packed)
        config, lines = self._config(tuple(shared), from_json(own)), tuple(str(line) for line in from_json(overrides))
        result = None
        if text is not None:
            # As text: a Python object of each part, made only to be validated, would take half as long again.
            known = f'{{"index":{index},"overrides":{json.dumps(lines)},"config":null,{text[1:]}'
            result = Result.model_validate_json(known, context={"config": config})
        place = self._place / run_directory(directory)
        return Run(index, config, place, lines, str(fingerprint), earlier=result)

    def _config(self, shared: tuple[int, ...], own: Own) -> RunConfig:
        """Return a config; what is as in the first one with the same sections is the same object in both."""
        if shared not in self._first:
            sections = {name: self._sections[key] for name, key in zip(SHARED, shared, strict=True)}
            self._first[shared] = RunConfig.model_validate({**own, **sections}), own
            return self._first[shared][0]
        first, known = self._first[shared]
        changed = {key for key in {**known, **own} if known.get(key, _MISSING) != own.get(key, _MISSING)}
        if not changed:
            return first
        if changed == {"request"}:
            try:
                return first.model_copy(update={key: _REQUEST.validate_python(own[key]) for key in changed})
            except (ValidationError, KeyError):
                pass  # which is said with the whole config's keys
        same = {key: getattr(first, key) for key in (*SHARED, *(known.keys() - changed)) if hasattr(first, key)}
        return RunConfig.model_validate({**own, **same})
