"""Send a large file to S3 in parts, and go on with those that a process before this one has sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from .checksum import PART, Digests


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
