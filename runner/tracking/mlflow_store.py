"""MLflow: a run a run, those of a sweep below a parent run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from itertools import islice
from typing import TypeVar

from .store import End, Facts, Value

T = TypeVar("T")

_STATES = {End.DONE: "FINISHED", End.FAILED: "FAILED", End.CANCELLED: "KILLED", End.OPEN: "KILLED"}
"""MLflow has no word for what was left and can be gone on with; the tag runner.status has."""

_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Unless the user has set them: minutes of retries and lines on the terminal are not what a sweep's end needs."""

_USER = re.compile(r"://[^/\s@]+@")
_NAME = re.compile(r"[^\w\-. :/]", re.ASCII)
_LONGEST_NAME, _LONGEST_PARAM, _LONGEST_TAG, _AT_ONCE = 250, 6000, 5000, 100
"""MLflow's own limits."""


class MlflowStore:
    """An experiment at a tracking server, or in a database; raises whatever MLflow raises."""

    def __init__(self, uri: str | None, experiment: str, env: MutableMapping[str, str]) -> None:
        """Open `experiment` at `uri`, and make it if need be; MLflow takes its timeouts from `env`."""
        for name, value in _SETTINGS.items():
            env.setdefault(name, value)
        from mlflow import MlflowClient

        self._client = MlflowClient(uri)
        found = self._client.get_experiment_by_name(experiment)
        self._experiment = found.experiment_id if found else self._client.create_experiment(experiment)
        self.place = f"mlflow {_without_user(self._client.tracking_uri)} {experiment}"

    def begin(self, sweep: Facts, known: str | None) -> str:
        """Begin the sweep's parent run, or set the known one to running again."""
        if known is not None and self._is_there(known):
            self._client.update_run(known, status="RUNNING")
            return known
        return self._create(sweep, {})

    def record(self, run: Facts, parent: str | None, known: str | None) -> str:
        """Record an ended run with its files; one that is known keeps its parameters."""
        if known is None or not self._is_there(known):
            known = self._create(run, {"mlflow.parentRunId": parent} if parent else {})
        else:
            self._log(known, {}, run)
        for path in run.files:
            self._client.log_artifact(known, str(path))
        self._client.set_terminated(known, _STATES[run.end], _milliseconds(run.ended))
        return known

    def end(self, parent: str, sweep: Facts) -> None:
        """End the sweep's parent run with its sums."""
        self._log(parent, {}, sweep)
        self._client.set_terminated(parent, _STATES[sweep.end])

    def _create(self, facts: Facts, tags: Mapping[str, str]) -> str:
        own = {"mlflow.source.name": "runner", "mlflow.source.type": "JOB", **tags}
        run = self._client.create_run(
            self._experiment, _milliseconds(facts.began), own, facts.name[:_LONGEST_NAME] or None
        )
        run_id = str(run.info.run_id)
        self._log(run_id, facts.params, facts)
        return run_id

    def _log(self, run_id: str, params: Mapping[str, Value], facts: Facts) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now = _milliseconds(facts.ended) or 0
        metrics = [Metric(key, value, now, 0) for key, value in facts.metrics.items()]
        tags = [RunTag(key, value[:_LONGEST_TAG]) for key, value in facts.tags.items()]
        given = iter(Param(_name(key), str(value)[:_LONGEST_PARAM]) for key, value in params.items())
        self._client.log_batch(run_id, metrics=metrics, tags=tags)
        for some in _portions(given):
            self._client.log_batch(run_id, params=some)

    def _is_there(self, run_id: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return bool(self._client.get_run(run_id).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise


def _portions(items: Iterator[T]) -> Iterator[list[T]]:
    while some := list(islice(items, _AT_ONCE)):
        yield some


def _name(key: str) -> str:
    return _NAME.sub("_", key)[:_LONGEST_NAME]


def _milliseconds(moment: float | None) -> int | None:
    return None if moment is None else round(moment * 1000)


def _without_user(uri: str) -> str:
    return _USER.sub("://", uri).partition("?")[0]
