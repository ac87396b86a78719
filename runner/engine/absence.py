"""A paid job that its server does not find: parked, looked for again by each resume, and given up only after hours."""

from __future__ import annotations

import datetime as dt

from runner.artifacts.result import Absence, Result
from runner.errors import ExpiredError, JobNotFoundError, RunnerError
from runner.providers.base import Provider

from .clock import Clock

SECONDS = 60.0
"""How long a job is asked for again before its run is parked: a gateway is redeployed in less."""

_LOOKS = 3
_HOURS = 6
"""Processes that looked in vain, and hours that passed meanwhile, before a job is given up."""


def absent(result: Result, error: JobNotFoundError, provider: Provider, clock: Clock) -> RunnerError:
    """Record that the run's job was not found in all of `SECONDS`; return what ends the run for now.

    `JobNotFoundError` parks it. `ExpiredError` gives it up: it was not found by several processes over hours, by the
    server's clock and by one that no change of time moves, where it was created and with the key that created it.
    """
    other_runs = _other_account(result, provider)
    known = result.absence
    if known is None or (known.endpoint, known.credential) != (provider.endpoint, provider.credential):
        result.absence = _first(error, provider, clock)
    else:
        passed = _passed(known, error, clock)
        result.absence = known.model_copy(update={"looks": known.looks + 1, "seconds": passed})
    if not other_runs and given_up(result.absence):
        return _expired(result, error)
    about = f"; {other_runs}" if other_runs else ""
    return _again(error, f"{error.message}{about}")


def given_up(absence: Absence | None) -> bool:
    """Return whether a job was not found so often and for so long that this is no accident."""
    return absence is not None and absence.looks >= _LOOKS and absence.seconds >= _HOURS * 3600


def patience(result: Result, provider: Provider) -> float:
    """Return the seconds for which an absent job is asked for: none where it was given up, or another account asks."""
    return 0.0 if given_up(result.absence) or _other_account(result, provider) else SECONDS


def _first(error: JobNotFoundError, provider: Provider, clock: Clock) -> Absence:
    return Absence(
        since=dt.datetime.fromtimestamp(clock.time(), dt.UTC),
        endpoint=provider.endpoint,
        credential=provider.credential,
        server_time=error.server_time,
        boot=clock.boot(),
        elapsed=clock.elapsed(),
    )


def _passed(known: Absence, error: JobNotFoundError, clock: Clock) -> float:
    """Return seconds since the first look: the least that any clock tells that this machine's time cannot move."""
    told = []
    if known.server_time is not None and error.server_time is not None:
        told.append(error.server_time - known.server_time)
    if known.boot is not None and known.boot == clock.boot():
        told.append(clock.elapsed() - known.elapsed)
    return max(known.seconds, min(told, default=0.0))


def _other_account(result: Result, provider: Provider) -> str:
    """Return why the job is asked for where it was not created, for people; empty if nothing says so."""
    if result.endpoint != provider.endpoint:
        return f"it was created at {result.endpoint}, and is asked for at {provider.endpoint}"
    made = next((each.credential for each in result.attempts if each.job_id == result.job_id), "")
    then, now = made.partition("#"), provider.credential.partition("#")
    if not (then[2] and now[2]) or then[2] == now[2]:
        return ""
    return f"it was created with another key, organization or project (from {then[0]}) than {now[0]} has now"


def _expired(result: Result, error: JobNotFoundError) -> ExpiredError:
    absence = result.absence
    hours = (absence.seconds if absence else 0.0) / 3600
    looks = absence.looks if absence else 0
    return ExpiredError(
        f"{error.message}; not found by any of {looks} processes in {hours:.0f} h",
        hint="it is given up, and not paid for again by itself; resume still looks for it once",
        code="not_found",
        provider=error.provider,
        job_id=error.job_id,
        request_id=error.request_id,
    )


def _again(error: JobNotFoundError, message: str) -> JobNotFoundError:
    return JobNotFoundError(
        message,
        hint=error.hint,
        code=error.code,
        provider=error.provider,
        model=error.model,
        job_id=error.job_id,
        request_id=error.request_id,
        raw_response=error.raw_response,
        status_code=error.status_code,
        server_time=error.server_time,
    )
