"""Record in MLflow: one run for each run, a sweep's below a parent run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from runner.artifacts.redaction import without_credentials

from .store import End, Facts

if TYPE_CHECKING:
    from mlflow.entities import Run

T = TypeVar("T")

_STATES = {End.DONE: "FINISHED", End.FAILED: "FAILED", End.CANCELLED: "KILLED", End.OPEN: "KILLED"}
"""MLflow has no word for what was left and can be resumed; the tag runner.status has."""

_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Unless the user has set them: minutes of retries and lines on the terminal are not what a sweep's end needs."""

_SERVERS = ("http:", "https:", "databricks")

_NAME = re.compile(r"[^\w\-. :/]", re.ASCII)
_LONGEST_NAME, _LONGEST_PARAM, _LONGEST_TAG, _AT_ONCE = 250, 6000, 5000, 100
"""MLflow's own limits."""


class MlflowStore:
    """Record in an experiment at a tracking server, or in a database; raises whatever MLflow raises."""

    def __init__(
        self,
        uri: str | None,
        experiment: str,
        env: MutableMapping[str, str],
        clock: Callable[[], float] = time.time,
        asks_server: Callable[[], None] = lambda: None,
    ) -> None:
        """Open `experiment` at `uri`, and make it if need be; MLflow takes its retries from `env`.

        `asks_server` is called before a server is asked; a database is made by this process, which may take minutes.
        """
        for name, value in _SETTINGS.items():
            env.setdefault(name, value)
        from mlflow import MlflowClient

        self._clock = clock
        self._client = MlflowClient(uri)
        if self._client.tracking_uri.startswith(_SERVERS):
            asks_server()
        found = self._client.get_experiment_by_name(experiment)
        self._experiment = found.experiment_id if found else self._client.create_experiment(experiment)
        self.place = f"mlflow {without_credentials(self._client.tracking_uri).partition('?')[0]} {experiment}"

    def begin(self, sweep: Facts, known: str | None) -> str:
        """Begin the sweep's parent run, or set the known one to running again."""
        found = self._found(known)
        if found is None:
            return self._create(sweep, {})
        own = str(found.info.run_id)
        self._client.update_run(own, status="RUNNING")
        return own

    def record(self, run: Facts, parent: str | None, known: str | None) -> Iterator[str]:
        """Record an ended run with its files; one that is known keeps the parameters that it has."""
        found = self._found(known)
        own = str(found.info.run_id) if found else self._create(run, {"mlflow.parentRunId": parent} if parent else {})
        yield own
        self._log(own, run, found)
        # Before its files: if one cannot be uploaded, the run must not seem to be running.
        self._client.set_terminated(own, _STATES[run.end], _milliseconds(run.ended))
        yield own
        for path in run.files:
            self._client.log_artifact(own, str(path))
            yield own

    def end(self, parent: str, sweep: Facts) -> None:
        """End the sweep's parent run with its sums; it does not stay running if those cannot be recorded."""
        try:
            self._log(parent, sweep, self._client.get_run(parent))
        finally:
            self._client.set_terminated(parent, _STATES[sweep.end])

    def _create(self, facts: Facts, tags: Mapping[str, str]) -> str:
        own = {"mlflow.source.name": "runner", "mlflow.source.type": "JOB", **tags, **_texts(facts)}
        run = self._client.create_run(
            self._experiment, _milliseconds(facts.began), own, facts.name[:_LONGEST_NAME] or None
        )
        return str(run.info.run_id)

    def _log(self, run_id: str, facts: Facts, found: Run | None) -> None:
        """Record everything but files: a parameter cannot be changed, a tag that holds no more is removed."""
        from mlflow.entities import Metric, Param, RunTag

        params, tags = (found.data.params, found.data.tags) if found else ({}, {})
        now = _milliseconds(facts.ended) or round(self._clock() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[Metric(_name(key), value, now, 0) for key, value in facts.metrics.items()],
            tags=[RunTag(key, value) for key, value in _texts(facts).items()],
        )
        for key in [key for key, value in facts.tags.items() if value is None and key in tags]:
            self._client.delete_tag(run_id, key)
        given = {_name(key): str(value)[:_LONGEST_PARAM] for key, value in facts.params.items()}
        for some in _portions(Param(key, value) for key, value in given.items() if key not in params):
            self._client.log_batch(run_id, params=some)

    def _found(self, run_id: str | None) -> Run | None:
        """Return the run of this id, if it is still there."""
        from mlflow.exceptions import MlflowException

        if run_id is None:
            return None
        try:
            found = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return found if found.info.lifecycle_stage == "active" else None


def _portions(items: Iterator[T]) -> Iterator[list[T]]:
    while some := list(islice(items, _AT_ONCE)):
        yield some


def _texts(facts: Facts) -> dict[str, str]:
    return {key: value[:_LONGEST_TAG] for key, value in facts.tags.items() if value is not None}


def _name(key: str) -> str:
    return _NAME.sub("_", key)[:_LONGEST_NAME]


def _milliseconds(moment: float | None) -> int | None:
    return None if moment is None else round(moment * 1000)
