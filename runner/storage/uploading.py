"""Upload what the runs of a sweep make, where their config asks for it; a failed upload is never a failed run."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from runner.artifacts.atomic import discard, write_text
from runner.artifacts.result import Result
from runner.config.problem import Problem, ranges
from runner.engine.recorder import planned
from runner.engine.run import Event, Outcome, Run
from runner.ledger.discover import NAME as LEDGER
from runner.ledger.discover import has_ledger
from runner.ledger.ledger import SWEEP, Ledger, LedgerError, Uploads, keep_place, places_of
from runner.ledger.lock import NAME as LOCK
from runner.ledger.recording import recording
from runner.shell import command, shown

from .address import StorageError
from .place import Place, is_local, reach
from .upload import DirectoryFiles, copy_of, is_done, is_uploaded, sums_of, upload, upload_ledger
from .uploader import Uploader, reason_of


class Stored(NamedTuple):
    """Describe what lies in a place.

    Attributes:
        place: its address.
        there: how many runs that have ended are there.
        left: the numbers of those that are not.
        whole: whether the page, the tables and the ledger are there as they are here.
    """

    place: str
    there: int
    left: tuple[int, ...]
    whole: bool = True

    @property
    def complete(self) -> bool:
        """Return whether nothing is left to upload."""
        return self.whole and not self.left

    @property
    def text(self) -> str:
        """Return it in one line."""
        count = f"{self.there:,} run{'s' * (self.there != 1)}"
        if not self.left:
            return f"uploaded: {count} to {self.place}"
        which = self._replace(whole=True).missing
        return f"uploaded: {self.there:,} of {self.there + len(self.left):,} runs to {self.place}; not {which}"

    @property
    def missing(self) -> str:
        """Return what is left to upload, as in `runs 3–5, page, tables and ledger`; empty where nothing is."""
        runs = [f"run{'s' * (len(self.left) > 1)} {ranges(self.left)}"] if self.left else []
        return ", ".join([*runs, *([] if self.whole else ["page, tables and ledger"])])


def stored_in(uploads: Uploads, results: Sequence[Result]) -> Stored:
    """Return what lies in the place of these uploads."""
    ended = [result for result in results if not result.status.unfinished]
    left = [result.index for result in ended if not is_uploaded(result, uploads.of(result.index))]
    return Stored(uploads.place, len(ended) - len(left), tuple(left), LEDGER in uploads.of(SWEEP))


def stored_of(ledger: Ledger, results: Sequence[Result]) -> Stored | None:
    """Return what lies in the place that a ledger's runs were last uploaded to; None if they never were."""
    places = [*places_of(ledger).values()]
    return stored_in(Uploads(ledger, places[-1]), results) if places else None


MARKER = ".runner.json"
"""Says whose a place is: two sweeps of one name would overwrite each other's files."""

_BETWEEN = 2.0
"""Seconds without any progress after which a sweeper's next batch is no longer kept waiting."""


@dataclass(frozen=True, slots=True)
class _Target:
    """Hold where the runs of one ledger go."""

    ledger: Ledger
    place: Place
    uploads: Uploads
    mark: bytes

    def claim(self) -> bool:
        """Write whose the place is, and read it back; return whether what the ledger knows of it can still be true.

        Raises `StorageError` where it is another sweep's, and where it is empty though files were removed here because
        they lay there: the marker would make it look like a place that has lost them.
        """
        there = self.place.read(MARKER)
        if there is not None and there != self.mark:
            raise StorageError(f"{self.place.url} holds another sweep, whose files would be overwritten")
        lies_there_alone = there is None and self._lies_there_alone()
        if lies_there_alone and not self.place.told():
            raise StorageError(
                f"{self.place.url} is empty, and held the only copy of files of this sweep",
                hint="the account, or the disk, that it was uploaded to; where the files are gone, another storage.url",
            )
        self.place.write(MARKER, self.mark)
        if self.place.read(MARKER) != self.mark:
            raise StorageError(f"{self.place.url} does not give back what was written to it")
        write_text(self.ledger.directory / MARKER, json.dumps(_here(self.ledger) | json.loads(self.mark)))
        return there is not None or lies_there_alone

    def _lies_there_alone(self) -> bool:
        """Return whether media that were uploaded to the place are no longer here."""
        return any(
            name in self.uploads.of(run.index) and not (run.directory / name).exists()
            for run in self.ledger.runs()
            if run.earlier is not None
            for name in sums_of(run.earlier)
        )

    def check(self) -> None:
        """Raise `StorageError` where the place is no longer this sweep's: two may have claimed it at one moment."""
        if self.place.read(MARKER) != self.mark:
            raise StorageError(f"{self.place.url} was claimed by another sweep meanwhile, or emptied")

    def files(self, run: Run, result: Result, keep_local: bool | str) -> DirectoryFiles:
        name = os.path.relpath(run.directory, self.ledger.directory)
        return DirectoryFiles.of_run(result, run.directory, "" if name == os.curdir else name, keep_local)


class Uploading:
    """Upload the runs of one directory beside the engine, and what they amount to at the end."""

    def __init__(
        self,
        runs: Sequence[Run],
        ledgers: Mapping[Path, Ledger],
        directory: Path,
        tell: Callable[[Iterable[Problem]], object],
        say: Callable[[str], object],
    ) -> None:
        """Take the runs with their ledgers; `tell` hears what goes wrong, `say` what is waited for."""
        self._config = runs[0].config.storage
        self._runs = {run.index: run for run in runs}
        self._ledgers = ledgers
        self._directory = directory
        self._tell = tell
        self._say = say
        # Metrics are computed at the end, of what is here.
        self._kept_until_end = True if runs[0].config.scored else self._config.keep_local
        self._targets: dict[Ledger, _Target] = {}
        self._ended: dict[int, Result] = {}
        self._uploader: Uploader | None = None
        self._last: Uploader | None = None
        self._is_left = False
        self.may_remove: Callable[[Result], bool] = lambda _result: True
        """Whether nothing needs a run's files here any more, where its metrics were to be computed before the end."""

    def open(self, left: Sequence[Run]) -> None:
        """Reach the storage, write to it, and begin with what has ended already.

        Raises `StorageError` where that fails and nothing was paid for that is still to be collected.
        """
        try:
            self._reach()
        except Exception as error:  # whatever a library raises
            refusal = self._refusal(error)
            if not any(run.status.paid or run.status.lost for run in left):
                raise refusal from error
            hint = "runs that were paid are collected all the same; " + self._resume("uploads what is there")
            self._tell([Problem("storage", refusal.message, hint, "warning")])
            self._targets.clear()
            return
        self._uploader = Uploader(self._send, self._config.concurrency)
        done = {run.index: run.earlier for run in self._runs.values() if run.earlier is not None and not run.open}
        for result in [*(done | self._ended).values()]:
            self._post(result, self._kept_until_end)

    def __call__(self, event: Event) -> None:
        """Take in the end of a run."""
        result = event.result
        if result is None or result.status.unfinished:
            return
        self._runs.setdefault(event.run.index, event.run)
        self._ended[event.run.index] = result
        self._post(result, self._kept_until_end)

    def finish(self, whole: Outcome, write_page: Callable[[str], object], *, more: bool = False) -> str:
        """Send what is left of the runs, then page, tables and ledger; return what lies in the storage, in one line.

        The end of the sweep waits for that as long as it gets on, unless it was interrupted. `write_page` writes the
        page with such a line. What could not be sent is told, with what to type, and noted in the outcome. Where `more`
        runs may come, `upload_left` does all that is left when none comes any more.
        """
        if self._uploader is not None:
            self._send_runs(self._uploader, whole, _BETWEEN if more else self._config.patience_seconds)
            if not more:
                self._finish_sweep(self._uploader, whole, write_page)
        stored = self._stored(whole.results)
        whole.not_uploaded = not more and (stored is None or not stored.complete)
        if whole.not_uploaded and self._uploader is not None and stored is not None:
            safe = "" if self._uploader.lost else "; runs and their files here are not affected"
            message = f"{stored.missing} not uploaded: {self._reason()}{safe}"
            self._tell([Problem("storage", message, self._resume("uploads the rest"), "warning")])
        if stored is None:
            return ""
        return f"{stored.text}; not {stored.missing}" if whole.not_uploaded and not stored.left else stored.text

    def leave(self) -> None:
        """Let `finish`, in whatever thread it is, wait for nothing any more."""
        self._is_left = True
        for uploader in (self._uploader, self._last):
            if uploader is not None:
                uploader.leave()

    def _reason(self) -> str:
        """Return why something is not uploaded."""
        uploaders = [each for each in (self._uploader, self._last) if each is not None]
        failure = next((each.failure for each in uploaders if each.failure is not None), None)
        if failure is not None:
            return reason_of(failure)
        if self._is_left:
            return "it was interrupted"
        return f"the storage did not get on for {self._config.patience_seconds:g} s"

    def _send_runs(self, uploader: Uploader, whole: Outcome, patience: float) -> None:
        """Send what is left of the runs; Ctrl-C meanwhile interrupts the whole."""
        if whole.interrupted is not None:
            self.leave()
            return
        for result in whole.results:
            if not result.status.unfinished:
                self._post(result, self._config.keep_local if self.may_remove(result) else True)
        self._close(uploader, patience, whole)

    def _close(self, uploader: Uploader, patience: float, whole: Outcome) -> None:
        if not uploader.close(patience, self._say):
            self._is_left = True
            whole.interrupted = signal.SIGINT

    def _finish_sweep(self, uploader: Uploader, whole: Outcome, write_page: Callable[[str], object]) -> None:
        """Write the page anew, and send it with tables and ledger, unless the storage has just failed.

        That is waited for as the runs are, as long as it gets on.
        """
        if (stored := self._stored(whole.results)) is not None:
            write_page(stored.text)
        if self._is_left or whole.interrupted is not None or uploader.error is not None or not uploader.idle:
            return
        self._last = Uploader(self._send_sweep, self._config.concurrency)
        for target in self._targets.values():
            self._last.post(DirectoryFiles(SWEEP, target.ledger.directory))
        self._close(self._last, self._config.patience_seconds, whole)
        for target in self._targets.values():
            discard(copy_of(target.ledger))  # what sends it may hang for ever

    def _stored(self, results: Sequence[Result]) -> Stored | None:
        """Return what lies in the storage by now; None where it could not be reached."""
        found = [
            stored_in(target.uploads, [result for result in results if self._ledger_of(result) is target.ledger])
            for target in self._targets.values()
        ]
        if len(found) < 2:  # one ledger, as nearly always
            return found[0] if found else None
        left = sorted(index for each in found for index in each.left)
        there = sum(each.there for each in found)
        return Stored(str(self._config.url), there, tuple(left), all(each.whole for each in found))

    def _reach(self) -> None:
        url = str(self._config.url)
        _refuse_working_directory(run.directory for run in self._runs.values())
        store = reach(url)
        for ledger in dict.fromkeys(self._ledgers.values()):
            if ledger.copy_of is not None:
                raise StorageError(f"{ledger.directory} is a copy of {ledger.copy_of}, whose files lie there")
            places = places_of(ledger)
            known = places.get(url)
            place = reach(known) if known else store.below(path_of(ledger.directory))
            _refuse_own_place(place, [each.directory for each in self._ledgers.values()])
            target = _Target(ledger, place, Uploads(ledger, place.url), _mark(ledger))
            if not target.claim():
                target.uploads.forget_all()
            if [*places][-1:] != [url]:
                keep_place(ledger, url, place.url)
            self._targets[ledger] = target

    def _refusal(self, error: Exception) -> StorageError:
        said = error.message if isinstance(error, StorageError) else reason_of(error)
        hint = getattr(error, "hint", None) or "another storage.url, or what docs/storage.md says of keys and rights"
        return StorageError(f"storage.url={self._config.url} cannot be used: {said}; nothing was sent", hint=hint)

    def _post(self, result: Result, keep_local: bool | str) -> None:
        target = self._targets.get(self._ledger_of(result))
        if target is not None and self._uploader is not None:
            self._uploader.post(target.files(self._runs[result.index], result, keep_local))

    def _send(self, files: DirectoryFiles, advance: Callable[[], object]) -> None:
        run = self._runs[files.run]
        target = self._targets[self._ledgers[run.directory]]
        if is_done(files, target.uploads):
            return
        target.check()
        upload(files, target.place, target.uploads, advance)

    def _send_sweep(self, files: DirectoryFiles, advance: Callable[[], object]) -> None:
        target = next(each for each in self._targets.values() if each.ledger.directory == files.directory)
        target.check()
        if files.directory not in self._ledgers:  # else it is a run's, whose files were sent
            upload(files, target.place, target.uploads, advance)
        if LEDGER not in target.uploads.of(SWEEP):
            upload_ledger(target.ledger, target.place, target.uploads, advance)

    def _ledger_of(self, result: Result) -> Ledger:
        return self._ledgers[self._runs[result.index].directory]

    def _resume(self, what: str) -> str:
        """Return the command that sends the rest; it names the storage where only this process was told of it."""
        url, earlier = self._config.url, [run.earlier for run in self._runs.values()]
        saved = all(each is None or each.config.storage.url == url for each in earlier)
        return f"{command('resume', self._directory, *([] if saved else [f'storage.url={url}']))} {what}"


def refuse_misplaced(url: str, sweep: Path, runs: Iterable[Path]) -> None:
    """Raise `StorageError` where runs in these directories, of a sweep in `sweep`, must not be uploaded to an address.

    That is what is known without asking: that it leads back to where runs are made, or that too much would be sent.
    """
    _refuse_working_directory(runs)
    if not is_local(url):
        return
    known: str | None = None
    if has_ledger(sweep):
        with suppress(LedgerError), Ledger(sweep, readonly=True) as ledger:
            known = places_of(ledger).get(url)
    _refuse_own_place(reach(known) if known else reach(url).below(path_of(sweep)), [sweep])


def _refuse_working_directory(runs: Iterable[Path]) -> None:
    here = Path.cwd().resolve()
    for directory in {run.resolve() for run in runs}:
        if directory == here or directory in here.parents:
            message = f"all that lies in {directory}, where you work, would be uploaded"
            raise StorageError(message, hint="another hydra.run.dir, or the directory above it to type this in")


def _refuse_own_place(place: Place, sweeps: Iterable[Path]) -> None:
    """Raise `StorageError` where a place leads into a directory in which runs are made, of whatever sweep."""
    if place.path is None:
        return
    own = {*map(os.path.realpath, sweeps)}
    for each in (place.path, *place.path.parents):
        if os.fspath(each) in own or _makes_runs(each):
            message = f"{place.url} leads into {shown(each)}, where runs are made"
            raise StorageError(message, hint="another storage.url: a directory that no sweep or run has as its own")


def _makes_runs(directory: Path) -> bool:
    """Return whether a sweep or run has a directory as its own; what was uploaded has a marker without a directory."""
    if not has_ledger(directory) or not (directory / LOCK).exists():
        return False
    with suppress(OSError, ValueError, TypeError):
        return "directory" in json.loads((directory / MARKER).read_bytes())
    return True


def _mark(ledger: Ledger) -> bytes:
    """Return what says that a place is this sweep's.

    A ledger that was built anew has another name than the one before, which a file beside it tells. In a copy of the
    directory, that file tells of another.
    """
    name = str(ledger.known_facts()["place"]["id"])
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads((ledger.directory / MARKER).read_bytes())
        name = str(told["sweep"]) if told["directory"] == _here(ledger)["directory"] else name
    return json.dumps({"sweep": name}).encode()


def _here(ledger: Ledger) -> dict[str, str]:
    return {"directory": os.fspath(ledger.directory.resolve())}


def upload_left(
    directory: Path,
    tell: Callable[[Iterable[Problem]], object],
    may_remove: Callable[[Result], bool],
    *,
    runs_alone: bool = False,
) -> None:
    """Upload what is left of a sweep that nobody is at work on any more; what goes wrong is told.

    Files are removed of runs that `may_remove` agrees to. With `runs_alone`, page, tables and ledger are left for
    another call, as the page is still to be written.
    """
    with recording(directory) as ledger:
        runs = ledger.runs()
        if not runs or runs[0].config.storage.url is None:
            return
        uploading = Uploading(runs, dict.fromkeys((run.directory for run in runs), ledger), directory, tell, _ignore)
        uploading.may_remove = may_remove
        uploading.open(runs)
        results = [run.earlier or planned(run, time.time()) for run in runs]
        uploading.finish(Outcome(results=results), _ignore, more=runs_alone)


def _ignore(_line: str) -> None:
    """Neither print nor write it."""


def path_of(directory: Path) -> str:
    """Return where a sweep lies below `storage.url`: as it lies below the working directory, else by its name."""
    try:
        path = Path(os.path.relpath(directory.absolute())).as_posix()
    except ValueError:  # another drive
        path = ".."
    return directory.absolute().name if path == "." or path.startswith("..") else path
