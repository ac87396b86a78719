"""Have files measured by a child that knows no key, within a limit of time; what kills it costs one file's numbers."""

from __future__ import annotations

import json
import os
import queue
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from runner.child import how_ended, start

from .metric import Subject

SECONDS = 300.0
"""For which one file may be measured, unless told otherwise."""

_START_SECONDS = 120.0
"""In which one's own metrics have to be imported."""

_FOR_MODELS = re.compile(
    r"HF_HOME|HF_HUB_(CACHE|OFFLINE)|TRANSFORMERS_OFFLINE|TORCH_HOME|XDG_CACHE_HOME|OMP_.*|CUDA_.*"
)
"""Variables that one's own metrics may need to find their models and devices; none of them holds a key."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Describe a metric as the child knows it.

    Attributes:
        version: of what is computed.
        depends_on: fields of `Subject` that its number depends on, beside the file's content.
        better: `higher`, `lower`, or None.
    """

    version: int | str
    depends_on: tuple[str, ...]
    better: str | None


class MeasuringError(Exception):
    """Tell why the child could not be started or gave no answer."""


class Measurer:
    """Hold the child, which is started when it is needed and again after it died."""

    def __init__(self, names: Sequence[str], seconds: float = SECONDS) -> None:
        """Take the metrics' names, and for how long one file may be measured."""
        self._names = [*names]
        self._seconds = seconds
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def facts(self) -> tuple[Mapping[str, Facts], Mapping[str, str]]:
        """Return what is known of each metric, and why others cannot be used; raises `MeasuringError`."""
        hello = self._ready().hello
        facts = {
            name: Facts(each["version"], tuple(each["depends_on"]), each["better"])
            for name, each in hello["metrics"].items()
        }
        return facts, hello["errors"]

    def measure(self, subject: Subject, names: Sequence[str]) -> tuple[Mapping[str, float | None], Mapping[str, str]]:
        """Return the file's values, None where it has no such number, and why others could not be computed."""
        try:
            answer = self._ready().ask({"subject": subject.plain, "metrics": [*names]}, self._seconds)
        except MeasuringError as error:
            self.close()
            return {}, dict.fromkeys(names, str(error))
        return answer["values"], answer["errors"]

    def _ready(self) -> _Child:
        if self._child is None:
            self._child = _Child(self._names)
        return self._child

    def close(self) -> None:
        """End the child, whatever it is doing; may be called from another thread."""
        child, self._child = self._child, None
        if child is not None:
            child.close()


class _Child:
    """Hold one process and the thread that reads its answers."""

    def __init__(self, names: Sequence[str]) -> None:
        variables = {name: value for name, value in os.environ.items() if _FOR_MODELS.fullmatch(name)}
        # One file after the other, each on one core: libraries that start threads would only get in each other's way.
        variables |= {"OPENBLAS_NUM_THREADS": "1"}
        try:
            self._process = start("runner.metrics.measuring", *names, trusted=False, variables=variables)
        except OSError as error:
            raise MeasuringError(f"no process could be started: {error.strerror or error}") from error
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._listen, name="runner-measurer", daemon=True)
        self._thread.start()
        try:
            self.hello = self._next(_START_SECONDS)
        except MeasuringError:
            self.close()
            raise

    def ask(self, order: Mapping[str, Any], seconds: float) -> dict[str, Any]:  # Any: JSON
        """Return the answer to an order; raises `MeasuringError`."""
        with suppress(BrokenPipeError, ValueError):  # the thread knows, too, and tells
            self._stdin.write(json.dumps(order).encode() + b"\n")
            self._stdin.flush()
        return self._next(seconds)

    def close(self) -> None:
        """End the process."""
        with suppress(BrokenPipeError):
            self._stdin.close()
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def _next(self, seconds: float) -> dict[str, Any]:  # Any: JSON
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise MeasuringError(f"it took longer than {seconds:g} s") from None
        if not line.endswith(b"\n"):
            status = self._process.wait()
            raise MeasuringError(f"the process that measures ended ({how_ended(status)})")
        answer: dict[str, Any] = json.loads(line)  # Any: as above
        return answer

    @property
    def _stdin(self) -> Any:  # Any: a pipe that was asked for
        return self._process.stdin

    def _listen(self) -> None:
        stdout: Any = self._process.stdout  # Any: as above
        with stdout:
            for line in stdout:
                self._answers.put(line)
        self._answers.put(b"")
