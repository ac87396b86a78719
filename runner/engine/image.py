"""Make images: generate, decode, verify, record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from runner.artifacts.atomic import discard, publish
from runner.artifacts.download import Stored, decode, found, intact, keep_text, sorted_out, unwrapped
from runner.artifacts.picture import NAME as THUMBNAIL
from runner.artifacts.picture import Picture, examine, guessed_extension
from runner.artifacts.result import Artifact, Pending
from runner.artifacts.run_status import RunStatus
from runner.config.price import actual_cost
from runner.config.request import ImageRequest
from runner.config.run import RunConfig
from runner.errors import ArtifactError, DiskError, ExpiredError, IncompleteAnswerError, RunnerError
from runner.providers.base import GeneratedImage, ImageBatch
from runner.providers.images import MOST_EXTRA

from .collect import add_thumbnail, collect, image_artifact, on_partial, warn_of_mismatch
from .endpoint import Endpoint
from .kept_answer import write_answer
from .payment import pay, settled
from .preparation import prepared
from .recorder import RunRecorder
from .run import Run
from .store import HeldAnswer

UNVERIFIED = "unverified"
"""The extension of what came and could not be checked."""

_CHANGED = "changed"

_LEFT = "the process ended before all of the answer was on disk"


async def make_images(endpoint: Endpoint, recorder: RunRecorder) -> None:
    """Generate the images of one request; the run is verified when this returns.

    Images that arrive whole are kept although a sibling is lost.
    """
    config = await prepared(endpoint, recorder)
    # Settled: images have no id to come back for, so that an interrupted run keeps what it paid for.
    await settled(_make(endpoint, recorder, config))
    if recorder.result.status is not RunStatus.VERIFIED:
        await finish_images(endpoint, recorder)


async def _make(endpoint: Endpoint, recorder: RunRecorder, config: RunConfig) -> None:
    # Decoded while the request counts as in flight: that is what bounds the memory.
    keep = partial(keep_images, endpoint, recorder)
    sketch = on_partial(recorder)
    await pay(endpoint, recorder, lambda: endpoint.provider.generate(config, sketch), keep)
    if not _is_elsewhere(recorder):
        await _finish(endpoint, recorder)


async def finish_images(endpoint: Endpoint, recorder: RunRecorder) -> None:
    """Check and name what an answer has brought, also one that an earlier process got; the run is verified then.

    Addresses that the answer named are recorded by now: an interrupt leaves them to whoever resumes the run.
    """
    finishing = _finish(endpoint, recorder)
    await (finishing if _is_elsewhere(recorder) else settled(finishing))


def _is_elsewhere(recorder: RunRecorder) -> bool:
    return any(pending.url for pending in recorder.result.pending)


async def _finish(endpoint: Endpoint, recorder: RunRecorder) -> None:
    first: Picture | None = None
    waiting, left, problems = [*recorder.result.pending], [], []
    while waiting:
        pending = waiting.pop(0)
        try:
            artifact, picture = await _finished(endpoint, recorder, pending)
            recorder.add(artifact)
            warn_of_mismatch(recorder, artifact)
            endpoint.doubles.file(artifact, recorder)
            first = first or picture
        except (ArtifactError, ExpiredError) as error:
            rest, reason = await _set_aside(recorder, pending, error)
            left.append(rest)
            problems.append(reason)
        recorder.await_check([*left, *waiting])
    has_thumbnail = any(artifact.path == THUMBNAIL for artifact in recorder.result.artifacts)
    if first is not None and first.small is not None and not has_thumbnail:
        await add_thumbnail(recorder, first.small)
    if problems:
        raise _error_of_missing(recorder, left, problems)
    recorder.mark(RunStatus.VERIFIED)


def _error_of_missing(recorder: RunRecorder, left: Sequence[Pending], problems: Sequence[RunnerError]) -> RunnerError:
    """Return the error for missing images of a paid answer; the run fails only where looking again is of no use."""
    here = sum(artifact.path.startswith("image-") for artifact in recorder.result.artifacts)
    among = f"{here} of {here + len(left)} images are here; " if here else ""
    again = [
        error
        for pending, error in zip(left, problems, strict=True)
        if pending.lost is None and (pending.url is not None or pending.sha256 is not None)
    ]
    if again:
        hint = "it is paid; resuming looks at it again, also with a later version of the runner, and pays nothing"
        return ArtifactError(f"{among}{again[0]}", hint=hint, code=again[0].code)
    if here:
        recorder.mark(RunStatus.FAILED)
        hint = "what came is kept and counts as spent; a new run would pay for all of the images again"
        return IncompleteAnswerError(f"{among}the others are lost: {problems[0]}", hint=hint)
    if not isinstance(problems[0], ExpiredError):
        recorder.mark(RunStatus.FAILED)
    return problems[0]


def left_behind(run: Run) -> list[Pending]:
    """Return the images that a killed process had brought to disk but not recorded; none if none of them is whole.

    Those that are missing or cut are in the list, too, as lost.
    """
    request = run.config.request
    wanted = {str(number) for number in range(request.n if isinstance(request, ImageRequest) else 0)}
    there = {_number(path.name) for path in run.directory.glob("image-*.part")}
    numbers = sorted(wanted | there, key=lambda number: int(number) if number.isdecimal() else 0)
    everything = [_left(_arrived(run, number)) for number in numbers]
    return everything if any(pending.lost is None for pending in everything) else []


def _arrived(run: Run, number: str) -> Path:
    """Return where an unrecorded image lies: under its final name if only the record of that was lost.

    A run that was paid for more than once may have such a file from an earlier answer.
    """
    part = run.directory / f"image-{number}.part"
    if not part.exists() and run.earlier is not None and len(run.earlier.attempts) == 1:
        named = sorted(path for path in run.directory.glob(f"image-{number}.*") if path.name.count(".") == 1)
        return next(iter(named), part)
    return part


def _number(name: str) -> str:
    return name.removeprefix("image-").partition(".")[0]


def _left(path: Path) -> Pending:
    name = f"{path.stem}.part"
    lost = Pending(path=name, lost=_LEFT)
    try:
        stored = found(path)
    except OSError:
        return lost
    if stored.bytes == 0:
        return lost
    pending = Pending(path=name, bytes=stored.bytes, sha256=stored.sha256)
    try:
        examine(path)
    except (ArtifactError, OSError):
        return pending.model_copy(update={"lost": _LEFT})
    return pending


async def keep_images(endpoint: Endpoint, recorder: RunRecorder, batch: ImageBatch) -> None:
    """Bring what came to disk, each piece with the prompt that the provider made of the run's."""
    _account(recorder, batch)
    images = batch.images[: _wanted(recorder, len(batch.images)) + MOST_EXTRA]
    held = HeldAnswer("the paid answer", endpoint.clock, lambda note: recorder.tell(note=note))
    pieces: list[Pending] = []
    answer = batch.answer
    try:
        if answer is not None:
            path = await held.write(lambda: recorder.threads.records(write_answer, recorder.run.directory, answer))
            recorder.warn(
                f"the first {len(images)} of {len(batch.images)} images are kept; all of them are in {path.name}"
            )
        for number, image in enumerate(images):
            pieces.append(await held.write(partial(_store, recorder, image, f"image-{number}.part")))
        recorder.await_check(pieces or [Pending(path="image-0.part", lost="the answer holds no image")])
        await held.write(lambda: recorder.reach(RunStatus.COMPLETED))
    except DiskError as error:
        raise _unkept(recorder, pieces, len(images), error) from error


def _unkept(recorder: RunRecorder, pieces: Sequence[Pending], total: int, error: DiskError) -> DiskError:
    """Return the error for an answer that the disk refused for too long; `resume` finds what is on disk of it."""
    missing = range(len(pieces), total)
    lost = [Pending(path=f"image-{number}.part", lost="the disk could not take it") for number in missing]
    recorder.await_check([*pieces, *lost])
    recorder.mark(RunStatus.COMPLETED if pieces else RunStatus.FAILED)
    what = "the images are on disk, but this cannot be recorded"
    if lost:
        what = f"{len(lost)} of {total} images that were paid for could not be kept"
    return DiskError(f"{what}: {error}", hint=error.hint)


def _account(recorder: RunRecorder, batch: ImageBatch) -> None:
    config = recorder.run.config
    recorder.answered(batch)
    if batch.usd is not None:
        recorder.paid(batch.usd)
    elif batch.usage is not None:
        recorder.paid(actual_cost(config, **batch.usage.model_dump()))
    elif batch.implausible_usage:
        recorder.warn("the server reports a usage that cannot be true; the request counts its estimated price")
    wanted = _wanted(recorder, len(batch.images))
    if len(batch.images) != wanted:
        recorder.warn(f"images asked for: {wanted}; images that came: {len(batch.images)}")


def _wanted(recorder: RunRecorder, otherwise: int) -> int:
    request = recorder.run.config.request
    return request.n if isinstance(request, ImageRequest) else otherwise


async def _store(recorder: RunRecorder, image: GeneratedImage, name: str) -> Pending:
    text, url = sorted_out(image.b64, image.url) if image.write is None else (None, None)
    come = Pending(path=name, url=url, revised_prompt=image.revised_prompt)
    if image.write is not None:
        stored = await recorder.threads.media(image.write, recorder.run.directory / name)
        return come.model_copy(update={"bytes": stored.bytes, "sha256": stored.sha256})
    if text is None:
        lost = None if url else "the answer names neither data nor an address for an image"
        return come.model_copy(update={"lost": lost})
    part = recorder.run.directory / name
    try:
        stored = await recorder.threads.media(decode, text, part)
    except ArtifactError:
        if url is not None:
            return come
        stored = await recorder.threads.media(keep_text, text, part)
    except DiskError:
        discard(part)
        raise
    return come.model_copy(update={"url": None, "bytes": stored.bytes, "sha256": stored.sha256})


async def _finished(endpoint: Endpoint, recorder: RunRecorder, pending: Pending) -> tuple[Artifact, Picture]:
    """Check one image and give it its final name."""
    stored, picture = await _checked(endpoint, recorder, pending)
    final = stored.path.with_name(f"{_stem(pending)}.{picture.extension}")
    await recorder.threads.disk(publish, stored.path, final)
    return image_artifact(final.name, stored, picture, pending.revised_prompt), picture


async def _checked(endpoint: Endpoint, recorder: RunRecorder, pending: Pending) -> tuple[Stored, Picture]:
    if pending.lost is not None:
        raise ArtifactError(pending.lost)
    if pending.sha256 is not None or pending.url is None:
        try:
            return await recorder.threads.media(_look_at, recorder.run, pending)
        except ArtifactError:
            if pending.url is None:
                raise
    part, url = recorder.run.directory / f"{_stem(pending)}.part", pending.url
    stored, (decoded, picture) = await collect(
        endpoint,
        recorder,
        lambda: endpoint.provider.fetch(url),
        part,
        lambda stored: recorder.threads.media(_examined, stored.path),
        unverified=part.with_suffix(f".{UNVERIFIED}"),
    )
    return decoded or stored, picture


def _stem(pending: Pending) -> str:
    return pending.path.partition(".")[0]


def _look_at(run: Run, pending: Pending) -> tuple[Stored, Picture]:
    stored = Stored(run.directory / pending.path, pending.bytes, pending.sha256 or "")
    if run.earlier is not None:
        stored = _found(run.directory, pending)
    decoded, picture = _examined(stored.path)
    return decoded or stored, picture


def _examined(path: Path) -> tuple[Stored | None, Picture]:
    """Return what the image is; where a text lies there that spells one, the image takes its place and is told of."""
    try:
        return None, examine(path)
    except ArtifactError:
        decoded = unwrapped(path)
        if decoded is None:
            raise
        try:
            picture = examine(decoded.path)
        except ArtifactError:
            discard(decoded.path)
            raise
        decoded.path.replace(path)
        return replace(decoded, path=path), picture


async def _set_aside(recorder: RunRecorder, pending: Pending, error: RunnerError) -> tuple[Pending, RunnerError]:
    """Keep what came and could not be checked, under a name that says so; what is left to do, and why it is."""
    if isinstance(error, ExpiredError):
        return pending.model_copy(update={"lost": str(error)}), error
    changed = error.code == _CHANGED
    kept = None if changed else await recorder.threads.media(_renamed, recorder.run.directory, pending)
    if kept is None:
        gone = None if pending.url else pending.lost or str(error)
        return pending.model_copy(update={"lost": gone, "bytes": 0, "sha256": None}), error
    left = pending.model_copy(update={"path": kept.path.name, "bytes": kept.bytes, "sha256": kept.sha256})
    said = "" if kept.path.name in str(error) else f"; what came is kept as {kept.path.name} ({kept.bytes:,} bytes)"
    message = f"{error}{said}"
    return left, type(error)(message, hint=error.hint, code=error.code)


def _renamed(directory: Path, pending: Pending) -> Stored | None:
    """Return the file that a pending image has, under its `unverified` name; None if there is none."""
    stem = _stem(pending)
    if not stem.startswith("image-"):
        return None  # no file of an answer's
    for path in (directory / pending.path, directory / f"{stem}.part", directory / f"{stem}.{UNVERIFIED}"):
        if not path.is_file():
            continue
        if path.stat().st_size == 0:
            discard(path)
        elif UNVERIFIED in path.name:
            return found(path)
        else:
            known = guessed_extension(path)
            aside = directory / ".".join(filter(None, (stem, UNVERIFIED, known)))
            publish(path, aside)
            return found(aside)
    return None


def _found(directory: Path, pending: Pending) -> Stored:
    """Return what an earlier process has left, which may have got another name already."""
    for path in (directory / pending.path, *sorted(directory.glob(f"{_stem(pending)}.*"))):
        if (stored := intact(path, pending)) is not None:
            return stored
    raise ArtifactError(f"{pending.path}, which had arrived, is gone or was changed", code=_CHANGED)
