"""Work whose files lie in a storage alone is reused: they are fetched, compared, and never paid twice in silence."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.app import run
from runner.artifacts.result_file import read_result
from runner.artifacts.run_status import RunStatus
from runner.engine.recorder import planned
from runner.ledger.ledger import Ledger
from runner.storage.place import reach
from tests.storage.door import Refusal, Request

SECOND = Path("outputs/second/0")


def created(emulator) -> int:
    return emulator.ledger()["jobs"]


@pytest.fixture
def first(sweep, here, bucket) -> Path:
    """Where the files of a finished sweep of one run lie, of which only the records are here."""
    storage = [f"storage.url=file://{bucket}", "storage.keep_local=false"]
    assert sweep("replica=0", *storage, "hydra.sweep.dir=outputs/first") == 0
    assert not [*here.rglob("video.mp4")]
    return bucket / "outputs/first/0"


@pytest.fixture
def reused(sweep) -> Callable[..., int]:
    return lambda *overrides: sweep("reuse=true", "replica=0", *overrides, "hydra.sweep.dir=outputs/second")


def test_files_that_lie_in_the_storage_alone_are_fetched_and_cost_nothing(first, reused, here, emulator, capsys):
    requests = emulator.ledger()["requests"]
    assert reused("dry_run=true") == 0
    assert "none: is there" in capsys.readouterr().out

    assert reused() == 0

    assert emulator.ledger()["requests"] == requests, "nothing was asked for"
    result = read_result(here / SECOND)
    assert (result.reused_from, result.cost.actual_usd) == ("outputs/first/0", 0)
    assert {each.path for each in result.artifacts} == {"video.mp4", "thumbnail.webp"}
    for each in result.artifacts:
        assert (here / SECOND / each.path).read_bytes() == (first / each.path).read_bytes()
    said = capsys.readouterr().err
    assert f"files of 1 run are no longer here, and are fetched from file://{first.parent}" in said
    assert not [*here.rglob("*.part")]


def test_files_that_are_here_are_preferred(first, sweep, reused, here, emulator, capsys):
    assert sweep("replica=0", "hydra.sweep.dir=outputs/third") == 0
    shutil.rmtree(first)
    assert reused() == 0
    assert read_result(here / SECOND).reused_from == "outputs/third/0"
    assert "fetched" not in capsys.readouterr().out


def test_a_run_of_which_only_the_thumbnail_stayed_is_reused(sweep, reused, here, bucket, emulator):
    storage = [f"storage.url=file://{bucket}", "storage.keep_local=thumbnails"]
    assert sweep("replica=0", *storage, "hydra.sweep.dir=outputs/first") == 0
    assert reused() == 0
    assert created(emulator) == 1
    assert (here / SECOND / "thumbnail.webp").samefile(here / "outputs/first/0/thumbnail.webp")
    assert (here / SECOND / "video.mp4").is_file()


def test_a_file_that_was_changed_here_is_fetched_from_where_it_is_whole(sweep, reused, here, bucket, emulator):
    assert sweep("replica=0", f"storage.url=file://{bucket}", "hydra.sweep.dir=outputs/first") == 0
    (here / "outputs/first/0/video.mp4").write_bytes(b"changed")
    assert reused() == 0
    assert created(emulator) == 1
    assert (here / SECOND / "video.mp4").read_bytes() == (bucket / "outputs/first/0/video.mp4").read_bytes()


def test_a_disk_that_is_not_mounted_has_lost_no_file(first, reused, bucket, emulator, capsys):
    bucket.rename(bucket.with_name("unmounted"))
    assert reused() == 2
    assert created(emulator) == 1
    said = capsys.readouterr().err
    assert "outputs/first is empty; nothing was sent" in said
    assert "gone for good: python -m runner rm outputs/first; the rest is reused then" in said
    assert "reuse=false pays for all runs anew" in said

    assert reused("dry_run=true") == 0
    assert "run 0 would be refused: the files of outputs/first/0" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"another")])
def test_what_the_storage_has_lost_is_said_and_paid_for(first, reused, here, emulator, capsys, damage):
    damage(first / "video.mp4")
    assert reused("dry_run=true") == 0
    assert "run 0 cannot be reused: the files of outputs/first/0 are gone" in capsys.readouterr().out

    assert reused() == 0

    assert created(emulator) == 2
    assert read_result(here / SECOND).reused_from is None
    assert "run 0 cannot be reused: the files of outputs/first/0 are gone" in capsys.readouterr().err


def test_a_file_that_is_another_there_ends_the_command_before_anything_is_paid(first, reused, here, emulator, capsys):
    size = (first / "video.mp4").stat().st_size
    (first / "video.mp4").write_bytes(bytes(size))

    assert reused() == 2

    assert created(emulator) == 1
    said = capsys.readouterr().err
    assert "is not the file that its run has made; nothing was sent" in said
    assert "reuse=false" in said
    assert not (here / SECOND / "video.mp4").exists()

    (first / "video.mp4").unlink()  # as the hint says
    assert reused() == 0
    assert created(emulator) == 2


def spoil(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.fixture
def copies(sweep, here, bucket) -> tuple[Path, Path]:
    """Where the files of one run lie that two finished sweeps have made, of which only the records are here."""
    storage = [f"storage.url=file://{bucket}", "storage.keep_local=false"]
    for place in ("first", "third"):
        assert sweep("replica=0", *storage, f"hydra.sweep.dir=outputs/{place}") == 0
    return bucket / "outputs/first/0", bucket / "outputs/third/0"


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("name", ["video.mp4", "thumbnail.webp"])
def test_of_copies_one_that_is_whole_is_taken(copies, reused, here, emulator, capsys, number, name):
    spoil(copies[number] / name)
    whole = copies[1 - number]
    assert reused("dry_run=true") == 0
    said = capsys.readouterr().out
    assert "would be refused" not in said
    assert f"are fetched from file://{whole.parent}, and compared, before anything is sent" in said

    assert reused() == 0

    assert created(emulator) == 2
    assert read_result(here / SECOND).reused_from == f"outputs/{whole.parent.name}/0"
    for each in ("video.mp4", "thumbnail.webp"):
        assert (here / SECOND / each).read_bytes() == (whole / each).read_bytes()
    assert not (here / SECOND / ".reused.json").exists()
    assert not [*here.rglob("*.part")]
    said = capsys.readouterr().err
    first_looked_at = f"{copies[number]}/{name} is not the file that its run has made; another copy is taken" in said
    assert first_looked_at is ("another copy is taken" in said)
    assert f"are fetched from file://{whole.parent}" in said


def test_where_no_copy_is_whole_nothing_is_paid_and_the_dry_run_says_so(copies, reused, emulator, capsys):
    for place in copies:
        spoil(place / "video.mp4")
    assert reused("dry_run=true") == 0
    said = capsys.readouterr().out
    assert "run 0 would be refused: the files of outputs/" in said
    assert "video.mp4 is not the file that its run has made; nothing was sent" in said

    assert reused() == 2

    assert created(emulator) == 2
    assert "video.mp4 is not the file that its run has made; nothing was sent" in capsys.readouterr().err


def test_what_was_fetched_before_the_command_ended_is_no_doubt(first, reused, here, emulator):
    """The video is here already when its thumbnail cannot be had; whoever finds it must not take it for paid."""
    whole = (first / "thumbnail.webp").read_bytes()
    (first / "thumbnail.webp").write_bytes(bytes(len(whole)))
    assert reused() == 2
    (first / "thumbnail.webp").write_bytes(whole)

    assert reused() == 0

    assert created(emulator) == 1
    assert read_result(here / SECOND).reused_from == "outputs/first/0"
    assert not (here / SECOND / ".reused.json").exists()


def test_what_was_put_in_place_and_not_recorded_is_no_doubt(first, reused, here, emulator, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("runner.ledger.recording.LedgerStore.save", killed)
        with pytest.raises(ZeroDivisionError):
            reused()
    assert (here / SECOND / "video.mp4").is_file()

    assert reused() == 0
    assert created(emulator) == 1
    assert read_result(here / SECOND).reused_from == "outputs/first/0"


def killed(*_: object) -> None:
    raise ZeroDivisionError


def test_a_storage_that_cannot_be_read_ends_the_command_before_anything_is_paid(
    sweep, reused, here, emulator, s3, capsys
):
    storage = [f"storage.url={s3.url}", "storage.keep_local=false"]
    assert sweep("replica=0", *storage, "hydra.sweep.dir=outputs/first") == 0
    s3.door.fault = refused

    assert reused() == 2

    assert created(emulator) == 1
    said = capsys.readouterr().err
    assert "the files of outputs/first/0, which were to be reused, cannot be had" in said
    assert "nothing was sent" in said
    assert "reuse=false" in said

    s3.door.fault = lambda _request: None
    assert reused() == 0
    assert created(emulator) == 1
    assert (here / SECOND / "video.mp4").read_bytes() == s3.read("outputs/first/0/video.mp4")


def refused(_request: Request) -> Refusal:
    return Refusal(403, "AccessDenied")


def test_a_sweep_on_a_small_disk_is_reused_by_another_one(first, reused, here, bucket, emulator):
    """What was fetched is uploaded anew, and leaves the disk again."""
    assert reused(f"storage.url=file://{bucket}", "storage.keep_local=false") == 0
    assert created(emulator) == 1
    assert not [*here.rglob("video.mp4")]
    assert (bucket / SECOND / "video.mp4").read_bytes() == (first / "video.mp4").read_bytes()
    assert run(["resume", "outputs/second"]) == 0


def test_an_empty_place_is_claimed_by_no_resume_that_would_forget_what_lies_elsewhere(
    first, reused, bucket, emulator, capsys
):
    bucket.rename(bucket.with_name("unmounted"))
    bucket.mkdir()
    assert run(["resume", "outputs/first"]) == 2
    assert "outputs/first is empty, and held the only copy of files of this sweep" in capsys.readouterr().err
    assert not [*bucket.iterdir()]
    assert reused() == 2

    bucket.rmdir()
    bucket.with_name("unmounted").rename(bucket)
    (first.parent / ".runner.json").unlink()
    assert run(["resume", "outputs/first"]) == 0
    assert reused() == 0
    assert created(emulator) == 1


def test_paid_jobs_are_collected_though_a_storage_cannot_be_read(first, sweep, here, bucket, emulator, capsys):
    assert sweep("replica=1,0", "reuse=true", "hydra.sweep.dir=outputs/second") == 0
    with Ledger(here / "outputs/second") as ledger:  # as if the process had ended before
        collected = ledger.run(0).earlier.model_copy(update={"status": RunStatus.SUBMITTED, "artifacts": []})
        ledger.save(0, collected)
        ledger.save(1, planned(ledger.run(1), 0.0))
    for number in ("0", "1"):
        shutil.rmtree(here / "outputs/second" / number)
    bucket.rename(bucket.with_name("unmounted"))
    capsys.readouterr()

    assert run(["resume", "outputs/second"]) == 4

    assert "run 1 left as planned, while what was paid is collected" in capsys.readouterr().err
    assert read_result(here / SECOND).status is RunStatus.VERIFIED
    assert created(emulator) == 2
    bucket.with_name("unmounted").rename(bucket)
    assert run(["resume", "outputs/second"]) == 0
    assert created(emulator) == 2


def test_what_reuse_found_is_said_once_and_before_consent(first, reused, capsys):
    (first / "video.mp4").unlink()
    assert reused("budget.confirm_above_usd=0") == 2
    said = capsys.readouterr().err
    assert said.index("run 0 cannot be reused") < said.index("would cost")
    assert reused() == 0
    assert capsys.readouterr().err.count("run 0 cannot be reused") == 1


def test_a_full_disk_is_not_the_storage_s_fault(first, reused, here, emulator, monkeypatch, capsys):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("runner.storage.place.Place.get", full)
        assert reused() == 5
    said = capsys.readouterr().err
    assert f"cannot write {here / SECOND / 'video.mp4'}: No space left on device" in said
    assert "free space or make the directory writable; nothing was sent" in said


def test_a_place_is_reached_once_for_all_runs(sweep, here, bucket, emulator, monkeypatch):
    storage = [f"storage.url=file://{bucket}", "storage.keep_local=false"]
    assert sweep("replica=0,1", *storage, "hydra.sweep.dir=outputs/first") == 0
    reached = []
    monkeypatch.setattr("runner.storage.fetching.reach", lambda url: reached.append(url) or reach(url))
    assert sweep("replica=0,1", "reuse=true", "hydra.sweep.dir=outputs/second") == 0
    assert created(emulator) == 2
    assert len(reached) == 2, "before consent, and to fetch"
