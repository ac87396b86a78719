"""Ledgers that were damaged, lost or put back from an old copy: nothing is paid again, and one command mends them."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.app import run
from runner.artifacts.result_file import read_result, write_result
from runner.artifacts.run_status import RunStatus
from runner.ledger.ledger import Ledger
from runner.ledger.recording import paid_files

from .resumable import again, created, states

FOUR = ("request.prompt=a,b,c,d",)


@pytest.fixture
def old(sweep, here, rewind, forget) -> Path:
    """A ledger that knows no run yet, of a sweep whose runs are finished, submitted, submitting and never begun."""
    assert sweep(*FOUR) == 0
    made = here / "out/ledger.sqlite3"
    old = here / "ledger.old"
    shutil.copyfile(made, old)
    with closing(sqlite3.connect(old)) as db:
        db.execute("UPDATE runs SET status = 'planned', job_id = NULL, result = NULL")
        db.commit()
    rewind(1, "submitted")
    rewind(2, "submitting")
    forget(3)
    return old


def ledger(here: Path) -> Path:
    return here / "out/ledger.sqlite3"


@pytest.mark.parametrize("rerun", [True, False])
def test_what_an_old_ledger_does_not_know_is_taken_over_from_the_files(sweep, old, here, emulator, capsys, rerun):
    shutil.copyfile(old, ledger(here))
    capsys.readouterr()
    assert (sweep(*FOUR) if rerun else again()) == 0
    said = capsys.readouterr().err
    assert said.count("was taken over for runs 0-2") == 1
    assert states(here / "out") == ["verified"] * 4
    assert created(emulator) == 5, "four, and the one that was never begun"
    capsys.readouterr()
    assert again() == 0
    assert "taken over" not in capsys.readouterr().err


def test_files_of_a_run_whose_record_is_gone_too_are_not_paid_for_again(sweep, here, old, emulator, capsys):
    assert again() == 0
    paid = created(emulator)
    shutil.copyfile(old, ledger(here))
    (here / "out/0/result.json").unlink()
    (here / "out/1/result.json").write_text("{")
    capsys.readouterr()
    assert again() == 0
    assert "runs 0-1 did not begin, but their directories hold results" in capsys.readouterr().err
    assert states(here / "out") == ["verified"] * 4
    assert created(emulator) == paid, "their jobs were looked for and found"
    spent = [sum(attempt.usd for attempt in read_result(here / "out" / str(n)).attempts) for n in range(2)]
    assert min(spent) > 0, "what may have been paid counts as spent"


@pytest.mark.parametrize(
    "name",
    ["answer.json", "answer.bin", "answer-2.txt", "video.unverified", "video.mp4.part", "image-0.unverified.mp4"],
)
def test_whatever_only_a_paid_request_brings_tells_of_one(tmp_path, name):
    for each in (name, "input.png", "runner.log"):
        (tmp_path / each).write_bytes(b"x")
    assert paid_files(tmp_path) == [name]


def test_images_of_a_run_whose_record_is_gone_stay_uncertain_until_they_are_asked_for_again(
    sweep, here, emulator, capsys
):
    usual = ("provider=openai", f"provider.base_url={emulator.base_url}", "provider.retired_models=off", "progress=off")
    request = (
        "request=image",
        "model=gpt-image-2",
        "request.size=1024x1024",
        "request.prompt=a,b",
        "hydra.sweep.dir=out",
    )
    assert run(["-m", *usual, *request]) == 0
    with closing(sqlite3.connect(ledger(here))) as db:
        db.execute("UPDATE runs SET status = 'planned', job_id = NULL, result = NULL")
        db.commit()
    (here / "out/0/result.json").unlink()
    image = here / "out/0/image-0.png"
    image.write_bytes(image.read_bytes()[:100])  # a whole one would be taken over
    paid = len(emulator.ledger()["image_requests"])
    capsys.readouterr()
    assert again() == 4
    said = capsys.readouterr()
    assert "run 0 did not begin, but its directory holds results" in said.err
    assert "python -m runner resume out --resubmit-uncertain" in said.out
    assert "image-0.png" in said.out
    assert states(here / "out") == ["uncertain", "verified"]
    assert len(emulator.ledger()["image_requests"]) == paid
    assert again("--resubmit-uncertain") == 0
    assert len(emulator.ledger()["image_requests"]) == paid + 1


def zeroed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 3] = bytes(4096 * 2)
    path.write_bytes(content)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without(table: str):
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"DELETE FROM {table}")
            db.commit()

    return damage


def with_a_hole(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE runs SET result = substr(result, 1, 100) || char(1) || substr(result, 102) WHERE number = 0")
        db.commit()


DAMAGES = [zeroed, truncated, without("runs"), without("sections"), with_a_hole, Path.unlink,
           lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"no ledger at all " * 999)]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_ledger_stops_everything_and_is_built_anew_by_the_command_that_is_named(
    sweep, old, here, emulator, capsys, damage
):
    damage(ledger(here))
    before = emulator.ledger()["requests"]
    damaged = ledger(here).read_bytes() if ledger(here).exists() else None
    capsys.readouterr()
    for rerun in (again, lambda: sweep(*FOUR)):
        assert rerun() == 2
        said = capsys.readouterr().err
        assert "python -m runner resume out --rebuild" in said
        assert "Traceback" not in said
    assert ledger(here).exists() == (damaged is not None)
    assert again("--rebuild") == 0
    said = capsys.readouterr().out
    assert "nothing was sent" in said
    assert emulator.ledger()["requests"] == before, "to build it anew asks nobody"
    kept = [*(here / "out").glob("ledger.sqlite3.damaged-*")]
    assert [path.stat().st_size for path in kept] == ([] if damaged is None else [len(damaged)])
    assert not (here / "out/.rebuild").exists()
    again()
    assert sweep(*FOUR) in (0, 4)
    known = states(here / "out")
    assert known[:3] == ["verified"] * 3
    assert created(emulator) == 4 + (known[3] == "verified")


def test_what_is_spent_survives_and_the_ledger_s_own_rows_fill_what_files_do_not_tell(sweep, here, old, emulator):
    spent = sum(attempt.usd for n in range(3) for attempt in read_result(here / "out" / str(n)).attempts)
    (here / "out/0/result.json").unlink()
    with closing(sqlite3.connect(ledger(here))) as db:
        db.execute("DELETE FROM runs WHERE number IN (1, 2)")
        db.commit()
    assert again("--rebuild") == 0
    with Ledger(here / "out", readonly=True) as rebuilt:
        runs = {run.index: run for run in rebuilt.runs()}
    assert [runs[n].status.value for n in range(3)] == ["verified", "submitted", "submitting"]
    assert sum(attempt.usd for n in range(3) for attempt in runs[n].earlier.attempts) == pytest.approx(spent)


def test_a_run_without_a_record_counts_as_uncertain_where_its_directory_was_made(sweep, here, emulator, capsys):
    assert sweep("replica=0,1,2") == 0
    ledger(here).unlink()
    (here / "out/1/result.json").unlink()
    for path in (here / "out/1").glob("video*"):
        path.unlink()
    shutil.rmtree(here / "out/2")
    assert again("--rebuild") == 0
    assert "1 done, 1 uncertain" in capsys.readouterr().out
    assert again() == 4
    assert created(emulator) == 3
    assert sweep("replica=0,1,2") == 4
    assert created(emulator) == 4, "the run that nothing is left of is begun"
    assert states(here / "out") == ["verified", "uncertain", "verified"]


def test_another_run_s_record_speaks_for_no_run(sweep, here, emulator):
    assert sweep(*FOUR) == 0
    with closing(sqlite3.connect(ledger(here))) as db:
        db.execute("UPDATE runs SET status = 'planned', job_id = NULL, result = NULL")
        db.commit()
    shutil.copyfile(here / "out/0/result.json", here / "out/3/result.json")
    assert again() == 0
    assert states(here / "out") == ["verified"] * 4
    assert created(emulator) == 4, "its own job was looked for and found"


def test_a_copy_of_a_run_s_directory_is_no_run_that_was_lost(sweep, here, emulator, capsys):
    assert sweep("replica=0,1") == 0
    shutil.copytree(here / "out/0", here / "out/0-before")
    capsys.readouterr()
    assert again() == 0
    assert again("--rebuild") == 0
    assert states(here / "out") == ["verified"] * 2


def test_a_file_that_is_behind_its_ledger_changes_nothing(sweep, here, rewind, emulator, capsys):
    assert sweep("replica=0,1") == 0
    path = here / "out/0/result.json"
    whole = path.read_bytes()
    earlier = read_result(here / "out/0")
    write_result(
        here / "out/0", earlier.model_copy(update={"status": RunStatus("submitted"), "revision": 2, "artifacts": []})
    )
    capsys.readouterr()
    assert again() == 0
    assert "taken over" not in capsys.readouterr().err
    assert path.read_bytes() == whole


def test_records_of_before_revisions_were_counted_are_judged_by_their_times(sweep, here, old, emulator):
    for n in (0, 1, 2):
        path = here / f"out/{n}/result.json"
        told = json.loads(path.read_bytes())
        del told["revision"]
        path.write_text(json.dumps(told))
    shutil.copyfile(old, ledger(here))
    assert again() == 0
    assert states(here / "out") == ["verified"] * 4
    assert created(emulator) == 5


def test_a_single_run_s_ledger_is_built_anew_too(single, here, emulator, capsys):
    assert single("hydra.run.dir=one") == 0
    os.truncate(here / "one/ledger.sqlite3", 5000)
    capsys.readouterr()
    assert run(["resume", "one"]) == 2
    assert "resume one --rebuild" in capsys.readouterr().err
    assert run(["resume", "one", "--rebuild"]) == 0
    assert run(["resume", "one"]) == 0
    assert states(here / "one") == ["verified"]
    assert created(emulator) == 1


def test_where_there_is_nothing_nothing_is_built(here, capsys):
    (here / "out").mkdir()
    assert again("--rebuild") == 2
    assert "holds no result.json" in capsys.readouterr().err
    assert not (here / "out/ledger.sqlite3").exists()
    assert run(["resume", "nowhere", "--rebuild"]) == 2
