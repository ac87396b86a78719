"""What a sweep and a run leave in a storage, and here."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from runner.app import run
from runner.config.problem import Problem
from runner.report.live_page import leave_open, whole_pages


def files_below(place: Path) -> dict[str, str]:
    """Every file that is not hidden or of the ledger, by its name, with its hash."""
    return {
        path.relative_to(place).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in place.rglob("*")
        if path.is_file() and not path.name.startswith((".", "ledger"))
    }


def test_a_sweep_lies_in_the_storage_as_it_lies_here(here, sweep, bucket, capsys):
    assert sweep("replica=0,1,2", f"storage.url=file://{bucket}") == 0

    out, there = here / "out", bucket / "out"
    assert files_below(there) == files_below(out)
    assert {"index.html", "results.csv", "results.jsonl", "multirun.yaml", "0/result.json"} <= files_below(there).keys()
    assert (there / "ledger.sqlite3").is_file()
    assert f"uploaded: 3 runs to file://{there}" in capsys.readouterr().out


def test_a_single_run_lies_there_too(here, single, bucket):
    assert single(f"storage.url=file://{bucket}") == 0
    assert files_below(bucket / "out") == files_below(here / "out")
    assert json.loads((bucket / "out" / "result.json").read_text())["status"] == "verified"


def test_resume_sends_no_run_again_that_is_there(here, sweep, bucket, capsys):
    assert sweep("replica=0,1", f"storage.url=file://{bucket}") == 0
    before = {path: path.stat().st_mtime_ns for path in (bucket / "out").glob("*/*") if path.is_file()}

    assert run(["resume", "out"]) == 0

    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "uploaded: 2 runs" in capsys.readouterr().out


def test_resume_uploads_a_sweep_that_had_no_storage(finished, bucket):
    assert run(["resume", "out", f"storage.url=file://{bucket}"]) == 0
    assert files_below(bucket / "out") == files_below(finished)


def media(place: Path) -> set[str]:
    found = [*place.glob("*/video.*"), *place.glob("*/thumbnail.*")]
    return {path.relative_to(place).as_posix() for path in found}


@pytest.mark.parametrize(("keep", "left"), [("false", set()), ("thumbnails", {"0/thumbnail.webp", "1/thumbnail.webp"})])
def test_media_leave_the_disk_once_they_are_there(here, sweep, bucket, keep, left):
    assert sweep("replica=0,1", f"storage.url=file://{bucket}", f"storage.keep_local={keep}") == 0
    assert media(here / "out") == left
    assert media(bucket / "out") >= {"0/video.mp4", "1/video.mp4", "0/thumbnail.webp"}
    assert (here / "out" / "0" / "result.json").is_file()
    assert run(["resume", "out"]) == 0
    assert run(["show", "out"]) == 0


def test_metrics_are_computed_before_their_files_are_removed(here, sweep, bucket):
    pytest.importorskip("imagehash")
    assert sweep("metrics=[sharpness]", f"storage.url=file://{bucket}", "storage.keep_local=false") == 0
    assert "sharpness" in (bucket / "out" / "results.csv").read_text()
    assert media(here / "out") == set()


def test_files_stay_where_their_metrics_were_not_computed(here, sweep, bucket):
    """Ctrl-C comes while they are computed; nobody who tidies up later removes them, either."""
    interrupting = f"def score(path):\n    os.kill({os.getpid()}, signal.SIGINT)\n    time.sleep(60)\n"
    (here / "interrupting.py").write_text(f"import os, signal, time\n{interrupting}")
    sweep("metrics=['interrupting:score']", f"storage.url=file://{bucket}", "storage.keep_local=false")
    assert media(here / "out") == {"0/video.mp4", "0/thumbnail.webp"}

    with whole_pages(lambda _problems: None):
        leave_open(Path("out"))
    assert media(here / "out") == {"0/video.mp4", "0/thumbnail.webp"}


def test_a_file_that_was_changed_here_is_told_and_not_uploaded(finished, bucket, capsys):
    (finished / "1" / "video.mp4").write_bytes(b"no longer what was checked")
    assert run(["resume", "out", f"storage.url=file://{bucket}", "storage.keep_local=false"]) == 4
    assert "is no longer the file that was checked" in capsys.readouterr().err
    assert (finished / "1" / "video.mp4").is_file()
    assert not (bucket / "out" / "1" / "video.mp4").exists()


def test_a_ledger_that_was_lost_learns_anew_what_lies_there(finished, bucket, capsys):
    """Files that are no longer here are looked for where they were uploaded to, and compared once more."""
    storage = [f"storage.url=file://{bucket}", "storage.keep_local=false"]
    assert run(["resume", "out", *storage]) == 0
    with sqlite3.connect(finished / "ledger.sqlite3") as db:
        db.execute("DROP TABLE uploads")
    (bucket / "out" / "2" / "video.mp4").unlink()

    assert run(["resume", "out", *storage]) == 4

    said = capsys.readouterr()
    assert "not run 2" in said.out
    assert "2/video.mp4 is not there" in said.err


def test_files_that_the_storage_has_lost_are_not_removed_here(finished, bucket):
    """What the ledger knows is not enough: a bucket's rule may have deleted the files since."""
    assert run(["resume", "out", f"storage.url=file://{bucket}"]) == 0
    (bucket / "out" / "0" / "video.mp4").unlink()
    shutil.rmtree(bucket / "out" / "1")
    (finished / "1" / "result.json").touch()
    whole = {path: path.read_bytes() for path in finished.glob("*/video.mp4")}

    assert run(["resume", "out", f"storage.url=file://{bucket}", "storage.keep_local=false"]) == 0

    assert media(finished) == set()
    assert {path: (bucket / path.relative_to(finished.parent)).read_bytes() for path in whole} == whole


def test_a_place_that_was_emptied_is_filled_anew(finished, bucket):
    assert run(["resume", "out", f"storage.url=file://{bucket}"]) == 0
    shutil.rmtree(bucket / "out")
    assert run(["resume", "out", f"storage.url=file://{bucket}"]) == 0
    assert files_below(bucket / "out") == files_below(finished)
    assert (bucket / "out" / "ledger.sqlite3").is_file()


def test_a_file_that_is_nowhere_is_not_said_to_be_safe(finished, bucket, capsys):
    assert run(["resume", "out", f"storage.url=file://{bucket}", "storage.keep_local=false"]) == 0
    assert run(["resume", "out", f"storage.url=file://{bucket}/another"]) == 4
    said = capsys.readouterr().err
    assert "video.mp4 is not there, and" in said
    assert "not affected" not in said


def test_a_rebuilt_ledger_keeps_its_place_and_a_copy_does_not_get_it(finished, here, bucket, capsys):
    storage = f"storage.url=file://{bucket}"
    assert run(["resume", "out", storage]) == 0
    (finished / "ledger.sqlite3").write_bytes(b"damaged")
    assert run(["resume", "out", "--rebuild"]) == 0
    assert run(["resume", "out", storage]) == 0

    shutil.copytree(finished, here / "copy")
    capsys.readouterr()
    assert run(["resume", "copy", "--copied", storage]) == 2
    assert "holds another sweep" in capsys.readouterr().err


def test_a_copied_directory_uploads_nothing(finished, here, bucket, capsys):
    assert run(["resume", "out", f"storage.url=file://{bucket}"]) == 0
    shutil.copytree(finished, here / "copy")
    assert run(["resume", "copy", f"storage.url=file://{bucket}"]) == 2
    assert "is a copy of" in capsys.readouterr().err


def test_any_file_system_that_fsspec_knows_can_be_a_storage(finished):
    import fsspec

    assert run(["resume", "out", "storage.url=memory://videos"]) == 0
    assert (
        fsspec.filesystem("memory").cat_file("/videos/out/0/video.mp4") == (finished / "0" / "video.mp4").read_bytes()
    )


def test_a_sweeper_that_plans_as_it_goes_uploads_its_last_page(here, sweep, bucket):
    """Whether a batch was its last, nobody knows before it returns."""
    assert sweep("replica=0,1", f"storage.url=file://{bucket}") == 0
    (here / "out" / "1" / "notes.txt").write_text("what came later")
    (bucket / "out" / "index.html").write_text("an earlier page")
    problems: list[Problem] = []

    with whole_pages(problems.extend):
        leave_open(Path("out"))

    assert not problems
    page = (bucket / "out" / "index.html").read_text()
    assert '"complete":true' in page
    assert f"uploaded: 2 runs to file://{bucket}/out" in page
    assert files_below(bucket / "out") == files_below(here / "out")
