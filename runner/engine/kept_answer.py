"""Keep a paid answer that could not be read in the run's directory as it came; `resume` reads it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runner.artifacts.atomic import write_bytes
from runner.artifacts.result import Attempt, Result
from runner.errors import DiskError, RunnerError, UncertainError
from runner.providers.base import ImageBatch, Job
from runner.providers.images import image_file, read_images
from runner.providers.job import read_created
from runner.providers.json_answer import read_documents

from .clock import Clock
from .matching import unanswered
from .recorder import RunRecorder
from .store import HeldAnswer

if TYPE_CHECKING:
    from .payment import PaidRecord

T = TypeVar("T", Job, ImageBatch)

_STEM = "answer"
_SUFFIXES = (".json", ".txt", ".bin")
_HEAD = 1000


async def keep_answer(recorder: PaidRecord, attempt: Attempt, clock: Clock, error: RunnerError) -> None:
    """Bring what came in place of an answer to disk, durably; the error names the file then."""
    if not isinstance(error, UncertainError) or error.answer is None:
        return
    content, error.answer = error.answer, None
    held = HeldAnswer("an answer that cannot be read", clock, lambda note: recorder.tell(note=note))
    try:
        path = await held.write(
            lambda: recorder.threads.records(_write_once, recorder.directory, attempt.answer, content)
        )
    except DiskError as reason:
        recorder.warn(f"what the server answered could not be kept: {reason}")
        return
    attempt.answer = path.name
    error.reword(f"{error.message}. What came is kept as {path}")
    again = f"{recorder.reread_by} reads {path.name} again, also with a later version of the runner"
    error.hint = f"{error.hint or ''}; {again}".lstrip("; ")


def _write_once(directory: Path, name: str | None, content: bytes) -> Path:
    """Write an answer, unless it came before and lies under its name."""
    if name is not None and Path(name).name == name:
        with suppress(OSError):
            if (directory / name).read_bytes() == content:
                return directory / name
    return write_answer(directory, content)


def write_answer(directory: Path, content: bytes) -> Path:
    """Write an answer under the first name that is free: answer.json, answer-2.json, …, by its content."""
    suffix = _suffix(content)
    number = 1
    while any(_path(directory, number, each).exists() for each in _SUFFIXES):
        number += 1
    path = _path(directory, number, suffix)
    write_bytes(path, content)
    return path


async def job_of_kept(recorder: RunRecorder) -> Job | None:
    """Return the job that a kept answer of the run names, if it can be read by now; the attempt has its id then."""
    found = await recorder.threads.disk(_read, recorder, lambda content: read_created(read_documents(content, str), {}))
    if found is None:
        return None
    attempt, job = found
    attempt.job_id = job.id
    return job


async def images_of_kept(recorder: RunRecorder) -> ImageBatch | None:
    """Return the images that a kept answer of the run holds, as far as it can be read by now."""
    found = await recorder.threads.disk(
        _read,
        recorder,
        lambda content: image_file(content, {}) or read_images(read_documents(content, str), {}),
    )
    return None if found is None else found[1]


def _read(recorder: RunRecorder, read: Callable[[bytes], T | None]) -> tuple[Attempt, T] | None:
    for attempt, path in _kept(recorder):
        try:
            understood = read(path.read_bytes())
        except OSError:
            continue
        if understood is not None:
            return attempt, understood
    return None


def unread(result: Result) -> list[Attempt]:
    """Return the requests of the run's present choice whose answer is kept; of those in a batch its id is known."""
    return [
        attempt
        for attempt in result.attempts
        if attempt.answer is not None
        and attempt.choice == result.choice
        and (attempt.job_id is None or attempt.batch is not None)
        and (attempt.error is None or attempt.error.type == UncertainError.__name__)
    ]


def _kept(recorder: RunRecorder) -> Iterator[tuple[Attempt, Path]]:
    """Yield the run's open requests, each with the file that holds its answer."""
    directory, attempts = recorder.run.directory, unanswered(recorder.result)
    for attempt in reversed(unread(recorder.result)):
        # What a damaged or foreign record says leads to no file elsewhere.
        if Path(str(attempt.answer)).name == attempt.answer:
            yield attempt, directory / attempt.answer
    named = {attempt.answer for attempt in recorder.result.attempts}
    for attempt in attempts[-1:]:
        for suffix in _SUFFIXES:
            path = _path(directory, 1, suffix)
            if attempt.answer is None and path.name not in named:
                yield attempt, path


def _path(directory: Path, number: int, suffix: str) -> Path:
    return directory / f"{_STEM}{'' if number == 1 else f'-{number}'}{suffix}"


def _suffix(content: bytes) -> str:
    head = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:_HEAD]
    if head[:1] in (b"{", b"["):
        return ".json"
    try:
        text = head.decode("utf-8", errors="strict" if len(content) < _HEAD else "ignore")
    except ValueError:
        return ".bin"
    return ".txt" if all(letter.isprintable() or letter.isspace() for letter in text) else ".bin"
