"""What a command writes where its user says: files, links, pipes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.artifacts.atomic import refuse_directory, write_output
from runner.errors import ConfigError, DiskError


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes")
def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_output(pipe, [b"a ", b"page"])
    reader.join()
    assert read == [b"a page"]
    assert pipe.is_fifo()
    assert [*tmp_path.iterdir()] == [pipe]


@pytest.mark.parametrize("there", [True, False])
def test_what_a_link_leads_to_is_written(tmp_path, there):
    real, link = tmp_path / "real.html", tmp_path / "link.html"
    if there:
        real.write_text("old")
    link.symlink_to(real.name)
    write_output(link, [b"new"])
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert {*tmp_path.iterdir()} == {real, link}


def test_a_failure_keeps_the_old_file_and_leaves_no_new_one(tmp_path):
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise KeyError("a bug")

    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(KeyError):
        write_output(path, pieces())
    assert [(each, each.read_text()) for each in tmp_path.iterdir()] == [(path, "old")]


def test_what_cannot_be_written_speaks_of_no_jobs(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match=r"cannot write .*Not a directory") as caught:
        write_output(tmp_path / "file" / "page.html", [b""])
    assert "jobs" not in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="is a directory"):
        refuse_directory(Path(tmp_path), "--output FILE names a file")
