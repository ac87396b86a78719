"""A sweep on a real Ray cluster of two nodes: one story, told by a program in a network namespace of its own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from runner.artifacts.result_file import read_result
from runner.ledger.ledger import Ledger
from tests.distributed.ray_nodes import inside, why_not
from tests.distributed.ray_story import ALL, AT_A_RATE, FIRST, KILLED_AT, PER_MINUTE

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("here")


@pytest.fixture(scope="module")
def told(place, render_cache) -> dict[str, Any]:
    done = inside(Path(__file__).with_name("ray_story.py"), str(place), str(render_cache), timeout=900)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_sweep_on_two_nodes_is_what_one_process_makes(told, place):
    assert told["first"]["code"] == 0, told["first"]["output"]
    assert len(told["first"]["jobs"]) == FIRST
    assert f"{FIRST} done · $1.60 spent of $1.60 estimated · $1.60 of $1.60 budget" in told["first"]["output"]
    assert {path.name for path in (place / "out").iterdir()} >= {"ledger.sqlite3", "index.html", "results.csv", "0"}
    assert not [*(place / "out").glob(".probe*")]
    files = {path.name for path in (place / "out/0").iterdir()}
    assert files == {".hydra", "result.json", "runner.log", "thumbnail.webp", "video.mp4"}


def test_a_killed_worker_costs_no_run_and_no_money(told, place):
    second = told["second"]
    assert second["code"] == 0, second["output"]
    assert second["killed"] == 1
    assert "worker-0 has died" in second["output"] or "worker-1 has died" in second["output"]
    assert len(second["jobs"]) == ALL
    with Ledger(place / "out", readonly=True) as ledger:
        results = [run.earlier for run in ledger.runs()]
    assert [result.status for result in results] == ["verified"] * ALL
    assert sorted(result.job_id for result in results) == sorted(second["jobs"])
    assert [read_result(place / f"out/{number}") for number in range(ALL)] == results


def test_a_rate_holds_for_all_workers_together(told):
    made = told["rated"]["made"]
    assert len(made) >= KILLED_AT
    # A busy machine may hold a request up, so that the next ones seem to come too soon, but hardly half of them.
    seconds = 1.5
    whole = [first for first in made if first + seconds <= made[-1]] or made[:1]
    most = seconds * PER_MINUTE / 60 + 1
    assert median(sum(first <= each < first + seconds for each in made) for first in whole) <= 1.3 * most


def test_a_killed_coordinator_ends_the_command_and_costs_no_money(told, place):
    first, second = told["rated"], told["resumed"]
    assert first["code"] == 4, first["output"]
    assert "the coordinator has ended" in first["output"]
    assert "nothing more was sent" in first["output"]
    assert "resume" in first["output"]
    assert "Traceback" not in first["output"] + second["output"]
    assert len(first["made"]) < AT_A_RATE
    with Ledger(place / "rated", readonly=True) as ledger:
        results = [run.earlier for run in ledger.runs()]
    # Of a request that was recorded last nobody knows whether it was sent; it is not repeated by itself.
    statuses = Counter(result.status.value for result in results)
    assert statuses.keys() <= {"verified", "uncertain"}, second["output"]
    assert statuses["uncertain"] <= 2, second["output"]
    assert sorted(result.job_id for result in results if result.job_id) == sorted(second["jobs"])


def test_neither_ray_nor_the_sweep_writes_the_key_anywhere(told):
    assert told["files"] > 50
    assert told["keys"] == []
