"""Runs come back as they were entered, though what most have in common is validated once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.config.run import RunName
from runner.engine.run import Run
from runner.ledger.ledger import Ledger, LedgerError

from .conftest import NOW


@pytest.fixture
def configs(loaded):
    """Configs that differ in nothing, in their request, in more than that, and in what sweeps share."""
    video = loaded("provider=openai")
    other = video.request.model_copy(update={"prompt": "A lake", "duration_seconds": 4, "seed": 7})
    return [
        video,
        video,
        video.model_copy(update={"request": other}),
        video.model_copy(update={"request": other, "replica": 2, "run": RunName(id="dawn", line=2)}),
        video.model_copy(update={"tags": ("a", "b"), "vars": {"x": [1, {"y": None}]}}),
        loaded("provider=openai", "model=gpt-image-1.5", "request=image"),
        loaded("provider=emulator", "model=sora-2-pro"),
        video.model_copy(update={"budget": video.budget.model_copy(update={"max_usd": 3.0})}),
    ]


def entered(place: Path, configs, result_of) -> list[Run]:
    runs = [Run(index, each, place / str(index), ("a=1", 'b="x"'), f"{index}") for index, each in enumerate(configs)]
    with Ledger(place) as ledger:
        ledger.add(runs)
        ledger.save_all([(run.index, result_of(run, "submitted", job_id=f"video_{run.index}")) for run in runs])
    return runs


def test_runs_come_back_as_they_were_entered(tmp_path, configs, result_of):
    runs = entered(tmp_path, configs, result_of)
    with Ledger(tmp_path, readonly=True) as ledger:
        found = ledger.runs()
        alone = [ledger.run(run.index) for run in runs]
    assert [run.config for run in found] == configs
    assert found == alone
    assert [run.earlier for run in found] == [result_of(run, "submitted", job_id=f"video_{run.index}") for run in runs]
    assert all(run.earlier.config is run.config and run.earlier.begun == NOW for run in found)
    assert found[0].config is found[1].config


def test_what_is_wrong_with_a_request_is_told_by_its_key(tmp_path, configs, result_of):
    entered(tmp_path, configs[:2], result_of)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as db, db:
        (text,) = db.execute("SELECT config FROM runs WHERE number = 1").fetchone()
        broken = text.replace('duration_seconds\\":8', 'duration_seconds\\":\\"x\\"')
        assert broken != text
        db.execute("UPDATE runs SET config = ? WHERE number = 1", (broken,))
    key = r"request\.video\.duration_seconds"
    with Ledger(tmp_path, readonly=True) as ledger, pytest.raises(LedgerError, match=key):
        ledger.runs()


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '"x"', '{"schema_version": 1}'])
def test_a_record_that_is_none_is_a_damaged_ledger(tmp_path, configs, result_of, text):
    entered(tmp_path, configs[:1], result_of)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as db, db:
        db.execute("UPDATE runs SET result = ?", (text,))
    with Ledger(tmp_path, readonly=True) as ledger, pytest.raises(LedgerError):
        ledger.runs()
