"""What a sweep's directory has, held against a strange server's account: nothing paid twice, nothing paid lost."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strange_manners import Paid

UNFINISHED = frozenset({"submitted", "completed", "downloaded"})
"""Statuses of runs that ask for their job again."""
LOST = frozenset({"uncertain", "submitting"})
"""Statuses of runs whose answer never came."""
LEDGER = "ledger.sqlite3"


@dataclass
class Verdict:
    """What became of the paid requests of one sweep.

    Attributes:
        twice: payments beyond the first of a run.
        lost: finished work that is neither on disk nor to be had any more, or that another run has.
        unsettled: finished work that is not lost and did not get home, though the server has it and tells of it.
        uncertain: payments whose answer never arrived.
        untold: jobs that failed for a reason that their runs do not repeat.
    """

    runs: int = 0
    paid: int = 0
    finished: int = 0
    on_disk: int = 0
    uncertain: int = 0
    twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    """Odd manners, by how many payments met them."""


def judge(directory: Path, account: Sequence[Paid], killed: Collection[int]) -> Verdict:
    """Hold `directory` against `account`; answers to the processes `killed` may not have been read any more."""
    runs = {(result["config"]["request"]["kind"], result["config"]["request"]["prompt"]): (place, result)
            for place, result in _results(directory)}  # fmt: skip
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in _files(directory)}
    verdict = Verdict(runs=len(runs), paid=len(account))
    verdict.statuses = Counter(result["status"] for _, result in runs.values())
    verdict.met = Counter(name for paid in account for name in paid.odd)
    verdict.twice = list(_twice(account))
    for paid in account:
        _weigh(verdict, paid, runs.get((paid.kind, paid.prompt)), hashes, killed)
    verdict.lost += _of_others(runs.values(), account)
    return verdict


def _results(directory: Path) -> Iterator[tuple[Path, dict[str, Any]]]:  # Any: JSON values
    for path in sorted(directory.rglob("result.json")):
        try:
            yield path.parent, json.loads(path.read_bytes())
        except ValueError:
            continue


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.is_file() and not path.name.startswith(LEDGER))


def _twice(account: Sequence[Paid]) -> Iterator[str]:
    for (kind, prompt), count in Counter((paid.kind, paid.prompt) for paid in account).items():
        if count > 1:
            processes = [paid.process for paid in account if (paid.kind, paid.prompt) == (kind, prompt)]
            yield f"{kind} {prompt!r} was paid {count} times, by processes {processes}"


def _weigh(
    verdict: Verdict,
    paid: Paid,
    run: tuple[Path, dict[str, Any]] | None,  # Any: JSON values
    hashes: dict[str, Path],
    killed: Collection[int],
) -> None:
    """Enter one payment into the verdict."""
    what = f"{paid.kind} {paid.prompt!r} ({', '.join(paid.odd) or 'plain'})"
    place, result = run or (None, {})
    status, error = result.get("status"), result.get("error") or {}
    why = f"{status}: {error.get('message')}"
    unanswered = paid.lost or paid.process in killed
    if paid.ending != "finished":
        if status in LOST and unanswered:
            verdict.uncertain += 1
        elif status != "failed":
            verdict.unsettled.append(f"{what} {paid.ending}, and the run is {why}")
        elif not _repeats(str(error.get("message"))):
            verdict.untold.append(f"{what}: {error.get('message')}")
        return
    verdict.finished += 1
    there = [hashlib.sha256(file).hexdigest() in hashes for file in paid.files]
    if all(there):
        verdict.on_disk += 1
        if status != "verified":
            verdict.unsettled.append(f"{what} is on disk, and the run is {why}")
    elif place is not None and status in UNFINISHED and _named(paid, place):
        verdict.unsettled.append(f"{what} is still {why}")
    elif unanswered and (status in LOST or (status == "failed" and any(there))):
        verdict.uncertain += 1  # killed perhaps while the second image of an answer was on its way to disk
    elif place is not None and status in ("uncertain", "failed") and _kept(paid, place):
        verdict.unsettled.append(f"{what} is kept unread, and the run is {why}")
    else:
        verdict.lost.append(f"{what} is lost, and the run in {place} is {why}")


def _repeats(message: str) -> bool:
    return "memory was exhausted" in message or "child safety" in message


def _named(paid: Paid, place: Path) -> bool:
    """Whether the run's record names the payment's job, or an address of its files."""
    text = (place / "result.json").read_text()
    return paid.id in text


def _kept(paid: Paid, place: Path) -> bool:
    """Whether the answer is in the run's directory as it came, so that a later version can read it."""
    for path in place.glob("answer*"):
        text = path.read_bytes()
        if paid.id.encode() in text or (paid.kind == "image" and len(text) > sum(map(len, paid.files))):
            return True
    return False


def _of_others(
    runs: Collection[tuple[Path, dict[str, Any]]],  # Any: JSON values
    account: Sequence[Paid],
) -> Iterator[str]:
    """Files that a run calls its own although they are another's, or that are not on disk."""
    owners = {hashlib.sha256(file).hexdigest(): (paid.kind, paid.prompt) for paid in account for file in paid.files}
    for place, result in runs:
        request = result["config"]["request"]
        for artifact in result["artifacts"]:
            path = place / artifact["path"]
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != artifact["sha256"]:
                yield f"{path} is on record and not on disk"
            elif "thumbnail" in path.name:
                continue
            elif owners.get(artifact["sha256"]) != (request["kind"], request["prompt"]):
                yield f"{path} is {owners.get(artifact['sha256'])}, not of {request['prompt']!r}"
