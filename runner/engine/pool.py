"""Spread the runs of a pool over its servers: the next one goes where the fewest are, and a job stays where it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from runner.config.provider import AddressedConfig, ProviderConfig, servers_of
from runner.config.request import VideoRequest
from runner.errors import (
    AuthenticationError,
    HTTPConnectionError,
    ModelNotFoundError,
    RateLimitError,
    RunnerError,
)
from runner.providers.endpoint import resolve
from runner.providers.reference import source_place

from .clock import Backoff, Clock
from .endpoint import EndpointQueue
from .payment import FIRST_TRIES, TRIES
from .recorder import RunRecorder
from .run import Run

_REST = Backoff(base=2, cap=300, floor=0.8)
"""Seconds that a server is left alone after it failed, longer each time."""

_LOOK_SECONDS = 1.0
"""How often the servers are looked at while runs wait: what a 429 took of them comes back unannounced."""


@dataclass(slots=True)
class Member:
    """Hold one server of a pool with what it is good for at present."""

    queue: EndpointQueue
    weight: float
    given: int = 0
    """How many runs were sent to it."""
    failures: int = 0
    """Times in a row that it could not be used."""
    failed_at: float = float("-inf")
    rests_until: float = float("-inf")
    probed: bool = False
    """Whether a run was sent to it since it failed last: nothing else is until that one tells."""

    def free(self, now: float) -> bool:
        """Return whether a run that goes there now would be sent at once; `now` by `Clock.elapsed`."""
        endpoint = self.queue.endpoint
        if endpoint is None or endpoint.stop_event.is_set:
            return False
        if endpoint.accepted_at > self.failed_at:
            self.failures, self.probed = 0, False
        resting = now < self.rests_until or (self.failures > 0 and self.probed)
        return not resting and endpoint.limits.submission_wait <= 0 and self.load < endpoint.limits.places.limit

    @property
    def load(self) -> int:
        """Return how many runs are there or on their way."""
        return self.queue.workers + len(self.queue.waiting)

    def rest(self, clock: Clock) -> float | None:
        """Leave the server alone for a time; its seconds, or None where it rests: what fails together counts once."""
        now = clock.elapsed()
        if now < self.rests_until:
            return None
        self.failures += 1
        seconds = _REST.seconds(self.failures, clock)
        self.failed_at, self.probed, self.rests_until = now, False, now + seconds
        return seconds

    @property
    def spent(self) -> bool:
        """Return whether it failed so often that a provider of one server would be given up."""
        endpoint = self.queue.endpoint
        return endpoint is None or self.failures >= (TRIES if endpoint.answered else FIRST_TRIES)


class PoolQueue(EndpointQueue):
    """Queue the runs of a pool until one of its servers is free."""

    def __init__(self, config: ProviderConfig, clock: Clock) -> None:
        super().__init__(config)
        given = cast("AddressedConfig", config).base_urls
        self.servers = [
            Member(EndpointQueue(server, pool=self, number=number), given[number].weight)
            for number, server in enumerate(servers_of(config))
        ]
        self._places = {resolve(server.queue.config).identity: server.queue for server in self.servers}
        self._clock = clock
        self._changed = asyncio.Event()
        self.spreading = False

    def add(self, position: int, run: Run) -> None:
        """Let a run wait for its turn: one whose job, or whose source, is at a server does so there."""
        place = _place(run)
        if place is None:
            super().add(position, run)
        else:
            self._places.get(place, self.servers[0].queue).add(position, run)

    @property
    def usable(self) -> bool:
        """Return whether anything may still be submitted."""
        return any(server.queue.usable for server in self.servers)

    def changed(self) -> None:
        """Hear that a server may have become free."""
        self._changed.set()

    async def spread(self, staff: Callable[[EndpointQueue], None]) -> None:
        """Hand each waiting run to a server, once one is free; `staff` sets to work on what a queue holds."""
        self.spreading = True
        try:
            while self.waiting and self.usable:
                server = self._next()
                if server is None:
                    await self._wait()
                    continue
                server.probed = True
                server.given += 1
                server.queue.add(*self.waiting.popleft())
                staff(server.queue)
        finally:
            self.spreading = False

    def _next(self) -> Member | None:
        """Return the free server with the fewest runs for its weight, if any."""
        now = self._clock.elapsed()
        free = [server for server in self.servers if server.free(now)]
        if not free:
            # Whom all are told to wait for too long, the endpoint itself gives up.
            open_ones = [server for server in self.servers if server.queue.usable]
            pauses = [server.queue.endpoint.limits.submission_wait for server in open_ones if server.queue.endpoint]
            limit = self.config.job_timeout
            free = open_ones if pauses and min(pauses) > limit else []
        return min(free, key=lambda server: (server.load / server.weight, server.given / server.weight), default=None)

    async def _wait(self) -> None:
        self._changed.clear()
        sleeper = asyncio.create_task(self._clock.sleep(_LOOK_SECONDS))
        listener = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait({sleeper, listener}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            listener.cancel()

    def rest(self, queue: EndpointQueue, error: RunnerError) -> str | None:
        """Leave a server alone that failed with `error`; what to say about it, if this is the first time.

        Where all have failed as often as a provider of one server may, nothing more is submitted.
        """
        server = self.servers[queue.number]
        seconds = server.rest(self._clock)
        if all(each.spent for each in self.servers):
            for each in self.servers:
                if each.queue.endpoint is not None:
                    each.queue.endpoint.stop(error)
            return None
        named = resolve(queue.config).identity
        said = f"nothing more is sent to {named} for {seconds:,.0f} s: {error}" if seconds is not None else None
        return said if server.failures == 1 else None

    def bear(self, queue: EndpointQueue, error: RunnerError) -> str | None:
        """Hear that a run met `error` at a server, as `rest` does; one that asks to wait is fine, and does not rest."""
        waits = isinstance(error, RateLimitError) and error.shared is not True
        return None if waits else self.rest(queue, error)


def _place(run: Run) -> str | None:
    """Return the endpoint to which a run is bound; None where any server will do."""
    if run.earlier is not None and (run.status.paid or run.status.lost):
        return run.earlier.endpoint
    request = run.config.request
    return source_place(request.video) if isinstance(request, VideoRequest) and request.video is not None else None


def server_at(config: ProviderConfig, place: str) -> ProviderConfig:
    """Return the server of a pool to which a run is bound by its endpoint; itself where a provider is no pool."""
    servers = servers_of(config)
    return next((server for server in servers if resolve(server).identity == place), servers[0]) if servers else config


def lacks(config: ProviderConfig, place: str) -> bool:
    """Return whether a pool has no server at this endpoint any more, to which a run is bound; no pool lacks any."""
    servers = servers_of(config)
    return bool(servers) and all(resolve(server).identity != place for server in servers)


_UNSENT = (RateLimitError, HTTPConnectionError, AuthenticationError, ModelNotFoundError)
"""What creates nothing, and what another server may not answer."""


def may_go_elsewhere(recorder: RunRecorder, error: RunnerError) -> bool:
    """Return whether a run that met `error` at one server may be sent to another: nothing was created for it."""
    return isinstance(error, _UNSENT) and error.job_id is None and recorder.result.job_id is None
