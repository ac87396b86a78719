"""A sweep in parts: each has its own ledger and budget, and together they are one sweep to whoever looks or resumes."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys

import pytest

from runner import load_sweep
from runner.app import run


@pytest.fixture
def divided(here, sweep):
    """A sweep of five runs in two parts below `out`."""
    for part in (1, 2):
        assert sweep("replica=0,1,2,3,4", f"shard={part}/2") == 0
    return here / "out"


def jobs(emulator):
    return emulator.ledger()["jobs"]


def test_what_is_loaded_shown_and_reported_is_the_whole(divided, capsys):
    assert [each.config.replica for each in load_sweep(divided)] == [0, 2, 4, 1, 3]
    assert run(["show", "out", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["runs"] == {"verified": 5}
    assert run(["report", "out"]) == 0
    assert "(5 runs)" in capsys.readouterr().out
    assert (divided / "index.html").is_file()


def test_resuming_the_whole_resumes_each_part(divided, rewind, emulator, capsys):
    rewind(0, "submitted", place=divided / "shard-1-of-2")
    rewind(1, "submitted", place=divided / "shard-2-of-2")
    before = jobs(emulator)

    assert run(["resume", "out", "progress=off"]) == 0

    told = capsys.readouterr().out
    assert "out/shard-1-of-2:" in told
    assert "out/shard-2-of-2:" in told
    assert jobs(emulator) == before
    assert {each.status for each in load_sweep(divided)} == {"verified"}


def test_a_part_that_cannot_be_read_keeps_no_other_from_going_on(divided, rewind, capsys):
    (divided / "shard-1-of-2/ledger.sqlite3").write_bytes(b"no ledger")
    rewind(0, "submitted", place=divided / "shard-2-of-2")

    assert run(["resume", "out", "progress=off"]) == 2

    assert "error:" in capsys.readouterr().err
    assert json.loads((divided / "shard-2-of-2/0/result.json").read_text())["status"] == "verified"


def test_a_job_is_adopted_by_a_run_of_one_part(divided, capsys):
    assert run(["resume", "out", "--adopt", "0=video_1"]) == 2
    assert "resume out/shard-1-of-2" in capsys.readouterr().err


def test_each_part_has_its_own_budget(here, sweep):
    # Each part costs 0.80, and both of them more than the budget.
    assert [sweep("replica=0,1,2,3", f"shard={part}/2", "budget.max_usd=1") for part in (1, 2)] == [0, 0]
    assert [sweep("replica=4,5,6,7", f"shard={part}/2", "budget.max_usd=0.5", directory="more") for part in (1, 2)] == [
        3,
        3,
    ]


@pytest.mark.parametrize(("shard", "said"), [("shard=1/3", "in 2 parts"), (None, "in 2 parts")])
def test_what_is_there_in_other_parts_is_not_paid_again(divided, sweep, emulator, capsys, shard, said):
    before = jobs(emulator)
    assert sweep("replica=0,1,2,3,4", *filter(None, [shard])) == 2
    told = capsys.readouterr().err
    assert f"out holds a sweep {said}, whose runs may be paid again" in told
    assert """reuse=true "reuse_from=['out']\"""" in told
    assert sweep("replica=0,1,2,3,4", "shard=1/3", "reuse=true", "reuse_from=['out']", directory="other") == 0
    assert jobs(emulator) == before


def test_a_sweep_in_one_piece_is_not_divided_later(here, sweep, emulator, capsys):
    assert sweep("replica=0,1") == 0
    assert sweep("replica=0,1", "shard=1/2") == 2
    assert "out holds a sweep in one piece" in capsys.readouterr().err
    assert jobs(emulator) == 2


def test_a_part_without_points_is_no_failure_of_a_job_array(here, sweep, emulator, capsys):
    assert sweep("replica=0,1", "shard=3/3") == 0
    assert "shard=3/3 has no points, as the sweep has 2: nothing to do" in capsys.readouterr().err
    assert not (here / "out").exists()
    assert jobs(emulator) == 0


def test_a_part_of_which_everything_is_left_out_is_no_failure_either(here, sweep, emulator, capsys):
    assert sweep("replica=0,1", "shard=2/2", "exclude=[{replica: 1}]") == 0
    assert "shard=2/2 has no runs, nothing to do; left out: 1 run" in capsys.readouterr().err
    assert not (here / "out").exists()
    assert jobs(emulator) == 0


def test_a_hint_names_a_directory_as_it_is_typed(here, capsys):
    (here / "my, out/shard-1-of-2").mkdir(parents=True)
    (here / "my, out/shard-1-of-2/ledger.sqlite3").touch()
    assert run(["-m", "provider=emulator", "replica=0,1", "shard=1/3", "hydra.sweep.dir='my, out'"]) == 2
    typed = shlex.split(capsys.readouterr().err.partition("hydra.sweep.dir with ")[2])
    assert typed == ["reuse=true", "reuse_from=['my, out']"]


ARRAY = """
import subprocess, sys
import submitit

def part(number):
    command = [sys.executable, "-m", "runner", "-m", *{overrides!r}, f"shard={{number}}/2"]
    return subprocess.run(command, cwd={here!r}, timeout=300).returncode

executor = submitit.AutoExecutor(folder="jobs", cluster="local")
executor.update_parameters(timeout_min=10)
print([job.result() for job in executor.map_array(part, [1, 2])])
"""


@pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed")
def test_a_job_array_of_submitit_is_one_sweep(here, tmp_path):
    overrides = ["replica=0,1,2,3", "provider.latency=0.05", "provider.poll_interval=0.05", "progress=off",
                 "hydra.sweep.dir=out"]  # fmt: skip
    script = ARRAY.format(overrides=overrides, here=str(here))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False,
        env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip
    assert done.stdout.strip().endswith("[0, 0]"), done.stderr
    assert [each.status for each in load_sweep(here / "out")] == ["verified"] * 4
