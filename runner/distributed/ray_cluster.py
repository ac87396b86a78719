"""Run coordinator and workers as Ray's actors, on a cluster that is there or on one of this machine alone."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

from runner.artifacts.atomic import discard, write_text
from runner.config.run import RayConfig
from runner.errors import ConfigError, RunnerError
from runner.text_file import add_environment

from .coordinator import Coordinator
from .driver import WorkerLostError
from .messages import CoordinatorLostError
from .worker import Worker

_PLACING_SECONDS = 120.0
"""How long the cluster may take to place a first worker."""

_OTHERS_SECONDS = 5.0
"""How long the others are waited for then; who comes later is at work from then on."""

_CALLS = 10_000
"""Calls of the coordinator at a time, most of which wait for something."""

_NEVER = {"max_restarts": 0, "max_task_retries": 0}
"""Nothing that may have paid is ever repeated by Ray."""


class Seen(NamedTuple):
    """Describe what a worker found before its start: its node's name, and why it cannot work there, if so."""

    host: str
    problem: str | None = None


class RayWorker:
    """Be one worker's process."""

    def __init__(
        self, name: str, coordinator: Any, *, fail_fast: bool, workers: int = 1
    ) -> None:  # Any: Ray's handle of an actor
        self._name = name
        self._workers = workers
        self._coordinator = coordinator
        self._fail_fast = fail_fast

    def look(self, place: Path, probe: Path, text: str) -> Seen:
        """Go to the driver's directory and read what it has written to the sweep's; keys come from the environment."""
        host = socket.gethostname()
        try:
            os.chdir(place)
            found = probe.read_text(encoding="utf-8")
            add_environment(place)
        except (OSError, RunnerError) as error:
            return Seen(host, str(error))
        return Seen(host) if found == text else Seen(host, f"{probe} is another file there")

    def run(self, place: Path, probe: Path, text: str) -> None:
        """Work until there is no more to do; raises `RunnerError` where it cannot, as `look` finds."""
        # Also where nobody has looked: one that takes a dead one's place must be in the same directory.
        seen = self.look(place, probe, text)
        if seen.problem is not None:
            raise RunnerError(f"{seen.host} does not see what is here: {seen.problem}")
        asyncio.run(Worker(self._name, self._ask, fail_fast=self._fail_fast, workers=self._workers).run())

    def _ask(self, method: str, *arguments: object) -> Future[Any]:  # Any: what the method returns
        return _called(self._coordinator, method, arguments, CoordinatorLostError)


class RayCluster:
    """Connect to a cluster, or start one, for one execution of a sweep's runs."""

    def __init__(
        self,
        config: RayConfig,
        directory: Path,
        token: str,
        *,
        limit: float | None,
        spent: float,
        fail_fast: bool,
        say: Callable[[str], object],
    ) -> None:
        """Take the sweep's directory with the token of its ledger's owner, and its budget in US dollars."""
        self._config = config
        self._directory = directory.absolute()
        self._first = (self._directory, token, limit, spent)
        self._fail_fast = fail_fast
        self._say = say
        self._own = False
        self._actors: dict[str, Any] = {}  # Any: Ray's handles of actors
        self._coordinator: Any = None  # Any: as above
        self._text = secrets.token_hex(16)
        self._probe = self._directory / f".probe-{self._text[:8]}"
        self._place = (Path.cwd(), self._probe, self._text)
        self.workers = config.num_workers or 1

    def __enter__(self) -> Self:
        """Start the coordinator and the workers; raises `ConfigError` where they cannot work."""
        self._connect()
        try:
            self._start()
        except BaseException as error:
            self.__exit__(None, None, None)
            if not isinstance(error, Exception) or isinstance(error, RunnerError):
                raise
            message = f"Ray cannot start what ray.resources={dict(self._config.resources)} asks for"
            raise ConfigError(
                f"{message}: {_first_line(error)}; nothing was sent", hint="ray status shows what there is"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        self.stop()
        discard(self._probe)
        if self._coordinator is not None:
            ray.kill(self._coordinator)
        if self._own:
            ray.shutdown()

    def ask(self, method: str, *arguments: object) -> Future[Any]:
        """Call a method of the coordinator; Any: what it returns."""
        return _called(self._coordinator, method, arguments, CoordinatorLostError)

    def work(self, name: str) -> Future[None]:
        """Start a worker; done when it has ended, with a `WorkerLostError` where it died."""
        actor = self._actors.get(name) or self._worker(name)
        return _called(actor, "run", self._place, WorkerLostError)

    def stop(self) -> None:
        """End all workers at once."""
        import ray

        for actor in self._actors.values():
            ray.kill(actor)
        self._actors.clear()

    def _connect(self) -> None:
        import ray

        if ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        address = self._config.address or os.environ.get("RAY_ADDRESS")
        quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": False}
        if address is None:
            cpus = max(os.cpu_count() or 1, math.ceil(self.workers * self._config.resources.get("num_cpus", 1)))
            quiet |= {"num_cpus": cpus, "include_dashboard": False}
        try:
            ray.init(address=address or "local", **quiet)
        except Exception as error:
            hint = f"ray start --address={address} on this machine first, or ray.address=null for a cluster of its own"
            message = f"there is no Ray cluster: {_first_line(error)}; nothing was sent"
            raise ConfigError(message, hint=hint if address else "give the same command again") from error
        self._own = True

    def _start(self) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        if self._config.num_workers is None:
            nodes = cast("Any", ray).nodes()  # Any: Ray does not say what that is
            self.workers = len([node for node in nodes if node["Alive"]])
        write_text(self._probe, self._text, durable=False)
        here = ray.get_runtime_context().get_node_id()
        # On the driver's node: elsewhere it could not have the ledger's file, and would die with its node.
        beside = NodeAffinitySchedulingStrategy(here, soft=False)
        self._coordinator = (
            ray.remote(Coordinator)
            .options(num_cpus=0, scheduling_strategy=beside, max_concurrency=_CALLS, **_NEVER)
            .remote(*self._first)
        )
        looks = {self._look(f"worker-{number}"): f"worker-{number}" for number in range(self.workers)}
        ready, waiting = ray.wait([*looks], num_returns=1, timeout=_PLACING_SECONDS)
        if not ready:
            raise ConfigError(
                f"the Ray cluster has no room for a worker with ray.resources={dict(self._config.resources)}; "
                "nothing was sent",
                hint="ray status shows what is taken",
            )
        more, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=_OTHERS_SECONDS) if waiting else ([], [])
        for ref in (*ready, *more):
            try:
                seen = ray.get(ref)
            except Exception as error:
                message = f"a worker could not be started on its node: {_first_line(error)}; nothing was sent"
                raise ConfigError(message, hint="install the same mediarunner and ray on all nodes") from error
            self._require(seen)
        if waiting:
            self._say(f"{len(waiting)} of {self.workers} workers wait for room on the cluster")

    def _require(self, seen: Seen) -> None:
        if seen.problem is not None:
            raise ConfigError(
                f"node {seen.host} does not see what is here: {seen.problem}; nothing was sent",
                hint=f"hydra.sweep.dir=DIR and this directory, {Path.cwd()}, must be on a disk that all nodes see",
            )

    def _look(self, name: str) -> Any:  # Any: Ray's reference
        return self._worker(name).look.remote(*self._place)

    def _worker(self, name: str) -> Any:  # Any: Ray's handle of an actor
        import ray

        actor = (
            ray.remote(RayWorker)
            .options(scheduling_strategy="SPREAD", **_NEVER, **_options(self._config.resources))
            .remote(name, self._coordinator, fail_fast=self._fail_fast, workers=self.workers)
        )
        self._actors[name] = actor
        return actor


def _options(resources: Mapping[str, float]) -> dict[str, Any]:  # Any: options of an actor
    """Return what a worker takes of its node: Ray's own names, and others as the cluster's owner calls them."""
    own = {name: value for name, value in resources.items() if name in ("num_cpus", "num_gpus", "memory")}
    return {"num_cpus": 1, **own, "resources": {name: value for name, value in resources.items() if name not in own}}


def _called(actor: Any, method: str, arguments: tuple[object, ...], kind: type[RunnerError]) -> Future[Any]:
    """Call a method of an actor; what goes wrong is an error of this `kind`. Any: a handle, and what is returned."""
    called: Future[Any] = Future()

    def settle(done: Future[Any]) -> None:
        try:
            answer = done.result()
        except BaseException as error:  # noqa: BLE001 - Ray's own, or what the method raised
            with suppress(InvalidStateError):  # nobody waits any more
                called.set_exception(kind(_first_line(error)))
        else:
            with suppress(InvalidStateError):
                called.set_result(answer)

    try:
        getattr(actor, method).remote(*arguments).future().add_done_callback(settle)
    except Exception as error:  # noqa: BLE001 - Ray's own, of which it has many: the actor or the cluster is gone
        called.set_exception(kind(_first_line(error)))
    return called


def _first_line(error: BaseException) -> str:
    """Return what kind of error it is and the first line of what it says: Ray's have a whole traceback in them."""
    cause = getattr(error, "cause", None)  # of what a method raised
    error = cause if isinstance(cause, Exception) else error
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
