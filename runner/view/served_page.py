"""Make a page anew whenever its runs have changed, and know which files belong to it."""

from __future__ import annotations

import os
import posixpath
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from runner.artifacts.result import Artifact
from runner.artifacts.result_file import NAME as RESULT
from runner.errors import ConfigError
from runner.judging.rating_log import RatingLog
from runner.ledger.discover import find_ledgers, has_ledger, written_at
from runner.ledger.lock import at_work
from runner.metrics.scores import NAME as SCORES
from runner.report.page import Shell, encoded_json, page_data
from runner.report.page_model import PageModel, PageState
from runner.results.loading import own_file
from runner.results.reading import RunGroup, sweeps_of
from runner.results.run_key import homes_of, places_of

Media = tuple[Path, str]
"""A file and its type."""


class ServedPage:
    """Serve the runs of some directories as one page; safe to use from threads."""

    def __init__(self, places: Callable[[], Sequence[Path]], rater: str, *, listed: bool) -> None:
        """Take what tells the `places` of its sweeps, of which more may come, and who judges unless told otherwise.

        Where it is `listed`, it leads back to the list above it.
        """
        self._log = RatingLog()
        self._places = places
        self._ratings = {"url": "ratings", "rater": rater, **({"list": "../"} if listed else {})}
        self._turn = threading.Lock()
        self._stamp: object = None
        self._content = b""
        self._files: dict[str, tuple[Path, Path, Artifact]] = {}

    def html(self) -> bytes:
        """Return the page as it is now; raises `ConfigError` where no run can be read."""
        with self._turn:
            self._renew()
            return self._content

    def opened_log(self) -> RatingLog:
        """Return what is judged of its runs; raises `ConfigError` as above."""
        with self._turn:
            if self._stamp is None:
                self._renew()
            return self._log

    @property
    def added(self) -> int:
        """Return how many records were written to its runs' sweeps."""
        return self._log.added

    def media(self, path: str) -> Media | None:
        """Return the file at an address of the page, relative to it; None for all that is not a run's own media."""
        with self._turn:
            if self._stamp is None:
                self._renew()
            known = self._files.get(path)
            if known is None:
                return None
            sweep, directory, artifact = known
            file = own_file(directory, artifact, within=sweep)
            return None if file is None else (file, artifact.media_type)

    def _renew(self) -> None:
        places = self._places()
        stamp = [each for place in places for each in _stamps(place)]
        if stamp == self._stamp and not any(busy for *_, busy in stamp):
            return
        groups = _groups(places)
        root = Path(os.path.commonpath([each.absolute() for group in groups for each in _directories(group)]))
        results = [result for group in groups for _, result in group.runs]
        model = PageModel(groups, root, [group.runs[0][1].config.budget for group in groups])
        busy = {number for number, group in enumerate(groups) if group.busy}
        state = PageState(model, results, busy, ratings=self._ratings)
        cells = (encoded_json(cell) for cell in state.cells())
        shell = Shell(model.title, served=True)
        self._content = b"".join(shell.pieces(page_data(state.heading, cells, state.totals())))
        self._files = dict(_files(groups, model))
        self._log.watch(homes_of(groups), places_of(groups))
        self._stamp = stamp


def _directories(group: RunGroup) -> Iterator[Path]:
    yield group.directory
    yield from (where for where, _ in group.runs)


def _files(groups: Sequence[RunGroup], model: PageModel) -> Iterator[tuple[str, tuple[Path, Path, Artifact]]]:
    """Yield each file's address with its sweep's directory, its run's, and what is known of it."""
    for group in groups:
        for where, result in group.runs:
            for artifact in (*result.artifacts, *result.partial_images):
                path = f"{model.relative_paths.relative(where).replace(os.sep, '/')}/{artifact.path}"
                yield posixpath.normpath(path), (group.directory, where, artifact)


Stamp = tuple[Path, float, float, float, bool]


def _stamps(place: Path) -> Iterator[Stamp]:
    """Yield what is another once something has changed; at its end, whether somebody is at work there.

    A page of runs under way is made each time, too: one that has grown old says that its sweep has stopped.
    """
    for each in (place,) if has_ledger(place) else (place, *find_ledgers(place)):
        yield each, written_at(each), _changed(each / RESULT), _changed(each / SCORES), at_work(each) is not None


def _changed(path: Path) -> float:
    """Return when a file was written last, in Unix seconds; 0 where there is none."""
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _groups(places: Sequence[Path]) -> list[RunGroup]:
    """Return the sweeps, those that cannot be read left out; raises `ConfigError` where that is each."""
    try:
        return sweeps_of(places).sweeps
    except ConfigError:
        readable = [place for place in places if _can_be_read(place)]
        if not readable:
            raise
        return sweeps_of(readable).sweeps


def _can_be_read(place: Path) -> bool:
    try:
        sweeps_of([place])
    except ConfigError:
        return False
    return True
