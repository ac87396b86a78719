"""What a directory says, held against what the server says: every job, every dollar, every file."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import av
from PIL import Image

from runner.artifacts.result_file import read_result
from runner.ledger.ledger import Ledger

CENT = 0.01
LEFTOVERS = ("*.part", "*.tmp")
LOST_ANSWER = "UncertainError"

_decoded: set[str] = set()
"""Hashes of files that decoded: the emulator draws the same prompt the same way each time."""


@dataclass
class Books:
    """One sweep's (or single run's) directory beside the server's own account.

    Attributes:
        server: `/_emulator/ledger`.
        strangers: jobs that were there before.
        consent: whether work whose answer was lost, or that failed, was knowingly asked for again.
    """

    directory: Path
    server: Mapping[str, Any]
    strangers: frozenset[str] = frozenset()
    consent: bool = False

    @cached_property
    def results(self) -> dict[Path, dict[str, Any]]:
        """Each run's directory and `result.json`."""
        paths = sorted(self.directory.rglob("result.json"))
        return {path.parent: json.loads(path.read_bytes()) for path in paths}

    @cached_property
    def created(self) -> dict[str, dict[str, Any]]:
        """The server's jobs, by id."""
        return {job["id"]: job for job in self.server["created"] if job["id"] not in self.strangers}

    @cached_property
    def claims(self) -> Counter[str]:
        """How many runs say that a job is theirs."""
        return Counter(job_id for result in self.results.values() for job_id in _job_ids(result))

    @property
    def statuses(self) -> Counter[str]:
        """Runs by status."""
        return Counter(result["status"] for result in self.results.values())

    @property
    def usd(self) -> float:
        """What the server charged for this directory's work."""
        return sum(job["usd"] for job in self.created.values()) + sum(
            paid["usd"] for paid in self.server["image_requests"]
        )

    def violations(self) -> list[str]:
        """Everything that breaks the promise, in words; empty if nothing does."""
        return [*self._jobs(), *self._images(), *self._money(), *self._files(), *self._records()]

    def double_payments(self) -> list[str]:
        """What was paid twice: by the server's count, and by records that do not explain a second request."""
        found = []
        for place, result in self.results.items():
            paid = [attempt for attempt in result["attempts"] if attempt["job_id"]]
            unexplained = [attempt for attempt in paid[:-1] if attempt["error"] is None]
            if unexplained:
                found.append(f"{place} paid {len(paid)} jobs, of which {len(unexplained)} did not fail")
        return found if self.consent else [*found, *self._paid_beyond_runs()]

    def _paid_beyond_runs(self) -> Iterator[str]:
        """Without consent there is one payment to a run, whatever became of it."""
        runs = Counter(result["config"]["request"]["prompt"] for result in self.results.values())
        paid = Counter(each["prompt"] for each in (*self.created.values(), *self.server["image_requests"]))
        for prompt, count in paid.items():
            if count > runs[prompt]:
                yield f"{runs[prompt]} runs of {prompt!r} were paid {count} times"

    def losses(self) -> list[str]:
        """Jobs that nobody claims beyond what is openly uncertain, by prompt as nobody knows their ids."""
        unclaimed = Counter(job["prompt"] for job_id, job in self.created.items() if job_id not in self.claims)
        open_questions = Counter(dict.fromkeys(unclaimed, 0))
        for result in self.results.values():
            open_questions[result["config"]["request"]["prompt"]] += sum(_is_open(each) for each in result["attempts"])
        return [
            f"{count} jobs of {prompt!r} are claimed by no run, and only {open_questions[prompt]} are uncertain"
            for prompt, count in unclaimed.items()
            if count > open_questions[prompt]
        ]

    def _jobs(self) -> Iterator[str]:
        yield from self.double_payments()
        yield from self.losses()
        for job_id, count in self.claims.items():
            if count > 1:
                yield f"job {job_id} is claimed by {count} runs"
            if job_id not in self.created:
                yield f"job {job_id} is claimed, but the server never made it"
        for place, result in self.results.items():
            if result["job_id"] and result["job_id"] not in {attempt["job_id"] for attempt in result["attempts"]}:
                yield f"{place}: job {result['job_id']} belongs to no attempt"

    def _images(self) -> Iterator[str]:
        paid = Counter(each["prompt"] for each in self.server["image_requests"])
        asked: Counter[str] = Counter()
        for result in self.results.values():
            if result["config"]["request"]["kind"] == "image":
                asked[result["config"]["request"]["prompt"]] += sum(_may_have_paid(each) for each in result["attempts"])
        for prompt, count in paid.items():
            if count > asked[prompt]:
                yield f"{count} image requests of {prompt!r} were paid, {asked[prompt]} are on record"

    def _money(self) -> Iterator[str]:
        attempts = [attempt for result in self.results.values() for attempt in result["attempts"]]
        unknown = [attempt for attempt in attempts if attempt["usd"] is None]
        if not all(_is_open(attempt) for attempt in unknown):
            yield "an attempt whose answer came does not say what it cost"
        difference = sum(attempt["usd"] or 0 for attempt in attempts) - self.usd
        # Uncertain work counts as spent: more may be on record than was charged, and less only where no price is known.
        if (difference < -CENT and not unknown) or (difference > CENT and not any(map(_is_open, attempts))):
            yield f"${self.usd:.2f} were charged, ${self.usd + difference:.2f} are on record"

    def _files(self) -> Iterator[str]:
        # What came of a request whose answer was cut may be all there is of what was paid: it stays until then.
        unsettled = {place for place, result in self.results.items() if result["status"] == "uncertain"}
        for pattern in LEFTOVERS:
            found = (path for path in self.directory.rglob(pattern) if path.parent not in unsettled)
            yield from (f"{path} was left behind" for path in found)
        for place, result in self.results.items():
            if result["status"] == "verified" and not result["artifacts"]:
                yield f"{place} is verified and has no artifact"
            for artifact in (*result["artifacts"], *result["partial_images"]):
                if (fault := _fault(place / artifact["path"], artifact)) is not None:
                    yield f"{place / artifact['path']} {fault}"

    def _records(self) -> Iterator[str]:
        if not self.results:
            return
        with Ledger(self.directory, readonly=True) as ledger:
            runs = ledger.runs()
        for run in runs:
            place = run.directory
            result = self.results.get(place)
            if result is None:
                if run.earlier is not None:
                    yield f"{place} has no result.json, yet the ledger says {run.status}"
            elif run.status.value == "planned" == result["status"]:
                # What was never begun says in its record what would be sent; the ledger need not.
                continue
            elif run.earlier is None:
                yield f"{place}: result.json says {result['status']}, the ledger knows of no beginning"
            elif run.earlier != read_result(place):
                yield f"{place}: result.json and the ledger differ ({result['status']}, {run.status})"


def _job_ids(result: Mapping[str, Any]) -> set[str]:
    """The jobs that are the run's own: a batch is its siblings', too."""
    return {attempt["job_id"] for attempt in result["attempts"] if attempt["job_id"] and not attempt.get("batch")}


def _is_open(attempt: Mapping[str, Any]) -> bool:
    """Whether nobody knows what became of a request."""
    error = attempt["error"]
    lost = attempt["ended_at"] is None if error is None else error["type"] == LOST_ANSWER
    return attempt["job_id"] is None and lost


def _may_have_paid(attempt: Mapping[str, Any]) -> bool:
    error = attempt["error"]
    return error is None or error["type"] in (LOST_ANSWER, "ArtifactError", "DiskError", "ProviderError")


def _fault(path: Path, artifact: Mapping[str, Any]) -> str | None:
    if not path.is_file():
        return "is on record and not on disk"
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != artifact["sha256"] or len(data) != artifact["bytes"]:
        return "is not the file on record"
    if digest not in _decoded:
        try:
            _decode(data, artifact["media_type"])
        except (av.FFmpegError, OSError, StopIteration) as error:
            return f"does not decode: {error}"
        _decoded.add(digest)
    return None


def _decode(data: bytes, media_type: str) -> None:
    if media_type.startswith("video/"):
        with av.open(io.BytesIO(data)) as container:
            next(container.decode(video=0))
        return
    with Image.open(io.BytesIO(data)) as image:
        image.load()
