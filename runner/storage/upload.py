"""Send the files of a directory, large ones in parts, compare what arrived, keep that, and only then remove any."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.artifacts.atomic import discard
from runner.artifacts.result import Result
from runner.artifacts.result_file import NAME as RESULT
from runner.artifacts.run_status import RunStatus
from runner.ledger.discover import NAME as LEDGER
from runner.ledger.ledger import SWEEP, Ledger, Uploaded, Uploads

from .place import PART, Advance, Digests, Place, agrees, digests_of

HYDRA = ".hydra"
_UNFINISHED = (".part", ".tmp")
"""How names end of files that are not whole yet."""


class DamagedError(Exception):
    """Raised when a file here is no longer what it was when it was checked: it is not sent."""


class MismatchError(Exception):
    """Raised when a file arrived as another than was sent."""


class LostError(Exception):
    """Raised when a file of a run is neither here nor in the storage."""


@dataclass(frozen=True, slots=True)
class DirectoryFiles:
    """Describe a directory whose files are to be uploaded.

    Attributes:
        run: the run's number, or `SWEEP`.
        directory: where they are.
        name: of the directory in the place; empty for the place itself.
        sums: SHA-256 (hexadecimal) of those that were checked, by their names.
        removable: names of those that are removed here once they lie there.
    """

    run: int
    directory: Path
    name: str = ""
    sums: Mapping[str, str] = field(default_factory=dict)
    removable: frozenset[str] = frozenset()

    @classmethod
    def of_run(cls, result: Result, directory: Path, name: str, keep_local: bool | str) -> DirectoryFiles:
        """Return those of a run that has ended; of one that failed, nothing is removed."""
        sums = sums_of(result)
        removable = frozenset[str]()
        if result.status is RunStatus.VERIFIED and keep_local is not True:
            removable = frozenset(each for each in sums if keep_local is False or not _is_small(each))
        return cls(result.index, directory, name, sums, removable)

    @property
    def nested(self) -> bool:
        """Return whether files below the directory belong to it: the sweep's own do not, as runs lie there."""
        return self.run != SWEEP

    def there(self, name: str) -> str:
        """Return a file's name in the place."""
        return f"{self.name}/{name}" if self.name else name


def sums_of(result: Result) -> dict[str, str]:
    """Return the SHA-256 of each media file of a run, by its name."""
    return {each.path: each.sha256 for each in (*result.artifacts, *result.partial_images)}


def is_uploaded(result: Result, known: Mapping[str, Uploaded]) -> bool:
    """Return whether the record and every media file of a run are among what is `known` to lie in a place."""
    there = {name: each.sha256 for name, each in known.items()}
    return RESULT in there and all(there.get(name) == sum_ for name, sum_ in sums_of(result).items())


def _is_small(name: str) -> bool:
    return Path(name).stem.endswith("thumbnail")


def is_done(files: DirectoryFiles, uploads: Uploads) -> bool:
    """Return whether a directory has nothing to send or to remove since this process has looked at it in the place."""
    known = uploads.of(files.run)
    here = local_files(files.directory, nested=files.nested)
    same = files.run in uploads.seen and all(_is_known(path, known.get(name)) for name, path in here)
    return same and not _removable(files, known)


def upload(files: DirectoryFiles, place: Place, uploads: Uploads, advance: Advance) -> None:
    """Bring a directory's files to the place as far as they are not there, and remove here what may be removed.

    What the ledger knows and the place no longer lists is forgotten, and sent again: that is looked for once, and
    before anything is removed. Raises what the storage's library raises, `OSError` and `DiskError`.
    """
    told: Mapping[str, Mapping[str, Any]] = {}  # Any: what a storage tells of a file
    known = uploads.of(files.run)
    if known and (files.run not in uploads.seen or _removable(files, known)):
        told = _told(files, place)
        uploads.forget(files.run, [name for name, each in known.items() if not _is_listed(each, told)])
        known = uploads.of(files.run)
    new, damaged = _sent(files, place, known, advance)
    if new:
        told = _told(files, place)
    try:
        same = [*_compared(files, place, told, new, advance)]
    except MismatchError:
        uploads.forget(files.run, new)
        raise
    for found in (same, _found_there(files, place, {**known, **new})):
        if kept := [*found]:
            uploads.keep(files.run, kept)
    _remove(files, uploads.of(files.run), told)
    if damaged:
        raise DamagedError(f"{damaged[0]} is no longer the file that was checked")
    uploads.seen.add(files.run)


def _sent(
    files: DirectoryFiles, place: Place, known: Mapping[str, Uploaded], advance: Advance
) -> tuple[dict[str, tuple[Uploaded, Digests]], list[Path]]:
    """Send what is not `known` as it is here; return what is still to be compared, and what is damaged here."""
    new, damaged = dict[str, tuple[Uploaded, Digests]](), list[Path]()
    for name, path in local_files(files.directory, nested=files.nested):
        state = path.stat()
        before = known.get(name)
        if _is_known(path, before):
            continue
        digests = digests_of(path)
        if files.sums.get(name, digests.sha256) != digests.sha256:
            damaged.append(path)
            continue
        if before is None or before.sha256 != digests.sha256:
            place.put(path, files.there(name), digests, advance)
        if _changed(path, state):
            continue  # it is being written, and comes with the next
        new[name] = (Uploaded(name, digests.size, state.st_mtime_ns, digests.sha256), digests)
    return new, damaged


def local_files(directory: Path, *, nested: bool) -> Iterator[tuple[str, Path]]:
    """Yield the plain files of a directory, with their names, and with `nested` those below it; no links.

    Hidden ones are left out, but for what Hydra has written; so is the ledger, which changes while it is read.
    """
    for place, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if name == HYDRA or not name.startswith(".")] if nested else []
        for name in names:
            path = Path(place, name)
            if name.startswith((".", LEDGER)) or name.endswith(_UNFINISHED):
                continue
            with suppress(FileNotFoundError):
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path.relative_to(directory).as_posix(), path


def _told(files: DirectoryFiles, place: Place) -> dict[str, Mapping[str, Any]]:  # Any: what a storage tells of a file
    """Return what the place tells now of the directory's files, by their names in it."""
    start = len(files.there(""))
    return {name[start:]: each for name, each in place.told(files.name, nested=files.nested).items()}


def _is_listed(known: Uploaded, told: Mapping[str, Mapping[str, Any]]) -> bool:  # Any: as above
    return known.name in told and int(told[known.name]["size"]) == known.bytes


def _is_known(path: Path, known: Uploaded | None) -> bool:
    """Return whether a file is still what was sent."""
    state = path.stat()
    return known is not None and (known.bytes, known.changed) == (state.st_size, state.st_mtime_ns)


def _removable(files: DirectoryFiles, known: Mapping[str, Uploaded]) -> list[str]:
    """Return the names of files that are to be removed here as soon as the place lists them."""
    return [name for name in files.removable & known.keys() if (files.directory / name).exists()]


def _changed(path: Path, before: os.stat_result) -> bool:
    after = path.stat()
    return (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns)


def _compared(
    files: DirectoryFiles,
    place: Place,
    told: Mapping[str, Mapping[str, Any]],  # Any: as above
    new: Mapping[str, tuple[Uploaded, Digests]],
    advance: Advance,
) -> Iterator[Uploaded]:
    """Yield the files that arrived as they were sent; raises `MismatchError`."""
    for name, (each, digests) in new.items():
        there = files.there(name)
        same = name in told and agrees(digests, told[name])
        if same is None:
            same = place.sha256(there) == digests.sha256
            advance()
        if not same:
            raise MismatchError(f"{place.address(there)} is not what was sent")
        yield each


def _found_there(files: DirectoryFiles, place: Place, known: Mapping[str, object]) -> Iterator[Uploaded]:
    """Yield media that are no longer here and of which a ledger that was made anew knows nothing."""
    for name, sum_ in files.sums.items():
        if name in known or (files.directory / name).exists():
            continue
        try:
            same = place.sha256(files.there(name)) == sum_
        except FileNotFoundError:
            same = False
        if not same:
            raise LostError(f"{files.directory / name} is not there, and {place.address(files.there(name))} neither")
        yield Uploaded(name, int(place.told(files.name)[files.there(name)]["size"]), 0, sum_)


def upload_ledger(ledger: Ledger, place: Place, uploads: Uploads, advance: Advance) -> None:
    """Send a copy of the ledger as it is now, without its owner; it is kept that this was done."""
    copy = copy_of(ledger)
    try:
        ledger.copy(copy)
        digests = digests_of(copy)
        place.put(copy, LEDGER, digests, advance)
        advance()
        sent = {LEDGER: (Uploaded(LEDGER, digests.size, 0, digests.sha256), digests)}
        files = DirectoryFiles(SWEEP, ledger.directory)
        uploads.keep(SWEEP, [*_compared(files, place, _told(files, place), sent, advance)])
    finally:
        discard(copy)


def copy_of(ledger: Ledger) -> Path:
    """Return where a copy of the ledger lies while it is sent."""
    return ledger.directory / f".{LEDGER}.upload.tmp"


def _remove(
    files: DirectoryFiles,
    known: Mapping[str, Uploaded],
    told: Mapping[str, Mapping[str, Any]],  # Any: as above
) -> None:
    """Remove what may be removed, is known, durably, to lie in the place as it is here, and is listed there now."""
    for name in _removable(files, known):
        path, there = files.directory / name, known[name]
        if not _is_listed(there, told):
            continue
        with suppress(FileNotFoundError):
            state = path.lstat()
            same = (state.st_size, state.st_mtime_ns) == (there.bytes, there.changed)
            if stat.S_ISREG(state.st_mode) and same and there.sha256 == files.sums[name]:
                path.unlink()


def put_in_parts(
    fs: Any,  # Any: s3fs has no annotations
    local: Path,
    target: str,
    digests: Digests,
    kind: str,
    advance: Callable[[], object],
) -> None:
    """Send a file, of which one part at a time is in memory; whatever is raised leaves its parts for another try.

    A part that is there already is known by its MD5 sum. A file that has changed meanwhile is begun anew.
    """
    bucket, _, key = target.partition("/")
    place = {"Bucket": bucket, "Key": key}
    upload, there = _begun(fs, place, digests)
    if upload is None:
        upload = fs.call_s3("create_multipart_upload", **place, ContentType=kind)["UploadId"]
    parts = []
    with local.open("rb") as file:
        for number, _ in enumerate(digests.parts, 1):
            etag = there.get(number)
            if etag is None:
                file.seek((number - 1) * PART)
                sent = fs.call_s3("upload_part", **place, UploadId=upload, PartNumber=number, Body=file.read(PART))
                etag = sent["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
            advance()
    fs.call_s3("complete_multipart_upload", **place, UploadId=upload, MultipartUpload={"Parts": parts})


def _begun(fs: Any, place: dict[str, str], digests: Digests) -> tuple[str | None, dict[int, str]]:  # Any: as above
    """Return an upload of this file that was begun, with the ETags of its parts that are there; None if there is none.

    Others of the same name, whose parts are of another content, are given up: what they hold would be paid for.
    """
    found: str | None = None
    parts: dict[int, str] = {}
    # Who may not list them begins anew.
    with suppress(PermissionError, NotImplementedError):
        for upload in _uploads(fs, place):
            there = dict(_parts(fs, place, upload))
            fitting = all(_is(etag, digests.parts, number) for number, etag in there.items())
            if found is None and there and fitting:
                found, parts = upload, there
            else:
                fs.call_s3("abort_multipart_upload", **place, UploadId=upload)
    return found, parts


def _uploads(fs: Any, place: dict[str, str]) -> Iterator[str]:  # Any: as above
    told = fs.call_s3("list_multipart_uploads", Bucket=place["Bucket"], Prefix=place["Key"])
    yield from (each["UploadId"] for each in told.get("Uploads") or () if each["Key"] == place["Key"])


def _parts(fs: Any, place: dict[str, str], upload: str) -> Iterator[tuple[int, str]]:  # Any: as above
    start = 0
    while True:
        told = fs.call_s3("list_parts", **place, UploadId=upload, PartNumberMarker=start)
        yield from ((int(each["PartNumber"]), str(each["ETag"])) for each in told.get("Parts") or ())
        if not told.get("IsTruncated"):
            return
        start = int(told["NextPartNumberMarker"])


def _is(etag: str, parts: tuple[bytes, ...], number: int) -> bool:
    """Return whether the tag is that of this part of the file."""
    return number <= len(parts) and etag.strip('"').lower() == parts[number - 1].hex()
