"""Write a page with small copies of its media into a directory that any host of files can show."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.artifacts.atomic import output_errors
from runner.artifacts.picture import NAME as POSTER
from runner.artifacts.result import Artifact, Result
from runner.errors import ConfigError
from runner.judging.judgements import FileJudgement, Judgements
from runner.report.cell import address
from runner.report.live_page import NAME as PAGE
from runner.report.page import Shell, encoded_json, page_data
from runner.report.page_model import PageModel, PageState
from runner.results.loading import own_file
from runner.results.reading import RunGroup
from runner.results.run_key import file_names, ratings_of

from .preview import SHORT_SIDE, Previewer

_MEDIA = "media"


@dataclass(slots=True)
class Bundle:
    """Describe what was written.

    Attributes:
        whole: files that are there as they are: the kept ones, posters, and those that no small copy could be made of.
        small: files that are there as small copies.
        missing: files that are gone, no media, or not in a run's own directory.
        bytes: of all of them together.
    """

    whole: int = 0
    small: int = 0
    missing: int = 0
    bytes: int = 0


def write_bundle(directory: Path, groups: Sequence[RunGroup]) -> Bundle:
    """Write the page and its media; kept files are there whole, all others as small copies.

    Raises `ConfigError` where `directory` is there and not empty, and `DiskError`.
    """
    with output_errors(directory):
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ConfigError(
                f"{directory} cannot be made: a file is in the way; nothing was written",
                hint="--export NEW names a new directory",
            ) from error
        if any(directory.iterdir()):
            raise ConfigError(
                f"{directory} is not empty; nothing was written", hint="--export NEW names a new directory"
            )
    judgements = Judgements(ratings_of(groups).records)
    kept = {
        (where, name)
        for group in groups
        for key, (where, result) in zip(group.run_keys(), group.runs, strict=True)
        for name, judged in _judged(judgements, key, result)
        if judged.kept
    }
    results = [result for group in groups for _, result in group.runs]
    model = PageModel(groups, directory, [group.runs[0][1].config.budget for group in groups])
    state = PageState(model, results, ())
    with Previewer() as previewer:
        copies = _Copies(directory, previewer, kept)
        cells = [encoded_json(cell) for cell in state.cells(copies)]
    # Last: a page is there only with all that it shows.
    Shell(model.title).write(directory / PAGE, page_data(state.heading, cells, state.totals()))
    return copies.told


def _judged(judgements: Judgements, key: str, result: Result) -> Iterator[tuple[str, FileJudgement]]:
    """Yield the names of a run's files with what is thought of each."""
    names = file_names(result)
    return zip(names, judgements.of_run(key, names), strict=True)


@dataclass
class _Copies:
    """Copy the files that a page shows, and tell their addresses in the bundle."""

    directory: Path
    previewer: Previewer
    kept: Collection[tuple[Path, str]]
    told: Bundle = field(default_factory=Bundle)
    _numbers: dict[Path, int] = field(default_factory=dict)

    def take(self, sweep: Path, directory: Path, artifact: Artifact) -> str:
        """Return the address of a run's file in the bundle, where it is now."""
        folder = Path(_MEDIA, str(self._numbers.setdefault(directory, len(self._numbers))))
        source = own_file(directory, artifact, within=sweep)
        if source is None:
            self.told.missing += 1
            return address(str(folder / artifact.path))
        target = folder / source.name
        with output_errors(self.directory / folder):
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        small = folder / f"{source.stem}-{_ending(artifact)}"
        whole = artifact.path == POSTER or (directory, artifact.path) in self.kept
        if not whole and self.previewer.make(source, self.directory / small, artifact.media_type):
            self.told.small += 1
            target = small
        else:
            self.told.whole += 1
            with output_errors(self.directory / target):
                shutil.copyfile(source, self.directory / target)
        self.told.bytes += (self.directory / target).stat().st_size
        return address(str(target))


def _ending(artifact: Artifact) -> str:
    return f"{SHORT_SIDE}p.mp4" if artifact.media_type.startswith("video/") else "small.webp"
