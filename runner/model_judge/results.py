"""Make scores and judgements of votes, and append them where metrics and people's choices stand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.artifacts.run_status import RunStatus
from runner.config.judge import JUDGE, OVERALL, ScoreConfig
from runner.judging.rating_log import RatingLog
from runner.judging.ratings_file import JUDGE_PREFIX, FileReference, Outcome, Pair
from runner.metrics.scores import Score, append_scores, moment, read_scores
from runner.providers.endpoint import resolve
from runner.results.reading import RunGroup
from runner.results.run_key import homes_of, places_of

from .plan import JudgePlan
from .question import JudgedFile, Question, asked_by
from .vote import Vote, votes_of

EMULATOR = "emulator"
"""The kind of provider that judges without a model."""

_OUTCOMES: dict[str, Outcome] = {"first": "left", "second": "right", "tie": "tie", "both_bad": "both_bad"}
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Written:
    """Count the numbers that a directory got, and the files that keep a real judge's instead of emulated ones."""

    numbers: int
    withheld: int = 0


def write_scores(made: JudgePlan, config: ScoreConfig) -> dict[Path, Written]:
    """Append each file's means where they are not its latest ones; returns what each directory got.

    Those of the emulator never replace those of a judge that was asked for real. Raises `DiskError`.
    """
    written: dict[Path, Written] = {}
    for place in made.places:
        real = _judged_for_real(place) if config.provider.kind == EMULATOR else frozenset()
        latest = {(each.work, each.file, each.sha256, each.metric): each for each in read_scores(place)}
        new, withheld = [], set()
        for score in _scores(made, config, place):
            if score.sha256 in real:
                withheld.add((score.work, score.file))
                continue
            known = latest.get((score.work, score.file, score.sha256, score.metric))
            if known is None or (known.cause, known.value) != (score.cause, score.value):
                new.append(score)
        append_scores(place, new)
        written[place] = Written(len(new), len(withheld))
    return written


def _judged_for_real(place: Path) -> frozenset[str]:
    """Return the sha256 of the files that another judge than the emulator has scored."""
    scored = (vote for vote in votes_of(place).values() if vote.status is RunStatus.VERIFIED and not vote.compares)
    return frozenset(file.sha256 for vote in scored if vote.provider != EMULATOR for file in vote.files)


def _scores(made: JudgePlan, config: ScoreConfig, place: Path) -> Iterator[Score]:
    asked = asked_by(config, resolve(config.provider).identity)
    version, at = _mark(json.dumps(asked, sort_keys=True)), moment()
    by_file: dict[JudgedFile, list[Vote]] = {}
    for question, key in made.questions:
        if question.place == place and not question.compares:
            by_file.setdefault(question.files[0], []).append(made.votes[key])
    for file, votes in by_file.items():
        answered = [vote for vote in votes if vote.status is RunStatus.VERIFIED and vote.verdict is not None]
        context = _mark(" ".join(vote.key for vote in answered))
        for name in answered[0].criteria if answered else ():
            values = [vote.verdict.scores[name] for vote in answered if vote.verdict and name in vote.verdict.scores]
            metric = JUDGE if name == OVERALL else f"{JUDGE}_{name}"
            if values:
                mean = round(sum(values) / len(values), 4)
                yield Score(file.run, file.name, file.sha256, metric, version, mean, context, at)


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write_choices(made: JudgePlan, config: ScoreConfig, groups: Sequence[RunGroup]) -> int:
    """Append what came of comparisons to `ratings.jsonl`, each once; returns how many. Raises `DiskError`."""
    log = RatingLog()
    log.watch(homes_of(groups), places_of(groups))
    pairs = (_pair(question, made.votes[key], config) for question, key in made.questions if question.compares)
    return log.merge(pair for pair in pairs if pair is not None).taken


def _pair(question: Question, vote: Vote, config: ScoreConfig) -> Pair | None:
    """Return an answer as a judgement; its id is always the same, so that it counts once."""
    better = vote.verdict.better if vote.verdict is not None else None
    if vote.status is not RunStatus.VERIFIED or better is None or vote.answered_at is None:
        return None
    left, right = (FileReference(run=file.run, file=file.name) for file in question.files)
    # Without the sweep's name: its directory may be renamed.
    names = " ".join(f"{each.run.partition('/')[2]}/{each.file}" for each in (left, right))
    return Pair(
        id=_mark(f"{vote.key} {names}") + vote.key[:20],
        at=vote.answered_at,
        rater=rater_of(vote),
        left=left,
        right=right,
        outcome=_OUTCOMES[better],
        by=config.judge.pairs,
        seed=config.judge.pairs_seed,
    )


def rater_of(vote: Vote) -> str:
    """Return by what name a judge is known among raters: never a person's, and never a model's that was emulated."""
    emulated = " (emulated)" if vote.provider == EMULATOR else ""
    return f"{JUDGE_PREFIX}{vote.model[: _LONGEST_NAME - len(JUDGE_PREFIX) - len(emulated)]}{emulated}"
