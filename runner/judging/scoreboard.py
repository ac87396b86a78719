"""Say which of several things people prefer, how strong each is with its interval, and which file wins a prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from .judgements import FileJudgement, FileKey, Judgements, pair_agreement, rating_agreement
from .ratings_file import Pair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


ASSUMED = 0.5
"""Wins each way that every two are assumed to have had, as one tie: then all are connected and no strength infinite."""

SAMPLES = 1000
_LEVEL = 95
"""Percent of the samples that the interval holds."""

_MOST_STEPS = 50
_LONGEST_STEP = 2.0
_TOLERANCE = 1e-9

Game = tuple[int, int, float]
"""Two places in a list, and what the first had of it: 1 for a win, 0 for a loss, 0.5 for a tie."""


@dataclass(frozen=True, slots=True)
class Strength:
    """Hold a strength as log odds: two that differ by d win against each other with the probability 1 / (1 + exp(-d)).

    The strengths of all have the mean 0. `low` and `high` bound what 95 % of the samples give.
    """

    value: float
    low: float
    high: float


def can_fit() -> bool:
    """Return whether what the fit needs is installed: the extra `rank`."""
    return find_spec("choix") is not None


def strengths(count: int, games: Sequence[Game], *, seed: int = 0, samples: int = SAMPLES) -> list[Strength]:
    """Return the strength of each of `count` things by their games; raises `ImportError` without the extra `rank`.

    The same games and the same seed give the same intervals.
    """
    import choix
    import numpy as np

    if count == 0:
        return []
    kinds = sorted(Counter(games).items())
    assumed = ASSUMED * (1 - np.eye(count))
    found = choix.ilsr_pairwise_dense(_wins(count, games) + assumed, max_iter=10_000)
    found -= found.mean()
    if not kinds:
        return [Strength(float(value), float(value), float(value)) for value in found]
    each = np.array([_wins(count, [game]) for game, _ in kinds])
    shares = np.array([number for _, number in kinds]) / len(games)
    drawn = np.random.default_rng(seed).multinomial(len(games), shares, size=samples)
    fitted = _fit(np.tensordot(drawn.astype(float), each, axes=1) + assumed, found)
    low, high = np.percentile(fitted, [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2], axis=0)
    return [Strength(*map(float, values)) for values in zip(found, low, high, strict=True)]


def _wins(count: int, games: Iterable[Game]) -> Array:
    """Return how often the one of the row has won against the one of the column; a tie is half a win of both."""
    import numpy as np

    wins = np.zeros((count, count))
    for one, other, share in games:
        wins[one, other] += share
        wins[other, one] += 1 - share
    return wins


def _fit(wins: Array, start: Array) -> Array:
    """Return the likeliest strengths (samples × things) by `wins` (samples × things × things), by Newton's method.

    All samples are fitted at once: one after the other takes a hundred times as long.
    """
    import numpy as np

    count = wins.shape[1]
    games, total = wins + wins.swapaxes(1, 2), wins.sum(axis=2)
    found = np.tile(start, (len(wins), 1))
    for _ in range(_MOST_STEPS):
        chance = 1 / (1 + np.exp(found[:, None, :] - found[:, :, None]))
        slope = total - (games * chance).sum(axis=2)
        bend = games * chance * (1 - chance)
        # Strengths are known but for a constant; the added one keeps their sum.
        curve = np.eye(count) * bend.sum(axis=2)[:, :, None] - bend + 1 / count
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        found += np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if np.abs(step).max() < _TOLERANCE:
            break
    return np.asarray(found - found.mean(axis=1, keepdims=True))


def connected(count: int, games: Iterable[Game]) -> list[list[int]]:
    """Return the groups within which all were compared, directly or by way of others; one where all hang together."""
    group = [*range(count)]
    for one, other, _ in games:
        old, new = group[one], group[other]
        group = [new if each == old else each for each in group]
    return [[place for place, each in enumerate(group) if each == name] for name in dict.fromkeys(group)]


_NAMED = 3
"""So many things are named in a sentence."""


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """Describe a run as far as judging goes.

    Attributes:
        key: as records name it.
        thing: what it stands for among those that are compared, as the name of its model.
        prompt: what tells runs for one prompt from those for others.
        files: names of its files in its directory, the main one first.
        usd: US dollars that were spent on it; None if nobody knows.
        seconds: from the request to its end; None before that.
    """

    key: str
    thing: str
    prompt: str
    files: tuple[str, ...]
    usd: float | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Row:
    """Hold one thing's standing.

    Attributes:
        wins: of its games against other things, with `losses` and `ties`.
        both_bad: comparisons in which neither file was good enough, which are no games.
        strength: None where it cannot be fitted.
        ratings: how many there are, of any of its files; `rating_mean` is their mean.
        kept: how many of its `files` are kept.
        usd_per_kept: what was spent on all its runs, failed ones too, for each kept file.
        seconds_per_kept: how long all its runs took, for each kept file.
    """

    thing: str
    runs: int = 0
    files: int = 0
    wins: int = 0
    losses: int = 0
    ties: int = 0
    both_bad: int = 0
    strength: Strength | None = None
    ratings: int = 0
    rating_mean: float | None = None
    kept: int = 0
    usd_per_kept: float | None = None
    seconds_per_kept: float | None = None

    @property
    def games(self) -> int:
        """Return how often it was compared with another thing, without those in which both were bad."""
        return self.wins + self.losses + self.ties

    @property
    def win_rate(self) -> float | None:
        """Return the share of its games that it won, a tie as half of one; None without a game."""
        return (self.wins + self.ties / 2) / self.games if self.games else None


@dataclass(frozen=True, slots=True)
class Winner:
    """Hold the best files for one prompt: one, or several that are equally good.

    Attributes:
        files: with their runs' keys; empty where nothing speaks for any.
        things: what they stand for, each once.
        kept: all files for the prompt that are kept.
    """

    prompt: str
    files: tuple[FileKey, ...]
    things: tuple[str, ...]
    kept: tuple[FileKey, ...]


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """Hold the standings, the best first.

    Attributes:
        rating_alpha: Krippendorff's alpha of ratings; None where no file has two raters.
        pair_alpha: the same of choices between two files.
        games: comparisons of two different things, ties included.
        both_bad: comparisons of those in which neither was good enough.
        within: comparisons of two files of one thing, which say nothing of it.
        strange: records of files that are not here.
        remarks: what the strengths and intervals do not tell by themselves.
    """

    rows: list[Row]
    winners: list[Winner]
    raters: tuple[str, ...]
    rating_alpha: float | None
    pair_alpha: float | None
    games: int
    both_bad: int
    within: int
    strange: int
    remarks: list[str] = field(default_factory=list)


def scoreboard(runs: Sequence[JudgedRun], judgements: Judgements, *, seed: int = 0) -> Scoreboard:
    """Return how the runs' things stand; `seed` decides the bootstrap's samples."""
    by_thing, by_prompt = _grouped(runs, lambda run: run.thing), _grouped(runs, lambda run: run.prompt)
    by_file = {(run.key, file): run for run in runs for file in (*run.files, "")}
    known = [pair for pair in judgements.pairs if pair.left_key in by_file and pair.right_key in by_file]
    across = [pair for pair in known if by_file[pair.left_key].thing != by_file[pair.right_key].thing]
    rows = {thing: _row(thing, own, judgements) for thing, own in by_thing.items()}
    for pair in across:
        _count(rows[by_file[pair.left_key].thing], rows[by_file[pair.right_key].thing], pair.outcome)
    played = [thing for thing, row in rows.items() if row.games]
    places = {thing: place for place, thing in enumerate(played)}
    games = [
        (places[by_file[pair.left_key].thing], places[by_file[pair.right_key].thing], _SHARES[pair.outcome])
        for pair in across
        if pair.outcome in _SHARES
    ]
    if games and can_fit():
        for thing, strength in zip(played, strengths(len(played), games, seed=seed), strict=True):
            rows[thing].strength = strength
    of_one_prompt = _grouped(
        [pair for pair in known if by_file[pair.left_key].prompt == by_file[pair.right_key].prompt],
        lambda pair: by_file[pair.left_key].prompt,
    )
    return Scoreboard(
        rows=sorted(rows.values(), key=_standing),
        winners=[_winner(name, own, judgements, of_one_prompt.get(name, [])) for name, own in by_prompt.items()],
        raters=tuple(judgements.raters),
        rating_alpha=rating_agreement(judgements),
        pair_alpha=pair_agreement(judgements),
        games=len(games),
        both_bad=len(across) - len(games),
        within=len(known) - len(across),
        strange=len(judgements.pairs)
        - len(known)
        + sum((each.run, each.file) not in by_file for each in judgements.ratings),
        remarks=[*_remarks(played, games)],
    )


Item = TypeVar("Item")


def _grouped(items: Sequence[Item], name: Callable[[Item], str]) -> dict[str, list[Item]]:
    """Return the items by name, the names in the order of their first."""
    found: dict[str, list[Item]] = {}
    for each in items:
        found.setdefault(name(each), []).append(each)
    return found


_SHARES = {"left": 1.0, "right": 0.0, "tie": 0.5}


def _row(name: str, runs: Sequence[JudgedRun], judgements: Judgements) -> Row:
    judged = [each for run in runs for each in judgements.of_run(run.key, run.files or ("",))]
    numbers = [number for each in judged for number in each.numbers]
    kept = sum(each.kept for each in judged)
    money = [run.usd for run in runs if run.usd is not None]
    times = [run.seconds for run in runs if run.seconds is not None]
    return Row(
        thing=name,
        runs=len(runs),
        files=sum(len(run.files) for run in runs),
        ratings=len(numbers),
        rating_mean=sum(numbers) / len(numbers) if numbers else None,
        kept=kept,
        usd_per_kept=sum(money) / kept if kept and money else None,
        seconds_per_kept=sum(times) / kept if kept and times else None,
    )


def _count(left: Row, right: Row, outcome: str) -> None:
    if outcome == "left":
        left.wins, right.losses = left.wins + 1, right.losses + 1
    elif outcome == "right":
        right.wins, left.losses = right.wins + 1, left.losses + 1
    elif outcome == "tie":
        left.ties, right.ties = left.ties + 1, right.ties + 1
    else:
        left.both_bad, right.both_bad = left.both_bad + 1, right.both_bad + 1


def _standing(row: Row) -> tuple[float, float, float, int, str]:
    """Return what sorts rows, the best first."""
    strength = row.strength.value if row.strength else 0.0
    rate = 0.5 if row.win_rate is None else row.win_rate
    return -strength, -rate, -(row.rating_mean or 0.0), -row.kept, row.thing


def _winner(prompt: str, runs: Sequence[JudgedRun], judgements: Judgements, pairs: Sequence[Pair]) -> Winner:
    """Return the files that won most of all, less their losses; then rated highest; then starred; none is rejected."""
    judged: dict[FileKey, FileJudgement] = {}
    for run in runs:
        files = run.files or ("",)
        judged |= zip(((run.key, file) for file in files), judgements.of_run(run.key, files), strict=True)
    main = {run.key: (run.key, run.files[0] if run.files else "") for run in runs}
    balance: Counter[FileKey] = Counter()
    for pair in pairs:
        if pair.outcome in ("left", "right"):
            left, right = (key if key[1] else main[key[0]] for key in (pair.left_key, pair.right_key))
            balance[left] += 1 if pair.outcome == "left" else -1
            balance[right] += 1 if pair.outcome == "right" else -1
    merits = {
        key: (balance[key], each.mean or 0.0, each.starred)
        for key, each in judged.items()
        if not each.rejected and (balance[key] > 0 or each.mean is not None or each.starred)
    }
    best = max(merits.values(), default=None)
    winning = tuple(key for key, merit in merits.items() if merit == best)
    things = {run.key: run.thing for run in runs}
    return Winner(
        prompt=prompt,
        files=winning,
        things=tuple(dict.fromkeys(things[run] for run, _ in winning)),
        kept=tuple(key for key, each in judged.items() if each.kept),
    )


def _remarks(names: Sequence[str], games: Sequence[Game]) -> Iterator[str]:
    """Yield what to know before one believes the strengths."""
    if not games:
        return
    groups = connected(len(names), games)
    if len(groups) > 1:
        parts = " | ".join(_listed([names[place] for place in group]) for group in groups)
        yield f"never compared with each other: {parts}; how they stand to each other is assumed, not judged"
    for place, name in enumerate(names):
        shares = [share if one == place else 1 - share for one, other, share in games if place in (one, other)]
        if shares and len(set(shares)) == 1 and shares[0] in (0.0, 1.0):
            what = "won all" if shares[0] else "lost all"
            yield f"{name} {what} of its {len(shares)} games: how far it is from the others, nobody can tell yet"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join([*names[:_NAMED], *([f"{more} more"] if more > 0 else [])])
