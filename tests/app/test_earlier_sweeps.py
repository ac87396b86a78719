"""Sweeps that an earlier version of this program wrote, one finished and one killed, can be used as its own were.

`tests/data/earlier` holds them as they were left, pages excepted, and the state of the emulator that the killed one
had sent two of its four runs to.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import runner
from runner.app import run
from runner.ledger.ledger import Ledger
from runner.ledger.reuse import fingerprint

WRITTEN_IN = "/tmp/studio"
EARLIER = Path(__file__).parents[1] / "data" / "earlier"


@pytest.fixture
def outputs(here: Path) -> Path:
    place = here / "outputs"
    shutil.copytree(EARLIER, place)
    # Records name the emulator's state by its absolute path: everything was written in this directory.
    for path in place.rglob("result.json"):
        path.write_text(path.read_text(encoding="utf-8").replace(WRITTEN_IN, str(here)), encoding="utf-8")
    for path in place.rglob("ledger.sqlite3"):
        moved(path, str(here))
    return place


def moved(ledger: Path, here: str) -> None:
    with closing(sqlite3.connect(ledger)) as db, db:
        for table, column in ("sections", "json"), ("runs", "config"), ("runs", "result"), ("facts", "json"):
            db.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (WRITTEN_IN, here))


def test_ls_tells_of_both(outputs, capsys):
    assert run(["ls"]) == 0
    finished, _, killed, *_ = capsys.readouterr().out.splitlines()[1:]
    assert re.search(r"free +2 done +outputs/finished", finished)
    assert re.search(r"free +2 queued, 2 generating +outputs/killed", killed)


def test_show_tells_of_each_run(outputs, capsys):
    assert run(["show", "outputs/finished", "--json"]) == 0
    finished = json.loads(capsys.readouterr().out)
    assert (finished["runs"], finished["estimated_usd"]) == ({"verified": 2}, pytest.approx(0.016))
    assert [row["request.quality"] for row in finished["results"]] == ["low", "medium"]

    assert run(["show", "outputs/killed", "--json"]) == 0
    killed = json.loads(capsys.readouterr().out)
    assert (killed["runs"], killed["running"]) == ({"submitted": 2, "planned": 2}, None)
    assert killed["command"] == "python -m runner resume outputs/killed"


def test_report_and_load_sweep_read_them(outputs, read):
    assert run(["report", "outputs/finished"]) == 0
    data = read("outputs/finished/index.html")
    assert [cell["status"] for cell in data["cells"]] == ["verified", "verified"]
    first, second = runner.load_sweep("outputs/finished").runs
    assert (first.config.request.prompt, first.artifacts) == (
        "a fox, at dawn",
        (outputs / "finished/0/image-0.jpg", outputs / "finished/0/thumbnail.webp"),
    )
    assert dict(second.parameters) == {"request.quality": "medium"}


def test_resume_brings_the_killed_one_to_its_end(outputs):
    jobs = [found.job_id for found in runner.load_sweep("outputs/killed")][:2]
    assert run(["resume", "outputs/killed", "--copied", "progress=off", "provider.latency=0.1"]) == 0
    swept = runner.load_sweep("outputs/killed")
    assert [found.status.value for found in swept] == ["verified"] * 4
    assert [found.job_id for found in swept][:2] == jobs
    assert [found.config.request.prompt for found in swept] == [f"heron {number}" for number in range(4)]
    assert swept.totals["spent_usd"] == pytest.approx(1.6)
    assert all((outputs / "killed" / str(number) / ".hydra" / "config.yaml").is_file() for number in range(4))
    assert run(["resume", "outputs/killed"]) == 0


def test_a_run_of_them_can_be_repeated(outputs):
    assert run(["repeat", "outputs/finished/1", "request.quality=low", "progress=off"]) == 0


def placed(ledger: Path, here: str) -> None:
    """Hash each run's work as if it had been written here: the emulator's place, its state, is part of it."""
    with closing(sqlite3.connect(ledger)) as db, db, Ledger(ledger.parent, readonly=True) as moved_ledger:
        for run in moved_ledger.runs():
            there = run.config.provider.model_copy(
                update={"state_file": Path(str(run.config.provider.state_file).replace(here, WRITTEN_IN))}
            )
            assert fingerprint(run.config.model_copy(update={"provider": there})) == run.fingerprint
            db.execute("UPDATE runs SET fingerprint = ? WHERE number = ?", (fingerprint(run.config), run.index))


def test_both_grow(outputs, here):
    for path in outputs.rglob("ledger.sqlite3"):
        placed(path, str(here))
    finished = ["request=image", "model=gpt-image-1-mini", "request.output_format=jpeg", "request.size=1024x1024",
                "request.output_compression=30", "request.prompt='a fox, at dawn'", "hydra.sweep.dir=outputs/finished",
                "provider.state_file=outputs/finished.sqlite3", "progress=off"]  # fmt: skip
    assert run(["resume", "outputs/finished", "--copied"]) == 0
    assert run(["-m", *finished, "request.quality=high,low"]) == 0
    swept = runner.load_sweep("outputs/finished")
    assert [found.config.request.quality for found in swept] == ["low", "medium", "high"]
    assert [found.artifacts[0].parent.name for found in swept] == ["0", "1", "2"]

    jobs = [found.job_id for found in runner.load_sweep("outputs/killed")][:2]
    assert run(["resume", "outputs/killed", "--copied", "progress=off", "provider.latency=0.1"]) == 0
    killed = ["request=draft", "provider.poll_interval=0.05", "request.duration_seconds=4", "provider.latency=0.1",
              "request.prompt='heron ${hydra:job.num}'", "hydra.sweep.dir=outputs/killed", "progress=off",
              "provider.state_file=outputs/killed.sqlite3"]  # fmt: skip
    assert run(["-m", *killed, "repeat=5"]) == 0
    swept = runner.load_sweep("outputs/killed")
    assert [found.status.value for found in swept] == ["verified"] * 5
    assert [found.job_id for found in swept][:2] == jobs
