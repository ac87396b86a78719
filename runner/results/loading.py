"""Load a sweep's results as typed objects for notebooks and scripts (`runner.load_sweep`), which show themselves."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import html
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.artifacts.picture import NAME as THUMBNAIL
from runner.artifacts.result import Artifact, Result
from runner.artifacts.run_status import RunStatus
from runner.config.run import RunConfig
from runner.errors import ConfigError
from runner.judging.judgements import FileJudgement
from runner.ledger.ledger import Ledger, places_with
from runner.ledger.other_runs import LedgerIndex

from .files import result_rows
from .reading import RunGroup, sweeps_of
from .run_key import RunJudgements, file_scores, media_of, scores_of
from .state import RunState, state_of
from .totals import totals
from .varying import varying

if TYPE_CHECKING:
    import pandas as pd


_MEDIA = re.compile(r"(image|video|audio)/[a-z0-9.+-]+")
_SHOWN = 60
"""Runs of a sweep whose pictures are shown; their bytes are kept in the notebook's file."""

_SMALL = 256 * 1024
_PLAYED = 16 * 1024**2
"""Bytes of a picture in a grid, and of a film of a single run, that are embedded."""

_LONGEST = 300
"""Characters of a text that a stranger wrote."""

_GRID = "display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:12px"
_CELL = "margin:0;font:12px system-ui,sans-serif;overflow-wrap:anywhere"


class Shown(NamedTuple):
    """Hold what is shown of a run. Any: values of a config."""

    directory: Path
    result: Result
    state: RunState
    parameters: Mapping[str, Any]


def sweep_html(directory: Path, runs: Sequence[Shown], totals: Mapping[str, object]) -> str:
    """Return a grid of the first runs' pictures, and what all amount to."""
    counts = [f"{totals[state]} {state}" for state in RunState if totals[state]]
    spent = totals.get("spent_usd")
    facts = [f"{len(runs)} runs", *counts, *([f"${spent:.2f} at list price"] if isinstance(spent, float) else [])]
    cells = "".join(map(_cell, runs[:_SHOWN]))
    more = f"<p>… and {len(runs) - _SHOWN:,} more runs</p>" if len(runs) > _SHOWN else ""
    title = f"<p><b>{_text(str(directory))}</b><br>{_text(' · '.join(facts))}</p>"
    return f'{title}<div style="{_GRID}">{cells}</div>{more}'


def run_html(run: Shown) -> str:
    """Return a run's media, large, with its facts below."""
    media = "".join(_media(run.directory, artifact) for artifact in run.result.artifacts if artifact.path != THUMBNAIL)
    return f"<div>{media}</div>{_caption(run)}"


def _cell(run: Shown) -> str:
    return f'<figure style="{_CELL}">{_picture(run.directory, run.result)}{_caption(run)}</figure>'


def _picture(directory: Path, result: Result) -> str:
    """Return the first picture that is small enough, or nothing."""
    ordered = sorted(result.artifacts, key=lambda artifact: artifact.path != THUMBNAIL)
    for artifact in ordered:
        if artifact.media_type.startswith("image/") and artifact.bytes <= _SMALL:
            address = _embedded(directory, artifact)
            if address is not None:
                return _image(address, result.config.request.prompt)
    return ""


def _media(directory: Path, artifact: Artifact) -> str:
    address = _embedded(directory, artifact) if artifact.bytes <= _PLAYED else None
    if address is None:
        return _link(directory / artifact.path)
    if artifact.media_type.startswith("video/"):
        return f'<video controls muted loop style="max-width:100%" src="{address}"></video>'
    return _image(address, artifact.path)


def _image(address: str, alternative: str) -> str:
    return f'<img style="max-width:100%" alt="{_text(alternative)}" src="{address}">'


def _caption(run: Shown) -> str:
    return "<figcaption>" + "<br>".join(_lines(run)) + "</figcaption>"


def _lines(run: Shown) -> Iterator[str]:
    """Yield what is said below a picture, each already HTML."""
    directory, result, state, parameters = run
    yield f"<b>{result.index}</b> {state}"
    for key, value in parameters.items():
        yield f"{_text(key.removeprefix('request.'))}={_isolated(str(value))}"
    if result.error is not None:
        yield f"{_text(result.error.type)}: {_isolated(result.error.message)}"
    yield from (_link(directory / artifact.path) for artifact in result.artifacts if artifact.path != THUMBNAIL)


def _link(path: Path) -> str:
    return f'<a href="{html.escape(path.absolute().as_uri())}">{_text(path.name)}</a>'


def _embedded(directory: Path, artifact: Artifact) -> str | None:
    """Return the file as a data URI; None where it is gone or not the run's own."""
    path = own_file(directory, artifact)
    try:
        return data_address(artifact.media_type, path.read_bytes()) if path else None
    except OSError:
        return None


def _text(text: str) -> str:
    """Return text escaped and cut to a readable length."""
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    safe = short.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return html.escape(safe)


def _isolated(text: str) -> str:
    """Return the same, where marks that turn the writing direction end with it."""
    return f"<bdi>{_text(text)}</bdi>"


def own_file(directory: Path, artifact: Artifact, *, within: Path | None = None) -> Path | None:
    """Return a run's media file; None if it is gone, is no media, or lies outside of its sweep's directory.

    A directory may come from anyone: neither its records nor a link in it take another file into a page.
    """
    if not _MEDIA.fullmatch(artifact.media_type):
        return None
    try:
        path = (directory / artifact.path).resolve()
        places = [place.resolve() for place in (directory, within or directory)]
        inside = all(path.is_relative_to(place) for place in places) and path.is_file()
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return None
    return path if inside else None


def data_address(media_type: str, content: bytes) -> str:
    """Return the address of a file that holds the file itself."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


_TIMES = ("submitting_at", "ended_at")


def _uploaded_to(directory: Path, artifacts: Sequence[Artifact]) -> str:
    """Return the address of a run's directory where its ledger says that these files of it lie, empty for nowhere."""
    found = LedgerIndex().find(directory)
    if found is None:
        return ""
    place, entry = found
    with Ledger(place, readonly=True) as ledger:
        sums = {each.path: each.sha256 for each in artifacts}
        url, _ = next(places_with(ledger, entry.index, sums), ("", {}))
    name = directory.relative_to(place).as_posix()
    return f"{url}/{name}" if url and name != "." else url


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Describe one run and what came of it; a notebook shows its media.

    Attributes:
        directory: its own, absolute.
        parameters: what tells it from the others, as one would override it.
        result: everything that is known of it, as in result.json.
        state: how far it had come when it was read, in the words of the page and the terminal.
        judgements: what people think of its files, by their names.
        file_scores: what its files were given, by their names and by metric.
        url: its address in a storage, where the sweep was loaded from one; empty where it lies here.
    """

    directory: Path
    parameters: Mapping[str, Any]  # Any: values of a config
    result: Result = field(repr=False)
    state: RunState
    judgements: Mapping[str, FileJudgement] = field(default_factory=dict, repr=False)
    file_scores: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict, repr=False)
    url: str = ""

    def download(self) -> tuple[Path, ...]:
        """Fetch its files from the storage unless they are here, and return `artifacts`.

        Raises `ConfigError` where the storage does not give them, and `DiskError`.
        """
        lacking = [each for each in self.result.artifacts if self.url or not (self.directory / each.path).exists()]
        if lacking and (url := self.url or _uploaded_to(self.directory, lacking)):
            from runner.storage.fetching import fetch

            fetch(url, self.directory, lacking)
        return self.artifacts

    @property
    def kept(self) -> tuple[Path, ...]:
        """Return its files that somebody starred, or that are rated 4 or more on average, and that nobody rejected."""
        return tuple(self.directory / name for name, judged in self.judgements.items() if judged.kept)

    @property
    def rating_mean(self) -> float | None:
        """Return the mean rating, from 1 to 5, of its files; None if nobody gave one."""
        numbers = [number for judged in self.judgements.values() for number in judged.numbers]
        return sum(numbers) / len(numbers) if numbers else None

    @property
    def scores(self) -> Mapping[str, float | None]:
        """Return what its first file was given by metric; None where it has no such number."""
        files = media_of(self.result)
        return self.file_scores.get(files[0].path, {}) if files else {}

    @property
    def number(self) -> int:
        """Return the run's number in its sweep."""
        return self.result.index

    @property
    def status(self) -> RunStatus:
        """Return how far it has come; `RunStatus.VERIFIED` is success, and equal to `"verified"`."""
        return self.result.status

    @property
    def config(self) -> RunConfig:
        """Return the resolved config."""
        return self.result.config

    @property
    def artifacts(self) -> tuple[Path, ...]:
        """Return the absolute paths of its files, the generated first; `result.artifacts` has their facts.

        Those that lie in a storage alone are here after `download`.
        """
        return tuple(self.directory / artifact.path for artifact in self.result.artifacts)

    @property
    def cost_usd(self) -> float | None:
        """Return US dollars by the usage that the provider told, else by list price; None if nobody knows."""
        return self.result.cost.usd

    @property
    def latency_seconds(self) -> float | None:
        """Return seconds from the request to the checked file or the failure; None if it has not come to an end."""
        return self.result.latency_seconds

    @property
    def job_id(self) -> str | None:
        """Return the provider's id of the job."""
        return self.result.job_id

    @property
    def error(self) -> str | None:
        """Return why it did not succeed."""
        return self.result.error.message if self.result.error else None

    def __reduce__(self) -> tuple[object, ...]:  # read-only mappings cannot be pickled
        mappings = (
            dict(self.parameters),
            dict(self.judgements),
            {name: dict(of) for name, of in self.file_scores.items()},
        )
        return _unpickled, (self.directory, self.result, self.state, self.url, *mappings)

    def _repr_html_(self) -> str:
        return run_html(_shown(self))


def _unpickled(
    directory: Path,
    result: Result,
    state: RunState,
    url: str,
    parameters: dict[str, Any],  # Any: values of a config
    judgements: dict[str, FileJudgement],
    scores: dict[str, Mapping[str, float | None]],
) -> RunRecord:
    known, judged, scored = map(MappingProxyType, (parameters, judgements, scores))
    return RunRecord(directory, known, result, state, judged, scored, url)


@dataclass(frozen=True, slots=True)
class FileRating:
    """Describe what one person thinks of one file.

    Attributes:
        run: the run that the file is of.
        file: its absolute path.
        rating: from 1 to 5; None if none was given.
        at: when, in UTC.
    """

    run: RunRecord
    file: Path
    rater: str
    rating: int | None
    tags: tuple[str, ...]
    star: bool
    reject: bool
    note: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Sweep:
    """Hold the runs of a sweep, or the one of a run's directory; a notebook shows them as a grid of pictures.

    Attributes:
        directory: absolute.
        runs: in the order of their numbers, those that were never begun as they were planned.
        running: whether someone was at work on it when it was read.
        url: its address in a storage, where it was loaded from one; empty where it lies here.
    """

    directory: Path
    runs: tuple[RunRecord, ...] = field(repr=False)
    running: bool = False
    url: str = ""

    @property
    def ratings(self) -> tuple[FileRating, ...]:
        """Return the latest word of each person on each file, as `ratings.jsonl` had it when the sweep was read."""
        return tuple(
            FileRating(
                run=run,
                file=run.directory / name,
                rater=each.rater,
                rating=each.rating,
                tags=each.tags,
                star=each.star,
                reject=each.reject,
                note=each.note,
                at=each.at,
            )
            for run in self.runs
            for name, judged in run.judgements.items()
            for each in judged.ratings.values()
        )

    @property
    def totals(self) -> Mapping[str, object]:
        """Return how many runs are how far, US dollars estimated and spent, success rate, latencies, retries."""
        results = [run.result for run in self.runs]
        return totals(results, [run.state for run in self.runs], results[0].config.budget.max_usd if results else None)

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a run with the columns of results.csv, typed, the artifact's and the run's path absolute.

        Raises `ConfigError` where pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ConfigError("a DataFrame needs pandas", hint="pip install 'mediarunner[pandas]'") from error
        rows = result_rows(self.directory, [(run.directory, run.result) for run in self.runs], busy=self.running)
        frame = pd.DataFrame([_absolute(row, self.directory, self.url) for row in rows])
        for name in _TIMES:
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
        return frame

    def __iter__(self) -> Iterator[RunRecord]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, position: int) -> RunRecord:
        return self.runs[position]

    def _repr_html_(self) -> str:
        return sweep_html(self.directory, [*map(_shown, self.runs)], self.totals)


def load_sweep(directory: str | os.PathLike[str]) -> Sweep:
    """Read what is known of a sweep or a run, also while it runs or after it was moved; nothing is changed.

    The address of one in a storage, as `s3://bucket/videos/out`, brings its records alone; `RunRecord.download` fetches
    a run's files into a folder for caches. Raises `ConfigError` where there is none, or several, or one cannot be read.
    """
    if isinstance(directory, str) and "://" in directory:
        return _load_remote(directory)
    place = Path(directory).expanduser()
    found = sweeps_of([place])
    _require_one([str(each.directory) for each in found.sweeps], str(place))
    if found.unreadable:
        raise found.unreadable[0]
    (sweep,) = found.sweeps
    return Sweep(sweep.directory.absolute(), tuple(_records(sweep)), sweep.busy)


def _load_remote(url: str) -> Sweep:
    from .reading import remote

    with remote(url) as found:
        sweeps = found.sweeps()
        _require_one([each.url for each in sweeps], url)
        (sweep,) = sweeps
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mediarunner"
        here = cache / hashlib.sha256(sweep.url.encode()).hexdigest()[:16]
        records = [
            replace(each, directory=here / found.name(each.directory), url=found.address(each.directory))
            for each in _records(sweep)
        ]
    return Sweep(here, tuple(records), url=sweep.url)


def _require_one(places: Sequence[str], place: str) -> None:
    if len(places) > 1:
        names = "\n".join(f"runner.load_sweep({each!r})" for each in places[:3])
        raise ConfigError(f"{place} holds {len(places)} sweeps; one is loaded at a time", hint=names)


def _records(sweep: RunGroup) -> Iterator[RunRecord]:
    runs, judged, scores = sweep.runs, RunJudgements.of_group(sweep), scores_of(sweep.directory, sweep.places)
    results = [result for _, result in runs]
    differing = varying([result.overrides for result in results], [result.config for result in results])
    for (directory, result), values in zip(runs, differing.rows, strict=True):
        parameters = dict(zip(differing.keys, values, strict=True))
        state = state_of(result.status, busy=sweep.busy)
        judgements = MappingProxyType(judged.of(directory, result))
        found = {each.path: file_scores(scores, result, each) for each in media_of(result)} if scores else {}
        known = MappingProxyType(parameters)
        yield RunRecord(directory.absolute(), known, result, state, judgements, MappingProxyType(found))


def _shown(run: RunRecord) -> Shown:
    return Shown(run.directory, run.result, run.state, run.parameters)


def _absolute(row: Mapping[str, object], directory: Path, url: str) -> dict[str, object]:
    told = {name: str(row[name]) for name in ("artifact", "directory") if row[name] is not None}
    paths = {name: f"{url}/{path}" if url else str(directory / path) for name, path in told.items()}
    return {**row, **paths}
