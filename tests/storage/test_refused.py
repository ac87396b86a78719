"""An address, a key or a right that is wrong ends the command before anything is spent."""

from __future__ import annotations

import shutil
import sys

import pytest

from runner.app import run
from runner.artifacts.result import RunStatus
from runner.ledger.ledger import Ledger, keep_place
from runner.storage.address import StorageError
from runner.storage.uploading import refuse_misplaced
from tests.storage.door import Refusal, Request


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("bucket/videos", "is no address of a storage"),
        ("s3://", "is no address of a storage"),
        ("'s3://[bucket/videos'", "is no address of a storage"),
        ("abfz://bucket/videos", "did you mean abfs://?"),
        ("https://bucket.example/videos", "https:// cannot be written to"),
        ("'s3://bucket/videos?versionId=1'", "holds a user, a key or a query"),
        ("file://{here}/taken/videos", "cannot be used"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(here, sweep, url, said, capsys):
    (here / "taken").write_text("a file")
    assert sweep("replica=0,1", f"storage.url={url.format(here=here)}") == 2
    found = capsys.readouterr().err
    assert said in found
    assert "nothing was sent" in found


def test_a_key_in_the_address_is_refused_and_not_repeated(sweep, capsys):
    assert sweep("replica=0,1", "storage.url=s3://AKIDEXAMPLE:wJalrXUtnFEMI@bucket/videos") == 2
    assert "wJalrXUtnFEMI" not in "".join(capsys.readouterr())


def test_what_must_be_installed_is_named(here, sweep, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "adlfs", None)
    assert sweep("replica=0,1", "storage.url=abfs://container/videos") == 2
    assert "pip install 'mediarunner[azure_blob]'" in capsys.readouterr().err


def test_a_bucket_that_may_not_be_written_is_refused_before_the_first_request(here, sweep, s3, capsys):
    s3.door.fault = lambda request: Refusal(403, "AccessDenied") if request.method == "PUT" else None
    assert sweep("replica=0,1", f"storage.url={s3.url}") == 2
    assert f"storage.url={s3.url} cannot be used: PermissionError" in capsys.readouterr().err
    s3.door.fault = lambda _request: None
    assert sweep("replica=0,1", "storage.url=s3://no-such-bucket/videos") == 2
    assert not [*here.glob("out/*/result.json")]


def test_another_sweep_of_the_same_name_is_not_overwritten(here, finished, bucket, sweep, capsys):
    storage = f"storage.url=file://{bucket}"
    assert run(["resume", "out", storage]) == 0
    finished.rename(here / "before")
    assert sweep("replica=0,1", storage) == 2
    assert "holds another sweep" in capsys.readouterr().err


BACK = ["file://{here}", "local://{here}/out", "file://{here}/link", "file://{here}/out/0/more"]


@pytest.mark.parametrize("url", BACK)
def test_an_address_that_leads_back_to_the_sweep_is_refused_and_another_is_taken(here, finished, bucket, url, capsys):
    (here / "link").symlink_to(here)
    before = {path for path in finished.rglob("*") if path.name != ".lock"}

    assert run(["resume", "out", f"storage.url={url.format(here=here)}", "storage.keep_local=false"]) == 2

    assert "leads into out, where runs are made; nothing was sent" in capsys.readouterr().err
    assert {path for path in finished.rglob("*") if path.name != ".lock"} == before
    assert run(["resume", "out", f"storage.url=file://{bucket}"]) == 0


@pytest.mark.parametrize("url", BACK)
@pytest.mark.parametrize("planned", [["-m", "replica=0,1", "hydra.sweep.dir=out"], ["hydra.run.dir=out"]])
def test_a_dry_run_says_that_an_address_leads_back(here, typed, emulator, url, planned, capsys):
    (here / "link").symlink_to(here)
    address = f"storage.url={url.format(here=here)}"
    assert typed(*planned, address, "dry_run=true") == 0
    said = capsys.readouterr()
    assert f"warning: {address} cannot be used: " in said.out
    assert "leads into out, where runs are made" in said.out
    assert typed(*planned, address) == 2
    assert "leads into out, where runs are made; nothing was sent" in capsys.readouterr().err
    assert emulator.ledger()["jobs"] == 0


def test_a_dry_run_says_that_all_would_be_uploaded_that_lies_here(typed, bucket, capsys):
    assert typed("hydra.run.dir=.", f"storage.url=file://{bucket}", "dry_run=true") == 0
    assert "where you work, would be uploaded" in capsys.readouterr().out


def test_a_dry_run_says_nothing_of_an_address_that_leads_elsewhere(sweep, bucket, capsys):
    assert sweep("replica=0,1", f"storage.url=file://{bucket}", "dry_run=true") == 0
    assert sweep("replica=0,1", "storage.url=s3://no-such-bucket/videos", "dry_run=true") == 0
    assert "storage.url" not in capsys.readouterr().out
    assert not [*bucket.iterdir()]


def test_where_a_sweep_was_uploaded_before_is_what_counts(here, finished, bucket):
    url = f"file://{here}"
    with pytest.raises(StorageError, match="leads into out"):
        refuse_misplaced(url, finished, [])
    with Ledger(finished) as ledger:
        keep_place(ledger, url, f"file://{bucket}/out")
    refuse_misplaced(url, finished, [])


@pytest.mark.parametrize(
    ("url", "told"),
    [
        *((url, "FAIL  storage     file://{here}") for url in BACK if url.startswith("file")),
        ("file://{here}/elsewhere/videos", "FAIL  storage     all that lies in {here}, where you work"),
        ("file://{bucket}", "ok    storage     nothing is wrong with file://{bucket}"),
        ("abfz://bucket/videos", "FAIL  storage     storage.url: abfz:// is no protocol"),
    ],
)
def test_doctor_says_whether_an_address_can_be_used(here, typed, emulator, bucket, url, told, capsys):
    (here / "link").symlink_to(here)
    places = {"here": here, "bucket": bucket}
    directory = "." if "elsewhere" in url else "out"
    code = typed("doctor", f"storage.url={url.format(**places)}", f"hydra.run.dir={directory}")
    said = capsys.readouterr().out
    assert told.format(**places) in said
    assert code == ("FAIL" in told)
    assert emulator.ledger()["jobs"] == 0


def test_an_address_that_leads_into_another_sweep_is_refused(here, made, finished, capsys):
    """Its records would be overwritten, and removed with it."""
    other = here / "work" / "out"
    shutil.copytree(made, other)
    (other / ".lock").touch()
    assert run(["resume", "out", f"storage.url=file://{here}/work"]) == 2
    assert "leads into work/out, where runs are made" in capsys.readouterr().err


def test_a_run_in_the_working_directory_is_not_uploaded_with_all_that_lies_there(typed, bucket, capsys):
    assert typed("hydra.run.dir=.", f"storage.url=file://{bucket}") == 2
    assert "where you work, would be uploaded" in capsys.readouterr().err
    assert not [*bucket.iterdir()]


def test_a_storage_for_each_run_is_refused(sweep, bucket, capsys):
    assert sweep(f"storage.url=file://{bucket}/a,file://{bucket}/b") == 2
    assert "a sweep is uploaded to one place" in capsys.readouterr().err


def test_files_that_a_tracker_takes_are_not_removed_meanwhile(sweep, bucket, capsys):
    assert sweep(f"storage.url=file://{bucket}", "storage.keep_local=false", "tracking=wandb") == 2
    assert "storage.keep_local=true, or tracking.files=none" in capsys.readouterr().err


def test_what_was_paid_is_collected_although_nothing_can_be_uploaded(here, sweep, capsys):
    """A job's file is deleted by its provider after a while; the storage can wait."""
    assert sweep("replica=0,1") == 0
    with Ledger(here / "out") as ledger:
        paid = ledger.run(1)
        ledger.save(1, paid.earlier.model_copy(update={"status": RunStatus.SUBMITTED, "artifacts": []}))
    for path in paid.directory.iterdir():
        path.unlink() if path.is_file() else None
    (here / "taken").write_text("a file")

    assert run(["resume", "out", f"storage.url=file://{here}/taken/videos"]) == 4

    said = capsys.readouterr()
    assert "2 done" in said.out
    assert "runs that were paid are collected all the same" in said.err
    assert (paid.directory / "video.mp4").is_file()


def test_a_place_that_another_sweep_claimed_meanwhile_is_left_alone(finished, s3, capsys):
    """Both may have read the place as free; the marker that was written last counts."""
    reads = iter(range(1_000))

    def late(request: Request) -> Refusal | None:
        marker = request.method == "GET" and request.path.partition("?")[0].endswith(".runner.json")
        # The first is of the claim.
        return Refusal(404, "NoSuchKey") if marker and next(reads) > 0 else None

    s3.door.fault = late
    assert run(["resume", "out", f"storage.url={s3.url}", "storage.keep_local=false"]) == 4
    assert "claimed by another sweep" in capsys.readouterr().err
    assert len([*finished.glob("*/video.mp4")]) == 3
    assert s3.names() == {"out/.runner.json"}
