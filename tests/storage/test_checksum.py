"""What storages tell of a file, beside what it is."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest

from runner.storage.place import PART, agrees, digests_of


@pytest.mark.parametrize("size", [0, 5, PART, PART + 1])
def test_an_etag_is_the_sum_of_the_whole_or_of_its_parts(tmp_path, size):
    content = os.urandom(size)
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    local = digests_of(path)

    parts = [content[start : start + PART] for start in range(0, max(size, 1), PART)]
    of_parts = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert local.sha256 == hashlib.sha256(content).hexdigest()
    assert agrees(local, {"size": size, "ETag": f'"{hashlib.md5(content).hexdigest()}"'})
    assert agrees(local, {"size": size, "ETag": f'"{of_parts}-{len(parts)}"'})


@pytest.mark.parametrize(
    ("told", "same"),
    [
        ({"size": 3, "md5Hash": base64.b64encode(hashlib.md5(b"fox").digest()).decode()}, True),
        ({"size": 3, "md5Hash": base64.b64encode(hashlib.md5(b"owl").digest()).decode()}, False),
        ({"size": 3, "content_settings": {"content_md5": bytearray(hashlib.md5(b"fox").digest())}}, True),
        ({"size": 3, "content_settings": {"content_md5": None}}, None),
        ({"size": 3, "ETag": '"of-a-bucket-with-a-key-of-its-own"'}, None),
        ({"size": 3}, None),
        ({"size": 4, "ETag": hashlib.md5(b"fox").hexdigest()}, False),
    ],
)
def test_a_sum_that_is_none_says_nothing(tmp_path, told, same):
    (tmp_path / "fox").write_bytes(b"fox")
    assert agrees(digests_of(tmp_path / "fox"), told) is same
