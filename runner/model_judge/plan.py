"""Plan what a judge is asked: every file, or files of one prompt two by two; what is known already, and the price."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from random import Random

from runner.artifacts.result import Artifact, Result, own_name
from runner.artifacts.run_status import RunStatus
from runner.config.judge import FOLDER, ScoreConfig, most_usd
from runner.config.problem import Problem
from runner.errors import ConfigError
from runner.judging.judgements import FileKey, Judgements
from runner.ledger.lock import LockedError, at_work
from runner.providers.chat import read_chat
from runner.providers.endpoint import resolve
from runner.providers.json_answer import read_documents
from runner.report.ranking import Ranking
from runner.results.loading import own_file
from runner.results.reading import RunGroup
from runner.results.run_key import media_of

from .asking import Asked, is_open, take_answer
from .question import JudgedFile, Question
from .vote import UNREADABLE, Vote, planned_vote, votes_of

Pair = tuple[FileKey, FileKey]


@dataclass(slots=True)
class JudgePlan:
    """Hold all questions with what is known of them.

    Attributes:
        questions: each with the key of its vote, which is another's, too, where files are the same.
        votes: by their keys, as far as they have come.
        left: what is asked now.
        reread: votes whose kept answers can be read by now, which is not recorded yet, with their places.
        kept: the keys of the answered votes that each directory has.
        spent: US dollars that count against the budget already.
        most: US dollars that asking what is left costs at most; `counted`: of those, what is money.
        dearest: US dollars that one request counts at most.
        unknown: how many of the questions that are left have no price.
        skipped: pairs beyond `judge.max_pairs`.
        problems: what is to be said.
    """

    questions: list[tuple[Question, str]] = field(default_factory=list)
    votes: dict[str, Vote] = field(default_factory=dict)
    left: list[Asked] = field(default_factory=list)
    reread: list[tuple[Path, Vote]] = field(default_factory=list)
    kept: dict[Path, set[str]] = field(default_factory=dict)
    spent: float = 0.0
    most: float = 0.0
    counted: float = 0.0
    dearest: float = 0.0
    unknown: int = 0
    skipped: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def places(self) -> list[Path]:
        """Return the directories that keep the votes."""
        return [*dict.fromkeys(question.place for question, _ in self.questions)]

    @property
    def unkept(self) -> list[tuple[Path, Vote]]:
        """Return answered votes that a directory with the same file lacks, as another one has them."""
        found = {
            (question.place, key): self.votes[key]
            for question, key in self.questions
            if key not in self.kept[question.place] and self.votes[key].status is RunStatus.VERIFIED
        }
        return [(place, vote) for (place, _), vote in found.items()]

    def with_status(self, *statuses: RunStatus) -> list[Vote]:
        """Return the votes that have come so far."""
        return [vote for vote in self.votes.values() if vote.status in statuses]


def plan(
    groups: Sequence[RunGroup], config: ScoreConfig, *, retry_failed: bool = False, resubmit_uncertain: bool = False
) -> JudgePlan:
    """Return what a judge is asked about the files of some sweeps; nothing is sent or written.

    Raises `ConfigError` where there is nothing to compare, or where another process is asking, `LedgerError` where
    votes cannot be read.
    """
    made, endpoint = JudgePlan(), resolve(config.provider).identity
    files = [*_files(groups, made.problems)]
    judge = config.judge
    if judge.pairs is None:
        asked = [Question((file,), number, place) for place, file in files for number in range(judge.votes)]
    else:
        asked = _comparisons(groups, files, config, made)
    known = _known(asked, config, made)
    for question in asked:
        key = question.key(config, endpoint)
        made.questions.append((question, key))
        if key in made.votes:
            continue
        home, vote = known.get(key) or (question.place, planned_vote(question, config, endpoint))
        made.votes[key] = vote
        if _reread(vote, home, config):
            made.reread.append((home, vote))
        if is_open(vote, retry_failed=retry_failed, resubmit_uncertain=resubmit_uncertain):
            vote.estimated_usd = _most_usd(question, config)  # an earlier request may have been for less
            _count(made, vote, config)
            made.left.append(Asked(replace(question, place=home), vote))
    return made


def _known(asked: Sequence[Question], config: ScoreConfig, made: JudgePlan) -> dict[str, tuple[Path, Vote]]:
    """Return the votes that the questions' places have, and where: of several on one question, what forbids most."""
    known: dict[str, tuple[Path, Vote]] = {}
    for place in dict.fromkeys(question.place for question in asked):
        if who := at_work(place / FOLDER):
            raise LockedError(place / FOLDER, who)
        votes = votes_of(place)
        made.kept[place] = {key for key, vote in votes.items() if vote.status is RunStatus.VERIFIED}
        made.spent += spent_on(votes.values(), config)
        for key, vote in votes.items():
            if key not in known or _weight(vote) > _weight(known[key][1]):
                known[key] = place, vote
    return known


def _weight(vote: Vote) -> int:
    """Order votes: an answer, before what may have been paid, before what was refused, before what is free to ask."""
    if vote.status is RunStatus.VERIFIED:
        return 3
    return 2 if vote.status.lost else 0 if vote.free else 1


def spent_on(votes: Iterable[Vote], config: ScoreConfig) -> float:
    """Return the US dollars that votes count against a budget."""
    return sum(config.budget.known(usd) for vote in votes for usd in vote.counted_usd)


def _most_usd(question: Question, config: ScoreConfig) -> float | None:
    judge = config.judge
    price = most_usd(config, question.characters(judge), question.image_sizes(judge))
    return None if price is None else price.usd


def _count(made: JudgePlan, vote: Vote, config: ScoreConfig) -> None:
    usd = vote.estimated_usd if vote.estimated_usd is not None else config.budget.assume_usd_per_run
    made.most += usd or 0.0
    counted = config.budget.counted(config.provider, vote.estimated_usd) or 0.0
    made.counted += counted
    made.dearest = max(made.dearest, counted)
    made.unknown += usd is None


def _reread(vote: Vote, place: Path, config: ScoreConfig) -> bool:
    """Look again at an answer that could not be read, as a later version may; returns whether it could be now."""
    if vote.status is RunStatus.FAILED and vote.text is not None and vote.error is not None:
        if vote.error.code == UNREADABLE and (verdict := vote.read(vote.text)) is not None:
            vote.verdict, vote.status, vote.error = verdict, RunStatus.VERIFIED, None
            return True
    elif vote.status.lost:
        names = [attempt.answer for attempt in vote.attempts if attempt.answer]
        for path in (place / FOLDER / name for name in reversed(names) if own_name(name)):
            with suppress(OSError):
                answer = read_chat(read_documents(path.read_bytes(), str), {})
                if answer is not None:
                    take_answer(vote, answer, config, dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC))
                    return True
    return False


def _files(groups: Sequence[RunGroup], problems: list[Problem]) -> Iterator[tuple[Path, JudgedFile]]:
    """Yield the files with the directories that keep what is thought of them; one that is gone is a problem."""
    for group in groups:
        for key, (where, result) in zip(group.run_keys(), group.runs, strict=True):
            for artifact in media_of(result) if result.status is RunStatus.VERIFIED else ():
                path = own_file(where, artifact)
                if path is None:
                    message = f"{where / artifact.path} is not there, and was not judged"
                    problems.append(Problem("metrics", message, severity="warning"))
                    continue
                yield group.resumed_by(where), _file(key, path, result, artifact)


def _file(key: str, path: Path, result: Result, artifact: Artifact) -> JudgedFile:
    size = (artifact.width, artifact.height) if artifact.width and artifact.height else None
    prompt = result.config.choice(result.choice).request.prompt
    return JudgedFile(key, artifact.path, artifact.sha256, path, artifact.media_type, prompt, size)


def _comparisons(
    groups: Sequence[RunGroup], files: Sequence[tuple[Path, JudgedFile]], config: ScoreConfig, made: JudgePlan
) -> list[Question]:
    """Return each pair in both orders, as many judges prefer what they see first."""
    by_key = {(file.run, file.name): (place, file) for place, file in files}
    judge = config.judge
    by_prompt = Ranking(groups, Judgements(())).pairs(str(judge.pairs))
    usable = [
        [pair for pair in pairs if _comparable([by_key.get(key) for key in pair])] for pairs in by_prompt if pairs
    ]
    drawn = _drawn(usable, judge.pairs_seed)
    if not drawn:
        raise ConfigError(
            f"there are no two different files of one prompt to compare by {judge.pairs}; nothing was sent",
            hint="judge.pairs=file compares any two files of one prompt; without judge.pairs, each is scored",
        )
    made.skipped = max(0, len(drawn) - judge.max_pairs)
    asked = []
    for left, right in drawn[: judge.max_pairs]:
        (place, one), (_, other) = by_key[left], by_key[right]
        for number in range(judge.votes):
            asked += [Question((one, other), number, place), Question((other, one), number, place)]
    return asked


def _comparable(found: Sequence[tuple[Path, JudgedFile] | None]) -> bool:
    """Return whether both files are there, of one kind, and not the same."""
    files = [each[1] for each in found if each is not None]
    return len(files) == 2 and files[0].is_video is files[1].is_video and files[0].sha256 != files[1].sha256


def _drawn(by_prompt: Sequence[Sequence[Pair]], seed: int) -> list[Pair]:
    """Return all pairs, in an order in which every prompt has its turn before one has another."""
    random = Random(seed)  # noqa: S311 - a sample, no secret
    shuffled = [random.sample(pairs, len(pairs)) for pairs in by_prompt]
    return [pair for turn in zip_longest(*shuffled) for pair in turn if pair is not None]
