"""Find runs that need not be paid: the same work, by its fingerprint, lies verified where one looks for it.

Files that are put into a run's directory are noted there, until the ledger has the run as done: whoever finds them
without a record must not take them for paid.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from runner.artifacts.atomic import discard, disk_errors, has_sum, publish, write_text
from runner.artifacts.result import Artifact, Result
from runner.artifacts.run_status import RunStatus
from runner.config.price import estimate
from runner.config.problem import Problem, ranges
from runner.config.provider import ProviderConfig
from runner.config.request import VideoRequest
from runner.config.run import RunConfig
from runner.engine.recorder import FELL_BACK
from runner.engine.run import Run
from runner.errors import ConfigError
from runner.providers.body import build
from runner.providers.endpoint import resolve
from runner.shell import command, shown

from .discover import LEVELS, OUTPUTS
from .ledger import Ledger, LedgerError, places_with
from .outputs_index import Kind, OutputsIndex

NAME = ".reused.json"
"""Has the SHA-256 (hexadecimal) of each file by its name."""


def write_note(directory: Path, artifacts: Iterable[Artifact]) -> None:
    """Note files before any of them is put in place; raises `DiskError`."""
    write_text(directory / NAME, json.dumps({each.path: each.sha256 for each in artifacts}))


def noted_files(directory: Path) -> set[str]:
    """Return the names of files that are there as they were noted, and of what was to become one of them."""
    return set(_noted(directory))


def remove_note(directory: Path) -> None:
    """Remove the note: the ledger has the run as done, or nothing of it is there."""
    discard(directory / NAME)


def remove_noted_files(directory: Path) -> None:
    """Remove what was put in place for a run that will make files of its own, and the note."""
    for name in _noted(directory):
        discard(directory / name)
    remove_note(directory)


def _noted(directory: Path) -> Iterator[str]:
    try:
        told = json.loads((directory / NAME).read_bytes())
    except (OSError, ValueError):
        return
    for name, sha256 in told.items() if isinstance(told, dict) else ():
        if name != Path(name).name:  # the directory may come from anyone
            continue
        if has_sum(directory / name, sha256):
            yield name
        yield f"{name}.part"


def _parsed(told: list[list[Any]]) -> list[tuple[str, int, bool]]:  # Any: JSON
    return [(str(work), int(index), bool(fell_back)) for work, index, fell_back in told]


FINISHED = Kind("finished 2", Ledger.verified, _parsed)
"""Fingerprint and index of each finished run, and whether a fallback may have made it."""


class Storages(Protocol):
    """Ask storages for what runs have uploaded; all raise `ConfigError` where that cannot be had."""

    def has(self, url: str, sizes: Mapping[str, int]) -> bool:
        """Return whether a place lists files of these names, each with its size."""

    def compare(self, url: str, folder: str, artifacts: Sequence[Artifact]) -> None:
        """Compare files in a folder of a place with their sums, where reading them is free."""

    def fetch(self, url: str, folder: str, directory: Path, artifacts: Sequence[Artifact]) -> None:
        """Bring files from a folder of a place to a directory, each compared with its sum."""


class Source(NamedTuple):
    """Describe a finished run whose files can be had.

    Attributes:
        directory: the run's.
        result: its record.
        place: where its ledger is.
        choice: which choice of the run that asks has made them there: 0 its own, n its nth fallback.
        lacking: which of its files are not there any more, and lie in a storage.
        url: the place in it to which its ledger's runs were uploaded; empty where nothing is lacking.
    """

    directory: Path
    result: Result
    place: Path
    choice: int = 0
    lacking: tuple[Artifact, ...] = ()
    url: str = ""

    @property
    def folder(self) -> str:
        """Return where its directory lies below its ledger's, and below `url`."""
        return os.path.relpath(self.directory, self.place)


class Reuse:
    """Find finished work by its fingerprint, in `outputs/`, beside a sweep, and where runs say.

    Each ledger is read once, when the first run asks. Files that are no longer here are looked for where they were
    uploaded to.
    """

    def __init__(self, directory: Path, storages: Callable[[], Storages], *, keep: bool = True) -> None:
        """Take the directory of the sweep, or of the run where there is one run and no sweep.

        `storages` is called where one has to be asked. Unless `keep` is set, nothing is written, and nothing will be
        fetched: what is uploaded is compared as far as that is free.
        """
        own = directory.absolute()
        # A launcher that is not ours gives each run of a sweep to a process of its own.
        sweeps = (place for place in own.parents[:LEVELS] if (place / "multirun.yaml").is_file())
        self._directory = next(sweeps, own)
        self._keep = keep
        self._looked: list[str] = []
        self._ledgers: set[str] = set()
        self._places: dict[str, list[tuple[Path, int]]] = {}
        self._fell_back: list[tuple[Path, int]] = []
        self._asked = self._unread = 0
        self._found: Counter[Path] = Counter()
        self._stored: Counter[str] = Counter()
        self._copies: dict[int, Iterator[Source]] = {}
        self._lost: dict[int, Source] = {}
        self._unreadable: dict[Path, ConfigError] = {}
        self._make_storages = storages
        self.problems: list[Problem] = []
        """Why nothing is reused from some ledgers."""

    @cached_property
    def _storages(self) -> Storages:
        return self._make_storages()

    def find(self, run: Run) -> Source | None:
        """Return the finished run that did this run's work, if its files are whole; never the run itself.

        One whose files are here is preferred. Raises `ConfigError` where a storage has them and cannot be asked, and
        where a directory of `reuse_from` cannot be read: its work would else be paid for twice.
        """
        self._asked += 1
        self._look(os.fspath(OUTPUTS), OUTPUTS)
        self._look(f"beside {shown(self._directory)}", shown(self._directory.parent), levels=2)
        for name in run.config.reuse_from:
            self._look(name, Path(name).expanduser())
        self._look_at_fallbacks()
        incomplete: list[Source] = []
        for place, index in self._places.get(_work(run), ()):
            found = self._finished(place, index, run)
            if found is None or found.directory.resolve() == run.directory.resolve():
                continue
            if not found.lacking:
                self._found[place] += 1
                return found
            incomplete.append(found)
        self._copies[run.index] = self._in_storage(run, incomplete)
        found = next(self._copies[run.index], None)
        if found is None:
            self._refuse_unread(run)
        return found

    def find_other(self, run: Run, source: Source, error: ConfigError) -> Source | None:
        """Return the next copy of what was found, where `source`, which is one in a storage, cannot be had."""
        self._found[source.place] -= 1
        self._stored[source.url] -= 1
        found = next(self._copies[run.index], None)
        if found is not None:
            text = f"{error.message.removesuffix(_UNSENT)}; another copy is taken"
            self.problems.append(Problem("", text, error.hint, "warning"))
        return found

    def take(self, run: Run, planned: Result, source: Source) -> Result:
        """Put the files of `source` into the run's directory and return its record.

        They are the same files under a second name where the disk can do that, else copies. A note beside them says
        so until the run is recorded. Raises `DiskError`, and `ConfigError` where a storage does not give them.
        """
        write_note(run.directory, source.result.artifacts)
        if source.lacking:
            try:
                self._storages.fetch(source.url, source.folder, run.directory, source.lacking)
            except ConfigError as error:
                raise _unreachable(source, error) from error
        return _linked(run, planned, source)

    def lines(self) -> Iterator[str]:
        """Yield what was found and where, or where nothing was: one line, or none where no run has asked."""
        places = [os.fspath(place) for place, count in self._found.most_common() if count]
        if places:
            more = f" and {len(places) - _NAMED} more" * (len(places) > _NAMED)
            count = self._found.total()
            yield f"reuse: {_runs(count)} lie{'s' * (count == 1)} finished in {', '.join(places[:_NAMED])}{more}"
        for url, count in (+self._stored).items():
            then = "" if self._keep else ", and compared, before anything is sent"
            yield f"reuse: files of {_runs(count)} are no longer here, and are fetched from {url}{then}"
        if self._lost:
            first, *others = self._lost.values()
            more = f" and of {len(others):,} more" * bool(others)
            which = f"run{'s' * bool(others)} {ranges([*self._lost])}"
            yield f"reuse: {which} cannot be reused: the files of {first.directory}{more} are gone, or were changed"
        elif not places and self._asked > self._unread:
            yield f"reuse: nothing is there for {_runs(self._asked - self._unread)} in {', '.join(self._looked)}"

    def _look(self, name: str, root: Path, levels: int | None = None) -> None:
        """Read what lies in a place that was not looked at yet."""
        if name in self._looked:
            return
        self._looked.append(name)
        # Beside the sweep may lie anything: there it is not looked into all, and nothing is left.
        index = OutputsIndex(root, keep=self._keep and levels is None, levels=levels, seen=self._ledgers)
        for entry in index.entries(FINISHED):
            for work, number, fell_back in entry.value:
                self._places.setdefault(work, []).append((entry.directory, number))
                self._fell_back += [(entry.directory, number)] if fell_back else []
        for place, error in index.problems:
            self._leave_out(place, error)

    def _look_at_fallbacks(self) -> None:
        """Find what fallbacks have made by what was sent in the end, too."""
        waiting, self._fell_back = self._fell_back, []
        for place, index in waiting:
            made = self._recorded(place, index)
            if made is not None and made.choice and (work := _made(made)) is not None:
                self._places.setdefault(work, []).append((place, index))

    def _recorded(self, place: Path, index: int) -> Run | None:
        """Return a run as its ledger has it, None where that cannot be read."""
        try:
            with Ledger(place, readonly=True) as ledger:
                return ledger.run(index)
        except LedgerError as error:
            self._leave_out(place, error)
            return None

    def _finished(self, place: Path, index: int, run: Run) -> Source | None:
        """Return what did a run's work, if its ledger has it as finished, with those of its files that are lost."""
        made = self._recorded(place, index)
        if made is None or made.earlier is None or made.status is not RunStatus.VERIFIED:
            return None
        choice = _choice(run, made)
        if choice is None:
            return None
        if not made.earlier.artifacts:
            self._leave_out(place, f"the record of run {index} names no file of its own")
            return None
        lacking = tuple(each for each in made.earlier.artifacts if not _same(made.directory, each))
        return Source(made.directory, made.earlier, place, choice, lacking)

    def _in_storage(self, run: Run, sources: Sequence[Source]) -> Iterator[Source]:
        """Yield those of the runs whose files a storage has; take note of one that none has.

        Raises `ConfigError` where none is found and one could not be had.
        """
        refused: ConfigError | None = None
        found = False
        for source in sources:
            place, folder = source.place, source.folder
            sums = {each.path: each.sha256 for each in source.lacking}
            try:
                with Ledger(place, readonly=True) as ledger:
                    stored = [*places_with(ledger, source.result.index, sums)]
            except LedgerError as error:
                self._leave_out(place, error)
                continue
            for url, sizes in stored:
                listed = source
                try:
                    if not self._storages.has(url, {_below(folder, name): size for name, size in sizes.items()}):
                        continue
                    listed = source._replace(url=url)
                    if not self._keep:
                        self._storages.compare(url, folder, source.lacking)
                except ConfigError as error:
                    refused = refused or _unreachable(listed, error)
                    continue
                found = True
                self._found[place] += 1
                self._stored[url] += 1
                yield listed
        if found:
            return
        if refused is not None:
            self._unread += 1
            raise refused
        if sources:
            self._lost[run.index] = sources[0]

    def _refuse_unread(self, run: Run) -> None:
        """Raise `ConfigError` where the work may lie in what the user has named and cannot be read."""
        for name in run.config.reuse_from:
            root = Path(os.path.realpath(Path(name).expanduser()))
            for place, error in self._unreadable.items():
                if Path(os.path.realpath(place)).is_relative_to(root):
                    self._unread += 1
                    message = (
                        f"reuse_from={name}: {error.message}; the run may lie finished there, and would be paid again"
                    )
                    raise ConfigError(message, hint="make it readable, or leave it out of reuse_from")

    def _leave_out(self, place: Path, error: ConfigError | str) -> None:
        if isinstance(error, ConfigError):
            self._unreadable[place] = error
        self.problems.append(Problem("", f"nothing is reused from {place}: {error}", severity="warning"))


def _work(run: Run) -> str:
    """Return the fingerprint of what a run is to do, which its repetitions in one sweep share."""
    return run.fingerprint.partition("#")[0]


def _made(run: Run) -> str | None:
    """Return the fingerprint of what was sent in the end for a finished run; None where that cannot be told."""
    if run.choice == 0:
        return _work(run)
    with suppress(ConfigError):  # an input file is gone
        return fingerprint(run.config.choice(run.choice))
    return None


def _choice(run: Run, made: Run) -> int | None:
    """Return which choice of a run another one has made; None where it is none.

    What a fallback made is the fallback's work. It counts for another run only where that began alike and has the same
    fallback: else a file would pass for one of a model that did not make it.
    """
    work = _made(made)
    if work is not None and work == _work(run):
        return 0
    if _work(made) != _work(run):
        return None
    for number, choice in enumerate(run.config.choices):
        with suppress(ConfigError):
            if number and fingerprint(choice) == work:
                return number
    return None


def _below(folder: str, name: str) -> str:
    """Return the name of a file in a folder, which may be `.`, as a storage has it."""
    return (Path(folder) / name).as_posix()


def _unreachable(source: Source, error: ConfigError) -> ConfigError:
    said = f"the files of {source.directory}, which were to be reused, cannot be had: {error.message}{_UNSENT}"
    remedy = command("rm", shown(source.place))
    gone = f"where all files of that sweep are gone for good: {remedy}; the rest is reused then"
    # A place that could be listed is not gone.
    ways = [error.hint, None if source.url else gone, "reuse=false pays for all runs anew"]
    return ConfigError(said, hint="\n".join(filter(None, ways)))


_UNSENT = "; nothing was sent"

_NAMED = 3
"""How many places are named."""


def _runs(count: int) -> str:
    return f"{count:,} run{'s' * (count != 1)}"


def _linked(run: Run, planned: Result, source: Source) -> Result:
    result = source.result
    for artifact in result.artifacts:
        if artifact not in source.lacking:
            _put(source.directory / artifact.path, run.directory / artifact.path)
    update = {
        "revision": planned.revision + 1,
        "status": RunStatus.VERIFIED,
        "artifacts": result.artifacts,
        "job_id": result.job_id,
        "endpoint": result.endpoint,
        "request_sent": result.request_sent,
        "reused_from": os.fspath(source.directory),
        "saved_usd": estimate(run.config),
        "warnings": [*dict.fromkeys([*planned.warnings, *_told(source), *_lacking(run, result)])],
        "cost": planned.cost.model_copy(update={"actual_usd": 0.0}),
        "timestamps": {**planned.timestamps, RunStatus.VERIFIED.value: next(iter(planned.timestamps.values()))},
    }
    return planned.model_copy(update=update)


def _told(source: Source) -> Iterator[str]:
    """Yield what was said of the files when they were made."""
    for warning in source.result.warnings:
        if source.choice or not warning.startswith(FELL_BACK):
            yield warning


def _lacking(run: Run, source: Result) -> Iterator[str]:
    """Yield what the run asks for beside its file and does not get."""
    request = run.config.request
    if isinstance(request, VideoRequest):
        names = [f"remote-{variant}" for variant in request.variants] + ["thumbnail"] * request.thumbnail
        there = {Path(artifact.path).stem for artifact in source.artifacts}
        yield from (f"no {name}: the run that was reused has none" for name in names if name not in there)
    if run.config.delete_remote:
        yield "nothing was deleted at the provider: the job is another run's"


def _put(source: Path, target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    with disk_errors(target):
        part.unlink(missing_ok=True)
        try:
            os.link(source, part)
        except OSError:
            shutil.copyfile(source, part)
    publish(part, target)
    # Renaming one link of a file over another does nothing.
    discard(part)


def _same(directory: Path, artifact: Artifact) -> bool:
    path = directory / artifact.path
    try:
        # A directory may come from anyone: a link in it must not bring another file along.
        if not stat.S_ISREG(path.lstat().st_mode) or not path.resolve().is_relative_to(directory.resolve()):
            return False
    except OSError:
        return False
    return has_sum(path, artifact.sha256)


def new_run(index: int, config: RunConfig, directory: Path, overrides: Sequence[str] = ()) -> Run:
    """Return a run that is planned, with its fingerprint: every input file is read for it, and only here.

    It has none where its request cannot be made, which the checks of its body and endpoint say.
    """
    work = ""
    with suppress(ConfigError):
        work = fingerprint(config)
    return Run(index, config, directory, tuple(overrides), fingerprint=work)


def fingerprint(config: RunConfig) -> str:
    """Return the SHA-256 (hex) over the request as sent, the canonical endpoint, and the replica's number.

    Two configs that send the same to the same place have the same one, whatever their limits, keys and spellings are;
    files count by their content. Raises `ConfigError` for a request that cannot be made.
    """
    request = config.request
    work = {
        "endpoint": _place(config.provider),
        "request": _by_content(build(config).record),
        # An image that is cropped or padded before it is sent is not the image that the config names.
        "fit": request.image_fit if isinstance(request, VideoRequest) and request.image_list else None,
        "replica": config.replica,
    }
    return hashlib.sha256(json.dumps(work, sort_keys=True, default=str).encode()).hexdigest()


def _place(provider: ProviderConfig) -> str:
    try:
        return resolve(provider).identity
    except ValueError as error:
        raise ConfigError(f"provider.base_url {error}") from error


def _by_content(value: Any) -> Any:  # Any: JSON
    """Return the same with each file's hash in place of its record, whose name says nothing about the work."""
    if isinstance(value, dict):
        return value.get("sha256") or {key: _by_content(each) for key, each in value.items()}
    return [_by_content(each) for each in value] if isinstance(value, list) else value
