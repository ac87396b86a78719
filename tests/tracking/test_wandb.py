"""`tracking=wandb`: what offline mode leaves after real sweeps, read from its own files."""

from __future__ import annotations

import importlib.util
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.app import run
from runner.results.reading import sweeps_of

if importlib.util.find_spec("wandb") is None:  # imported by the first test: each process collects all files
    pytest.skip("pip install 'mediarunner[wandb]'", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore")  # wandb's own

BLOCK, HEADER = 32 * 1024, 7


def records(path: Path) -> Iterator[Any]:
    """The records of a `.wandb` file: LevelDB's log format, in blocks, of protobuf messages."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole = path.read_bytes(), HEADER, b""
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + HEADER])
        whole += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):  # full, last
            record = Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def told(path: Path) -> SimpleNamespace:
    found = SimpleNamespace(id="", group="", kind="", config={}, summary={}, removed=set(), files=set(), exit=None)
    for record in records(path):
        match record.WhichOneof("record_type"):
            case "run":
                found.id, found.group, found.kind = record.run.run_id, record.run.run_group, record.run.job_type
                found.config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
            case "config":
                found.config |= {item.key: json.loads(item.value_json) for item in record.config.update}
            case "summary":
                found.removed |= {item.key or ".".join(item.nested_key) for item in record.summary.remove}
                found.summary |= {
                    item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.summary.update
                }
            case "exit":
                found.exit = record.exit.exit_code
            case "artifact":
                found.files |= {entry.path for entry in record.artifact.manifest.contents}
            case _:
                pass
    return found


@pytest.fixture
def recorded(here, monkeypatch):
    """Every run that lies in ./wandb, in the order of the beginning."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    import wandb

    def find():
        wandb.teardown()  # else the last records of a run may not be in its file yet
        return [told(path) for path in sorted((here / "wandb").glob("offline-run-*/*.wandb"))]

    yield find
    wandb.teardown()


OFFLINE = ("tracking=wandb", "tracking.mode=offline")


def test_a_sweep_is_a_group_with_a_run_of_its_own(sweep, recorded):
    assert sweep(*OFFLINE, "request.duration_seconds=4,8") == 0
    found = recorded()
    (parent,) = [each for each in found if each.kind == "sweep"]
    runs = [each for each in found if each.kind == "run"]
    assert {each.group for each in found} == {parent.id}
    assert parent.summary["done"] == 2
    assert parent.config["request"]["aspect_ratio"] == "16:9"
    assert "duration_seconds" not in parent.config["request"]
    assert {each.config["request"]["duration_seconds"] for each in runs} == {4, 8}
    assert {each.summary["status"] for each in runs} == {"verified"}
    assert {each.exit for each in found} == {0}


def test_a_run_is_recorded_with_money_attempts_job_hash_and_media(single, recorded, here: Path):
    assert single(*OFFLINE, "tracking.files=all") == 0
    (found,) = recorded()
    result = json.loads((here / "out/result.json").read_text())
    assert found.group == ""
    assert (found.summary["estimated_usd"], found.summary["attempts"]) == (0.4, 1)
    assert found.summary["job_id"] == result["job_id"]
    assert found.summary["sha256"] == result["artifacts"][0]["sha256"]
    assert found.summary["video._type"] == "video-file"
    assert found.summary["thumbnail._type"] == "image-file"
    assert found.files == {"result.json"}
    (video,) = (here / "wandb").glob("offline-run-*/files/media/videos/*.mp4")
    assert video.read_bytes() == (here / "out/video.mp4").read_bytes()


def test_media_are_not_copied_unless_they_are_asked_for_and_the_mode_may_be_the_environments(
    single, recorded, here: Path, monkeypatch
):
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert single("tracking=wandb") == 0
    (found,) = recorded()
    assert found.summary["thumbnail._type"] == "image-file"
    assert found.files == {"result.json"}
    assert not [*(here / "wandb").glob("**/*.mp4")]


def test_resume_goes_on_in_the_same_group(sweep, recorded, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 2, "fault": "internal"}])
    assert sweep(*OFFLINE, "replica=0,1", server=server) == 1
    before = recorded()
    (failed,) = [each for each in before if each.summary.get("status") == "failed"]
    assert failed.exit == 1
    assert run(["resume", "out", "--retry-failed"]) == 0
    after = recorded()
    assert {each.id for each in after} == {each.id for each in before}
    assert {each.group for each in after} == {each.group for each in before}
    again = [each for each in after if each.id == failed.id]
    assert [each.summary.get("status") for each in again] == ["failed", "verified"]
    assert {"error", "error_type"} <= {*failed.summary}
    assert {"error", "error_type"} <= again[1].removed


def test_resume_records_what_was_judged_and_scored_since(sweep, recorded, here: Path):
    assert sweep(*OFFLINE, "replica=0,1") == 0
    before = {each.id for each in recorded()}
    (group,) = sweeps_of([Path("out")]).sweeps
    made = {"version": 1, "kind": "rating", "id": "1", "at": "2026-11-23T09:30:00Z", "rater": "ann", "star": True}
    record = {**made, "run": group.run_keys()[1], "file": "video.mp4"}
    (here / "out" / "ratings.jsonl").write_text(json.dumps(record) + "\n")
    assert run(["score", "out", "metrics=[brightness]"]) == 0
    assert run(["resume", "out"]) == 0
    after = recorded()
    assert {each.id for each in after} == before
    assert sorted(each.summary["kept"] for each in after if "kept" in each.summary) == [0, 1]
    assert [0 < each.summary["metrics.brightness"] < 1 for each in after if "metrics.brightness" in each.summary] == [
        True
    ] * 2


def test_without_a_key_the_runs_are_made_and_one_warning_is_said(sweep, recorded, capsys, monkeypatch):
    monkeypatch.setenv("NETRC", "/nonexistent")
    monkeypatch.setenv("WANDB_CONFIG_DIR", "/nonexistent")
    assert sweep("tracking=wandb", "replica=0,1") == 0
    said = capsys.readouterr().err
    assert said.count("warning: ") == 1
    assert "No API key configured" in said


def test_a_package_that_is_not_installed_is_said_before_anything_is_sent(sweep, emulator, here, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "wandb", None)
    assert sweep(*OFFLINE, "replica=0,1") == 2
    assert "pip install 'mediarunner[wandb]'" in capsys.readouterr().err
    assert not (here / "out").exists()
    assert not emulator.ledger()["requests"]
