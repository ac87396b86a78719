from __future__ import annotations

import asyncio
import hashlib
import resource

import pytest

from runner.artifacts.download import download
from runner.errors import ArtifactError, DiskError


class Body:
    def __init__(self, *pieces, length=None):
        self.pieces = pieces
        self.length = length

    async def chunks(self):
        for piece in self.pieces:
            yield piece


def fetch(body, part, **options):
    return asyncio.run(download(body, part, **options))


@pytest.mark.parametrize("length", [None, 10])
def test_a_body_is_written_and_hashed(tmp_path, length):
    stored = fetch(Body(b"hello", b"world", length=length), tmp_path / "v.part")
    assert (tmp_path / "v.part").read_bytes() == b"helloworld"
    assert (stored.bytes, stored.sha256) == (10, hashlib.sha256(b"helloworld").hexdigest())


@pytest.mark.parametrize("length", [9, 11])
def test_a_length_other_than_announced_is_an_error(tmp_path, length):
    with pytest.raises(ArtifactError, match=f"10 of {length} bytes"):
        fetch(Body(b"helloworld", length=length), tmp_path / "v.part")


def test_nothing_is_no_file(tmp_path):
    with pytest.raises(ArtifactError, match="empty"):
        fetch(Body(), tmp_path / "v.part")


def test_an_endless_body_is_broken_off(tmp_path):
    class Endless(Body):
        async def chunks(self):
            while True:
                yield bytes(1000)

    with pytest.raises(ArtifactError, match="larger than 10,000"):
        fetch(Endless(), tmp_path / "v.part", limit=10_000)
    assert (tmp_path / "v.part").stat().st_size <= 10_000


def test_a_length_beyond_the_limit_is_refused_before_a_byte_is_written(tmp_path):
    with pytest.raises(ArtifactError) as caught:
        fetch(Body(b"x", length=10**12), tmp_path / "v.part")
    assert caught.value.code == "too_large"
    assert not (tmp_path / "v.part").exists()


def test_a_directory_that_cannot_be_written_is_a_disk_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError):
        fetch(Body(b"x"), tmp_path / "file" / "v.part")


def test_memory_does_not_depend_on_the_size(tmp_path):
    piece = bytes(65_536)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fetch(Body(*[piece] * 4096), tmp_path / "v.part")
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 20_000
