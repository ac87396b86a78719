"""Describe one run as one cell of the page: a JSON object with its files' addresses, and what only its config has."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from runner.artifacts.picture import NAME as POSTER
from runner.artifacts.redaction import redacted
from runner.artifacts.result import Artifact, Result
from runner.artifacts.run_status import RunStatus
from runner.config.run import RunConfig
from runner.display.closing import status_text
from runner.metrics.scores import NO_SCORES, ScoreTable
from runner.results.run_key import file_scores, run_key
from runner.results.state import RunState, state_of

_PREVIEW = "remote-"
"""What the names of files begin with that the server made of its own video."""

Inside = Callable[[Artifact], str | None]
"""The `data:` address of a run's file, or None where it stays beside the page."""


@dataclass(frozen=True, slots=True)
class CellPlace:
    """Describe where a run stands on its page, however far it has come.

    Attributes:
        sweep: the number of its sweep.
        name: of its directory, the same on every page.
        number: of the run within the sweep.
        at: its index on each axis.
        label: what tells it from its siblings.
        own: the leaves of its config that not all runs share.
        directory: the run's, relative to the page; not yet encoded.
        typed: the run's directory, as the user would type it.
    """

    sweep: int
    name: str
    number: int
    at: Sequence[int | None]
    label: str
    own: Mapping[str, Any]  # Any: JSON
    directory: str
    typed: str


def cell(
    place: CellPlace,
    result: Result,
    *,
    busy: bool,
    resume: str | None = None,
    repeatable: bool = True,
    scores: ScoreTable = NO_SCORES,
    inside: Inside | None = None,
) -> dict[str, Any]:  # Any: JSON
    """Return the cell of a run.

    Args:
        place: where it stands on the page.
        result: how far it has come.
        busy: whether someone is at work on it.
        resume: the command that brings it further.
        repeatable: whether its directory holds what `repeat` needs.
        scores: what metrics gave the sweep's files.
        inside: takes its files into the page.
    """
    state = state_of(result.status, busy=busy)
    config = result.config.choice(result.choice)
    reason, hint = _reason(result, state, busy=busy)
    return {
        "id": f"{place.sweep}/{place.number}",
        "key": run_key(place.name, result),
        "number": place.number,
        "sweep": place.sweep,
        "at": place.at,
        "status": result.status.value,
        "group": state.value,
        "reason": reason,
        "hint": hint,
        "continue": resume,
        "repeat": f"python -m runner repeat {place.typed}" if repeatable else None,
        "directory": address(place.directory),
        "prompt": result.config.request.prompt,
        "label": place.label,
        "provider": result.provider,
        "model": result.model,
        "deployment": result.deployment or config.model.deployment,
        "job_id": result.job_id,
        **_money(result),
        "latency_seconds": result.latency_seconds,
        "times": {
            name: time.isoformat(timespec="milliseconds")
            for name, time in result.timestamps.items()
            if result.status is not RunStatus.PLANNED
        },
        "attempts": len(result.attempts),
        "retries": max(0, len(result.attempts) - 1),
        "polls": result.polls,
        "warnings": result.warnings,
        "own": place.own,
        "media": [*_media(place, result, scores, inside or _nothing)],
    }


def _reason(result: Result, state: RunState, *, busy: bool) -> tuple[str | None, str | None]:
    if result.error is not None and state is not RunState.DONE:
        return _without_id(result.error.message, result.job_id), result.error.hint
    if state is RunState.UNCERTAIN or (result.status.unfinished and not busy):
        return _without_id(status_text(result), result.job_id), None
    return None, None


def _without_id(reason: str, job_id: str | None) -> str:
    """Return a reason without the job's id, which stands in the open run: among many runs it hides what matters."""
    return reason.replace(f"job {job_id}", "the job") if job_id else reason


def _money(result: Result) -> dict[str, object]:
    return {
        "estimated_usd": result.cost.estimated_usd,
        "actual_usd": result.cost.actual_usd,
        # Nothing is known yet of a request that was not sent, or only just now.
        "spent_usd": None if result.status.unfinished and not result.attempts else result.spent_usd,
        "saved_usd": result.saved_usd,
        "reused_from": result.reused_from,
    }


def _nothing(_: Artifact) -> None:
    """Take no file into the page."""


def _media(
    place: CellPlace, result: Result, scores: ScoreTable, inside: Inside
) -> Iterator[dict[str, Any]]:  # Any: JSON
    """Yield the files to look at: those that were asked for, then those that only the open run shows.

    These are the server's previews and the sketches that came before an image, which stay beside the page: in it they
    would take room from what was asked for.
    """
    poster = next((each for each in result.artifacts if each.path == POSTER), None)
    others = [each for each in result.artifacts if each is not poster]
    asked = [each for each in others if not each.path.startswith(_PREVIEW)]
    extra = [*(each for each in others if each.path.startswith(_PREVIEW)), *result.partial_images]
    # Before the media, so that every run shows something even if not all files fit.
    small = poster and (inside(poster) or _address(place, poster))
    for artifact in [*asked, *extra]:
        yield {
            "name": artifact.path,
            "path": (inside(artifact) if not asked or artifact in asked else None) or _address(place, artifact),
            "type": artifact.media_type,
            "extra": bool(asked) and artifact not in asked,
            "poster": small if asked and artifact is asked[0] else None,
            "width": artifact.width,
            "height": artifact.height,
            "seconds": artifact.duration_seconds,
            "fps": artifact.fps,
            "video_codec": artifact.video_codec,
            "audio_codec": artifact.audio_codec,
            "bytes": artifact.bytes,
            "sha256": artifact.sha256,
            "revised_prompt": artifact.revised_prompt,
            "scores": {**file_scores(scores, result, artifact)},
        }


def _address(place: CellPlace, artifact: Artifact) -> str:
    return address(f"{place.directory}/{artifact.path}")


def address(path: str) -> str:
    """Return a relative path as an address; names may hold `#`, `?`, `%` and what is no text."""
    return "/".join(_segment(segment) for segment in path.replace(os.sep, "/").split("/"))


@lru_cache(1024)
def _segment(name: str) -> str:
    return quote(os.fsencode(name), safe="")


Leaves = dict[str, Any]
"""Dotted key to JSON. Any: JSON."""

HOW = frozenset(
    [
        "budget",
        "delete_remote",
        "dry_run",
        "fail_fast",
        "gallery",
        "metrics",
        "name",
        "objective",
        "progress",
        "reuse",
        "reuse_from",
        "storage",
        "tags",
        "tracking",
        "verify",
        "yes",
    ]
)
"""Keys of a config that say how a call behaved and nothing of what it made: two sweeps seldom have the same."""

_FILLED = {f"vars.{name}": f"request.{name}" for name in ("prompt", "negative_prompt")}
"""Words by which a table's prompt is sent as it stands, and where it stands then."""

LONGEST = 65_536
"""Characters of a text that are shown: twice the longest prompt; an image that was given as text is longer."""

_SIMPLE = (bool, int, str, type(None))


class ConfigDiff:
    """Compare many configs; only fields that differ are looked into."""

    def __init__(self, configs: Sequence[RunConfig]) -> None:
        self._first = _leaves(configs[0]) if configs else {}
        fields = _differing_fields(configs)
        self._own = [dict(_of(config, fields)) for config in configs]
        # A field that differs may hold leaves that do not.
        self._differing = {key for own in self._own[1:] for key in _unlike(own, self._own[0])}

    @property
    def shared(self) -> Leaves:
        """Return the leaves that all configs have equal."""
        return {key: value for key, value in self._first.items() if key not in self._differing}

    def own(self, number: int) -> Leaves:
        """Return the other leaves, of one config."""
        own = {key: value for key, value in self._own[number].items() if key in self._differing}
        twice = {key for key, filled in _FILLED.items() if key in own and own[key] == own.get(filled)}
        return {key: value for key, value in own.items() if key not in twice}


def _unlike(one: Leaves, other: Leaves) -> Iterator[str]:
    missing = object()
    return (key for key in {**one, **other} if one.get(key, missing) != other.get(key, missing))


def _differing_fields(configs: Sequence[RunConfig]) -> dict[str, list[str]]:
    """Return, by section, the fields that are not the same in all configs; a section without fields is its own."""
    found: dict[str, dict[str, None]] = {}
    for config in configs[1:]:
        for section in RunConfig.model_fields:
            one, other = getattr(config, section), getattr(configs[0], section)
            if one is not other and one != other:
                found.setdefault(section, {}).update(dict.fromkeys(_differing(one, other)))
    return {section: [*names] for section, names in found.items()}


def _differing(one: object, other: object) -> Iterator[str]:
    if not (isinstance(one, BaseModel) and isinstance(other, BaseModel)):
        yield ""
        return
    missing = object()
    for name in {**type(one).model_fields, **type(other).model_fields}:
        if getattr(one, name, missing) != getattr(other, name, missing):
            yield name


def _of(config: RunConfig, fields: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Any]]:  # Any: JSON
    """Yield the leaves of some fields of some sections."""
    for section, names in fields.items():
        part = getattr(config, section)
        if not isinstance(part, BaseModel) or "" in names:
            yield from _flat(section, redacted(config.model_dump(mode="json", include={section}))[section])
            continue
        known = type(part).model_fields
        for name in names:
            if name in known:
                yield from _field(part, section, name)


def _field(part: BaseModel, section: str, name: str) -> Iterator[tuple[str, Any]]:  # Any: JSON
    value = getattr(part, name)
    if type(value) not in _SIMPLE:
        value = part.model_dump(mode="json", include={name})[name]
    yield from _flat(f"{section}.{name}", redacted({name: value})[name])


def _leaves(config: RunConfig) -> Leaves:
    return {
        key: value
        for section, part in redacted(config.model_dump(mode="json")).items()
        for key, value in _flat(section, part)
    }


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:  # Any: JSON
    if isinstance(value, dict) and value and not any("." in name for name in value):
        for name, child in value.items():
            yield from _flat(f"{key}.{name}", child)
    else:
        yield key, shortened(value)


def shortened(value: Any) -> Any:  # Any: JSON in, the same JSON out
    """Return the same JSON without what is too long to be looked at, as an image in a text."""
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:80]}… ({len(value):,} characters)"
    if isinstance(value, list):
        return [shortened(child) for child in value]
    return value
