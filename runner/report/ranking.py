"""Rank the values of a page's axis, as its models, by what people think of the runs' files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from runner.artifacts.result import Result
from runner.config.problem import did_you_mean
from runner.errors import ConfigError
from runner.judging.judgements import FileKey, Judgements, Preference, preferences
from runner.judging.scoreboard import JudgedRun, Scoreboard, Winner, scoreboard
from runner.results.reading import RunGroup
from runner.results.run_key import file_names

from .page_model import axes_of

MODEL = "model"
ANY_FILE = "file"
"""What stands for an axis where any two files of one prompt are compared."""

_CHANCE = frozenset({"replica", "request.seed", "sweep"})
_ASKED = frozenset({"request.prompt", "request.negative_prompt", "request.prompt_file", "id"})


class Ranking:
    """Hold the runs of some sweeps with their judgements."""

    def __init__(self, groups: Sequence[RunGroup], judgements: Judgements) -> None:
        self.judgements = judgements
        self._runs = [run for group in groups for run in group.runs]
        self._keys = [key for group in groups for key in group.run_keys()]
        self._by_key = dict(zip(self._keys, self._runs, strict=True))
        results = [result for _, result in self._runs]
        owners = [number for number, group in enumerate(groups) for _ in group.runs]
        axes = axes_of(results, owners, [group.name for group in groups])
        self._columns = {
            axis["key"]: [None if places[number] is None else axis["values"][places[number]] for places in axes.places]
            for number, axis in enumerate(axes.axes)
        }

    def axis(self, wanted: str | None) -> str:
        """Return the key of the axis that is wanted, or else of the one that one most likely ranks by.

        Raises `ConfigError` where the runs do not differ in what is wanted.
        """
        if wanted is None:
            told = [key for key in self._columns if key not in _CHANCE | _ASKED and not key.startswith("vars.")]
            return MODEL if MODEL in told or not told else told[0]
        for key in (wanted, f"request.{wanted}", wanted.removesuffix(".name")):
            if key in self._columns or key == MODEL:
                return key
        near = did_you_mean(wanted, self._columns)
        known = ", ".join(self._columns) or "nothing"
        hint = f"did you mean --by {near}?" if near else f"they differ in: {known}"
        raise ConfigError(f"the runs do not differ in {wanted!r}", hint=hint)

    def board(self, by: str, *, seed: int = 0) -> Scoreboard:
        """Return how the values of an axis stand; `seed` decides the bootstrap's samples."""
        column = self._columns.get(by) or [result.config.model.name for _, result in self._runs]
        return scoreboard(
            [
                JudgedRun(
                    key=key,
                    thing="–" if value is None else str(value),
                    prompt=_prompt(result),
                    files=file_names(result),
                    usd=result.cost.actual_usd if result.cost.actual_usd is not None else result.spent_usd,
                    seconds=result.latency_seconds,
                )
                for key, value, (_, result) in zip(self._keys, column, self._runs, strict=True)
            ],
            self.judgements,
            seed=seed,
        )

    def path(self, file: FileKey) -> Path:
        """Return where a file lies; of a run as a whole, its directory."""
        return self._by_key[file[0]][0] / file[1]

    def preferences(self) -> Iterator[Preference]:
        """Yield what most raters chose of each two files."""
        texts: dict[FileKey, str] = {}
        for key, (_, result) in zip(self._keys, self._runs, strict=True):
            files = file_names(result)
            texts |= {(key, name): result.config.request.prompt for name in files}
        return preferences(self.judgements, texts)

    def pairs(self, by: str) -> list[list[tuple[FileKey, FileKey]]]:
        """Return, for each prompt, the pairs of files that differ on an axis: by their models, or in that key alone.

        `by` is an axis, or `file`: any two. Raises `ConfigError` where the runs do not differ in it.
        """
        axis = None if by == ANY_FILE else self.axis(by)
        prompts: dict[str, list[int]] = {}
        for number, (_, result) in enumerate(self._runs):
            prompts.setdefault(_prompt(result), []).append(number)
        found = []
        for numbers in prompts.values():
            files = [(number, (self._keys[number], name)) for number in numbers for name in self._names(number)]
            pairs = combinations(files, 2)
            found.append([(left, right) for (one, left), (other, right) in pairs if self._differ(one, other, axis)])
        return found

    def _names(self, number: int) -> tuple[str, ...]:
        return file_names(self._runs[number][1])

    def _differ(self, one: int, other: int, axis: str | None) -> bool:
        if axis is None:
            return True
        if axis == MODEL:
            names = [self._runs[number][1].config.model.name for number in (one, other)]
            return names[0] != names[1]
        rest = (column for key, column in self._columns.items() if key != axis and key not in _CHANCE)
        column = self._columns[axis]
        return column[one] != column[other] and all(each[one] == each[other] for each in rest)

    def chosen(self, winners: Sequence[Winner]) -> list[Result]:
        """Return the runs with a kept file, and for prompts without one those that won."""
        keys = [key for winner in winners for key, _ in winner.kept or winner.files]
        return [self._by_key[key][1] for key in dict.fromkeys(keys)]


def _prompt(result: Result) -> str:
    """Return what tells runs for one prompt from others: the row of a table that it came from, or the text."""
    return result.config.run.id or result.config.request.prompt
