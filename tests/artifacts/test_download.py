from __future__ import annotations

import asyncio
import hashlib
import resource

import pytest

from runner.artifacts.download import download
from runner.errors import ArtifactError, DiskError
from tests.engine.simulation import SimulatedLoop


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


class Dripping(Body):
    """Sends a piece of so many bytes every so many seconds, `count` times, then waits for `silence`."""

    def __init__(self, size, seconds, count, silence=0.0):
        super().__init__()
        self.size, self.seconds, self.count, self.silence = size, seconds, count, silence

    async def chunks(self):
        for _ in range(self.count):
            await asyncio.sleep(self.seconds)
            yield bytes(self.size)
        await asyncio.sleep(self.silence)


def drip(body, part, **options):
    """The same in simulated time."""

    async def main():
        try:
            return await download(body, part, **options)
        finally:
            ended.append(asyncio.get_running_loop().time())

    ended = []
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        try:
            return runner.run(main()), ended[0]
        except ArtifactError as error:
            return error, ended[0]


@pytest.mark.parametrize("rate", [1000, 10.5])
def test_a_download_that_drips_is_cut_after_a_minute(tmp_path, rate):
    error, seconds = drip(Dripping(1, 0.5, 10_000), tmp_path / "v.part", min_bytes_per_second=rate)
    assert isinstance(error, ArtifactError)
    assert f"provider.min_bytes_per_second={rate:g}" in str(error)
    assert seconds == pytest.approx(60, abs=1)


def test_a_download_that_becomes_slow_is_cut_a_minute_later(tmp_path):
    class Slowing(Dripping):
        async def chunks(self):
            yield bytes(10_000_000)
            async for chunk in super().chunks():
                yield chunk

    error, seconds = drip(Slowing(10, 1, 10_000), tmp_path / "v.part", min_bytes_per_second=1000)
    assert isinstance(error, ArtifactError)
    assert seconds == pytest.approx(60, abs=1)


@pytest.mark.parametrize(("size", "rate"), [(1100, 1000), (1, None), (1, 0)])
def test_a_slow_download_that_makes_progress_takes_as_long_as_it_needs(tmp_path, size, rate):
    stored, seconds = drip(Dripping(size, 1, 600), tmp_path / "v.part", min_bytes_per_second=rate)
    assert (stored.bytes, seconds) == (600 * size, 600)


@pytest.mark.parametrize("rate", [None, 1000])
def test_a_download_that_falls_silent_is_cut(tmp_path, rate):
    error, seconds = drip(Dripping(100_000, 1, 3, silence=1e6), tmp_path / "v.part", min_bytes_per_second=rate)
    assert "stalled" in str(error)
    assert seconds == pytest.approx(63, abs=1)


def test_a_small_file_may_come_in_one_late_piece(tmp_path):
    stored, _ = drip(Dripping(10, 50, 1), tmp_path / "v.part", min_bytes_per_second=1000)
    assert stored.bytes == 10
