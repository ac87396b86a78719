"""`reuse=true`: what lies verified below `outputs/` is linked, not paid again."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from runner.app import run
from runner.artifacts.result_file import read_result
from runner.ledger.ledger import Ledger

VIDEO, SECOND = Path("outputs/first/0/video.mp4"), Path("outputs/second/0")


def created(emulator) -> int:
    return emulator.ledger()["jobs"]


@pytest.fixture
def first(sweep, here, emulator):
    """A finished sweep of one run below `outputs/`."""
    assert sweep("replica=0", directory="outputs/first") == 0
    return read_result(here / "outputs/first/0")


@pytest.fixture
def reused(sweep):
    """The same work once more, if it may be taken from what is there."""
    return lambda *overrides: sweep("reuse=true", *overrides, directory="outputs/second")


def test_finished_work_is_linked_and_costs_nothing(first, reused, here, emulator, capsys):
    requests = emulator.ledger()["requests"]
    capsys.readouterr()
    assert reused("replica=0") == 0
    assert emulator.ledger()["requests"] == requests, "nothing was asked for"
    result = read_result(here / SECOND)
    assert (here / SECOND / "video.mp4").samefile(here / VIDEO)
    assert result.artifacts == first.artifacts
    assert {artifact.path for artifact in result.artifacts} == {"video.mp4", "thumbnail.webp"}
    assert (result.cost.actual_usd, result.spent_usd, result.saved_usd) == (0, 0, pytest.approx(0.4))
    assert (result.reused_from, result.job_id) == ("outputs/first/0", first.job_id)
    assert "reuse saved $0.40" in capsys.readouterr().out
    with Ledger(here / "outputs/second", readonly=True) as ledger:
        assert ledger.run(0).earlier == result
    assert not [*here.rglob("*.part")]


def test_what_the_source_lacks_is_said(first, reused, here):
    assert reused("request.variants=[spritesheet]", "delete_remote=true") == 0
    assert read_result(here / SECOND).warnings == [
        "no remote-spritesheet: the run that was reused has none",
        "nothing was deleted at the provider: the job is another run's",
    ]


def killed(*_: object) -> None:
    raise ZeroDivisionError


@pytest.fixture(params=["linked", "copied"])
def left(first, sweep, reused, here, monkeypatch, request) -> None:
    """Leave another run's files in place, and no record: the process ended between the two."""
    with monkeypatch.context() as patch:
        patch.setattr("runner.ledger.recording.LedgerStore.save", killed)
        if request.param == "copied":
            patch.setattr("runner.ledger.reuse.os.link", refused)
        with pytest.raises(ZeroDivisionError):
            reused("replica=0")
    (here / SECOND / "thumbnail.webp").rename(here / SECOND / "thumbnail.webp.part")


def refused(*_: object) -> None:
    raise OSError(errno.EXDEV, "another disk")


@pytest.mark.parametrize("again", [["-m"], ["resume", "outputs/second"]])
def test_files_that_are_there_already_are_no_doubt_and_leave_nothing_behind(left, reused, here, emulator, again):
    assert (reused("replica=0") if again == ["-m"] else run(again)) == 0
    assert created(emulator) == 1
    assert {path.name for path in (here / SECOND).iterdir()} >= {"video.mp4", "thumbnail.webp"}
    assert not [*(here / SECOND).glob("*.part"), *(here / SECOND).glob(".reused*")]


def test_a_note_that_a_killed_process_left_is_removed_by_resume(first, reused, here, emulator, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("runner.ledger.recording.remove_note", killed)
        with pytest.raises(ZeroDivisionError):
            reused("replica=0")
    assert (here / SECOND / ".reused.json").exists()
    assert run(["resume", "outputs/second"]) == 0
    assert not (here / SECOND / ".reused.json").exists()
    assert created(emulator) == 1


def test_files_that_are_there_already_are_none_of_a_run_that_is_paid(left, here, emulator):
    (here / VIDEO).unlink()
    assert run(["resume", "outputs/second"]) == 0
    result = read_result(here / SECOND)
    assert (created(emulator), result.reused_from) == (2, None)
    assert not [*(here / SECOND).glob("*.part"), *(here / SECOND).glob(".reused*")]


def test_without_asking_for_it_nothing_is_reused(first, sweep, emulator):
    assert sweep("replica=0", directory="outputs/second") == 0
    assert created(emulator) == 2


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda path: path.write_bytes(b"changed"), lambda path: shutil.rmtree(path.parent)]
)
def test_what_was_changed_or_is_gone_is_paid_for(first, reused, here, emulator, damage):
    damage(here / VIDEO)
    assert reused("replica=0") == 0
    assert created(emulator) == 2
    assert read_result(here / SECOND).reused_from is None


def test_the_second_best_copy_will_do(first, sweep, reused, here, emulator):
    assert sweep("replica=0", directory="outputs/more") == 0
    (here / VIDEO).unlink()
    assert reused("replica=0") == 0
    assert created(emulator) == 2
    assert read_result(here / SECOND).reused_from == "outputs/more/0"


@pytest.mark.parametrize("other", ["replica=1", "request.prompt=Another", "model=sora-2-pro"])
def test_other_work_is_paid_for(first, reused, here, emulator, other):
    assert reused(other) == 0
    assert created(emulator) == 2


def test_of_a_sweep_only_what_is_new_is_paid_for(first, reused, here, emulator):
    assert reused("replica=0,1,2") == 0
    assert created(emulator) == 3
    from_where = [read_result(here / "outputs/second" / str(n)).reused_from for n in range(3)]
    assert from_where == ["outputs/first/0", None, None]


def test_what_was_reused_can_be_reused(first, reused, sweep, here, emulator):
    assert reused("replica=0") == 0
    shutil.rmtree(here / "outputs/first")
    assert sweep("reuse=true", "replica=0", directory="outputs/third") == 0
    assert created(emulator) == 1
    assert (here / "outputs/third/0/video.mp4").samefile(here / SECOND / "video.mp4")


def test_unfinished_and_failed_runs_are_no_source(sweep, reused, here, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 1, "fault": "internal"}])
    assert sweep("replica=0", server=server, directory="outputs/first") == 1
    assert sweep("reuse=true", "replica=0", server=server, directory="outputs/second") == 0
    assert created(server) == 2


def test_a_broken_ledger_is_no_source_and_no_obstacle(first, reused, here, emulator):
    (here / "outputs/first/ledger.sqlite3").write_bytes(b"no ledger " * 99)
    assert reused("replica=0") == 0
    assert created(emulator) == 2


def test_a_single_run_and_a_sweep_take_from_each_other(first, here, emulator):
    single = ["provider=openai", f"provider.base_url={emulator.base_url}", "provider.poll_interval=0.02",
              "provider.retired_models=off", "request.duration_seconds=4", "progress=off", "reuse=true"]  # fmt: skip
    assert run([*single, "hydra.run.dir=outputs/one"]) == 0
    assert created(emulator) == 1
    assert read_result(here / "outputs/one").reused_from == "outputs/first/0"
    shutil.rmtree(here / "outputs/first")
    assert run([*single, "hydra.run.dir=outputs/two"]) == 0
    assert read_result(here / "outputs/two").reused_from == "outputs/one"


def test_another_launcher_s_runs_are_reused_and_reuse(first, sweep, reused, here, emulator):
    assert reused("replica=0,1", "hydra/launcher=basic") == 0
    assert created(emulator) == 2
    assert sweep("reuse=true", "replica=0,1", directory="outputs/third") == 0
    assert created(emulator) == 2


def test_images_are_reused_with_all_their_files(sweep, here, emulator):
    image = ("request=image", "model=gpt-image-2", "request.n=2", "request.size=1024x1024", "replica=0")  # fmt: skip
    usual = ["-m", "provider=openai", f"provider.base_url={emulator.base_url}", "progress=off", *image]
    assert run([*usual, "hydra.sweep.dir=outputs/first"]) == 0
    assert run([*usual, "reuse=true", "hydra.sweep.dir=outputs/second"]) == 0
    assert len(emulator.ledger()["image_requests"]) == 1
    names = [path.name for path in sorted((here / "outputs/second/0").glob("*.*")) if path.suffix != ".log"]
    assert {"image-0.png", "image-1.png", "thumbnail.webp"} <= set(names)


def test_a_run_that_was_never_begun_takes_what_another_has_finished_meanwhile(sweep, here, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 1, "fault": "unauthorized"}])
    command = ("reuse=true", "replica=0,1", "provider.max_concurrent_jobs=1")
    assert sweep(*command, server=server, directory="outputs/second") == 1
    assert sweep("replica=1", server=server, directory="outputs/first") == 0
    assert run(["resume", "outputs/second"]) == 1
    assert created(server) == 1
    assert read_result(here / "outputs/second/1").reused_from == "outputs/first/0"


def test_what_lies_beside_the_sweep_is_reused(sweep, emulator, capsys):
    assert sweep("replica=0,1", directory="elsewhere/first") == 0
    capsys.readouterr()
    assert sweep("reuse=true", "replica=0,1,2", "dry_run=true", directory="elsewhere/second") == 0
    said = capsys.readouterr().out
    assert "3 runs · $0.40" in said
    assert "reuse: 2 runs lie finished in elsewhere/first\n" in said
    assert sweep("reuse=true", "replica=0,1,2", directory="elsewhere/second") == 0
    assert "reuse: 2 runs lie finished in elsewhere/first\n" in capsys.readouterr().err
    assert created(emulator) == 3
    assert sweep("reuse=true", "replica=2", "hydra/launcher=basic", directory="elsewhere/third") == 0
    assert created(emulator) == 3


def test_what_lies_where_one_says_is_reused(sweep, here, emulator, capsys):
    assert sweep("replica=0", directory="archive/2026/first") == 0
    capsys.readouterr()
    assert sweep("reuse=true", "replica=0,1", "reuse_from=[archive]", directory="far/away/second") == 0
    assert "reuse: 1 run lies finished in archive/2026/first\n" in capsys.readouterr().err
    assert created(emulator) == 2
    assert read_result(here / "far/away/second/0").reused_from == "archive/2026/first/0"


@pytest.mark.parametrize("named", ["outputs/first", "outputs", "archive"])
def test_a_ledger_in_a_named_place_that_cannot_be_read_ends_the_command(sweep, first, here, emulator, named, capsys):
    if named == "archive":
        (here / "outputs").rename(here / "archive")
    (here / named).joinpath("ledger.sqlite3" if named == "outputs/first" else "first/ledger.sqlite3").write_bytes(b"no")
    asked = ("reuse=true", "replica=0", f"reuse_from=[{named}]")
    assert sweep(*asked, "dry_run=true") == 0
    assert "run 0 would be refused: reuse_from=" in capsys.readouterr().out
    assert sweep(*asked) == 2
    said = capsys.readouterr().err
    assert f"reuse_from={named}: " in said
    assert "make it readable, or leave it out of reuse_from" in said
    assert created(emulator) == 1


def test_where_nothing_was_found_is_said(sweep, capsys):
    assert sweep("reuse=true", "replica=0,1", "reuse_from=.") == 0
    assert "reuse: nothing is there for 2 runs in outputs, beside out, .\n" in capsys.readouterr().err


def test_a_place_that_is_not_there_is_refused(sweep, single, here, emulator, capsys):
    for call in (sweep, single):
        assert call("reuse=true", "reuse_from=[archve]") == 2
        said = capsys.readouterr().err
        assert "reuse_from: archve is no directory" in said
        assert "nothing was sent" in said
    assert list(here.iterdir()) == []
    assert sum(emulator.ledger()["requests"].values()) == 0
    assert sweep("reuse_from=[archve]", "dry_run=true") == 0, "nobody asks for it"


def test_what_a_fallback_made_is_reused_as_the_fallbacks_work(sweep, make_emulator, here):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "fault": "rate_limit", "times": 1}])
    begun = ("model=sora-2", "fallbacks=[{model: sora-2-pro}]")
    assert sweep(*begun, directory="outputs/first", server=server) == 0
    made = created(server)

    assert sweep(*begun, "reuse=true", directory="outputs/same", server=server) == 0
    same = read_result(here / "outputs/same/0")
    assert (same.model, same.choice, same.reused_from) == ("sora-2-pro", 1, "outputs/first/0")
    assert [warning for warning in same.warnings if warning.startswith("fell back to")]
    assert sweep("model=sora-2-pro", "reuse=true", directory="outputs/alone", server=server) == 0
    alone = read_result(here / "outputs/alone/0")
    assert (alone.model, alone.choice, alone.reused_from, alone.warnings) == ("sora-2-pro", 0, "outputs/first/0", [])
    assert created(server) == made, "nothing was paid again"

    assert sweep("model=sora-2", "reuse=true", directory="outputs/other", server=server) == 0
    other = read_result(here / "outputs/other/0")
    assert (other.model, other.reused_from, created(server)) == ("sora-2", None, made + 1), "sora-2 had made nothing"
