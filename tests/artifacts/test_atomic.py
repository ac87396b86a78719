from __future__ import annotations

import pytest

from runner.artifacts.atomic import publish, require_space, write_bytes, write_text
from runner.errors import DiskError


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path, durable):
    path = tmp_path / "a.json"
    write_text(path, "old", durable=durable)
    write_text(path, "né", durable=durable)
    assert path.read_bytes() == "né".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_overwritten(tmp_path):
    (tmp_path / ".a.json.tmp").write_text("half a")
    write_bytes(tmp_path / "a.json", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_failure_keeps_the_old_file_and_leaves_no_new_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "in the way").write_text("")
    with pytest.raises(DiskError, match="cannot write"):
        write_bytes(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_where_nothing_can_be_written_the_error_says_what_is_safe(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError) as caught:
        write_bytes(tmp_path / "file" / "a", b"")
    assert "Not a directory" in str(caught.value)
    assert "go on at the provider" in caught.value.hint


def test_a_published_part_has_its_final_name_only(tmp_path):
    (tmp_path / "v.part").write_bytes(b"video")
    publish(tmp_path / "v.part", tmp_path / "v.mp4")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("v.mp4", b"video")]


def test_a_part_that_is_gone_is_a_disk_error(tmp_path):
    with pytest.raises(DiskError):
        publish(tmp_path / "v.part", tmp_path / "v.mp4")


def test_space_is_asked_for_beforehand(tmp_path):
    require_space(tmp_path)
    with pytest.raises(DiskError):
        require_space(tmp_path / "missing")
