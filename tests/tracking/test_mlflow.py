"""`tracking=mlflow`: what a real local store holds after real sweeps."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.app import run
from runner.artifacts.result_file import read_result
from runner.results.reading import sweeps_of
from runner.tracking.mlflow_store import MlflowStore
from runner.tracking.store import Facts

if importlib.util.find_spec("mlflow") is None:  # imported by the first test: each process collects all files
    pytest.skip("pip install 'mediarunner[mlflow]'", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own, of which there are many

PARENT = "mlflow.parentRunId"
STUDY = (
    *("hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2", "hydra/sweeper/sampler=random"),
    *("+hydra.sweeper.sampler.seed=1", "hydra.sweeper.direction=minimize", "request.duration_seconds=choice(4,8,12)"),
)


@pytest.fixture
def recorded(database):
    """All runs of the experiment: the sweep's own, and the others by their number."""
    from mlflow import MlflowClient

    def find(experiment: str = "runner") -> SimpleNamespace:
        client = MlflowClient(database)
        found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
        children = {each.data.tags["runner.number"]: each for each in found if "runner.number" in each.data.tags}
        (parent,) = [each for each in found if "runner.number" not in each.data.tags] or [None]
        assert len(found) == len(children) + (parent is not None), "a run was recorded twice"
        files = {
            number: {file.path for file in client.list_artifacts(child.info.run_id)}
            for number, child in children.items()
        }
        return SimpleNamespace(parent=parent, runs=children, files=files)

    return find


def test_a_sweep_is_a_parent_run_with_its_runs_below_it(sweep, recorded):
    assert sweep("tracking=mlflow", "request.duration_seconds=4,8") == 0
    found = recorded()
    assert found.parent.info.status == "FINISHED"
    assert found.parent.data.params["request.aspect_ratio"] == "16:9"
    assert "request.duration_seconds" not in found.parent.data.params
    assert found.parent.data.metrics["done"] == 2
    assert found.parent.data.metrics["spent_usd"] == pytest.approx(1.2)
    assert {number: child.data.params["request.duration_seconds"] for number, child in found.runs.items()} == {
        "0": "4",
        "1": "8",
    }
    assert {child.data.tags[PARENT] for child in found.runs.values()} == {found.parent.info.run_id}


def test_a_run_is_recorded_with_money_time_attempts_files_job_and_hash(sweep, recorded, here):
    assert sweep("tracking=mlflow", "replica=0,1") == 0
    found, result = recorded(), read_result(here / "out/1")
    child = found.runs["1"]
    times = result.timestamps
    assert child.data.metrics["estimated_usd"] == pytest.approx(0.4)
    assert child.data.metrics["attempts"] == 1
    assert child.data.metrics["bytes"] == result.artifacts[0].bytes
    assert child.data.metrics["latency_seconds"] == pytest.approx(
        (times["verified"] - times["submitting"]).total_seconds(), abs=0.01
    )
    assert child.info.start_time == round(times["submitting"].timestamp() * 1000)
    assert (child.data.tags["runner.job_id"], child.data.tags["runner.sha256"]) == (
        result.job_id,
        result.artifacts[0].sha256,
    )
    assert found.files["1"] == {"video.mp4", "thumbnail.webp", "result.json"}


def test_a_single_run_has_no_parent(single, recorded):
    assert single("tracking=mlflow", "tracking.files=small") == 0
    found = recorded()
    assert found.parent is None
    assert found.runs["0"].info.status == "FINISHED"
    assert found.files["0"] == {"thumbnail.webp", "result.json"}


def test_the_batches_of_an_optimiser_share_one_parent(sweep, recorded):
    assert sweep("tracking=mlflow", *STUDY) == 0
    found = recorded()
    assert {*found.runs} == {"0", "1", "2", "3"}
    assert {child.data.tags[PARENT] for child in found.runs.values()} == {found.parent.info.run_id}
    assert (found.parent.info.status, found.parent.data.metrics["done"]) == ("FINISHED", 4)
    assert found.parent.data.tags["runner.runs"] == "4"
    durations = {child.data.params["request.duration_seconds"] for child in found.runs.values()}
    assert len(durations) > 1, "the study is to differ between its batches"
    assert "request.duration_seconds" not in found.parent.data.params
    assert found.parent.data.params["request.aspect_ratio"] == "16:9"


def test_an_optimiser_meets_an_unreachable_server_once(sweep, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert sweep("tracking=mlflow", "tracking.tracking_uri=http://127.0.0.1:9", *STUDY) == 0
    assert capsys.readouterr().err.count("mlflow has not recorded everything") == 1


def test_a_failed_run_says_why_and_after_a_resume_the_same_run_is_brought_up_to_date(sweep, recorded, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 2, "fault": "internal"}])
    assert sweep("tracking=mlflow", "replica=0,1", server=server) == 1
    before = recorded()
    (failed,) = [child for child in before.runs.values() if child.info.status == "FAILED"]
    assert failed.data.tags["runner.error_type"] == "GenerationFailedError"
    assert (before.parent.info.status, before.parent.data.metrics["failed"]) == ("FAILED", 1)
    assert run(["resume", "out", "--retry-failed"]) == 0
    after = recorded()
    assert after.parent.info.run_id == before.parent.info.run_id
    assert (after.parent.info.status, after.parent.data.metrics["done"]) == ("FINISHED", 2)
    assert {number: child.info.run_id for number, child in after.runs.items()} == {
        number: child.info.run_id for number, child in before.runs.items()
    }
    assert {child.info.status for child in after.runs.values()} == {"FINISHED"}
    assert not [key for child in after.runs.values() for key in child.data.tags if key.startswith("runner.error")]


def test_an_upload_that_fails_leaves_no_run_running_and_is_gone_on_with(sweep, recorded, capsys, monkeypatch):
    from mlflow import MlflowClient

    def refused(*_):
        raise PermissionError("the bucket is closed")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", refused)
        assert sweep("tracking=mlflow", "replica=0,1") == 0
    assert "PermissionError: the bucket is closed" in capsys.readouterr().err
    before = recorded()
    (begun,) = before.runs.values()
    assert (before.parent.info.status, begun.info.status) == ("KILLED", "FINISHED")
    assert run(["resume", "out"]) == 0
    after = recorded()
    assert (after.parent.info.run_id, after.parent.info.status) == (before.parent.info.run_id, "FINISHED")
    assert {*after.runs} == {"0", "1"}
    assert begun.info.run_id in {child.info.run_id for child in after.runs.values()}
    assert {*after.files["0"]} == {*after.files["1"]} == {"video.mp4", "thumbnail.webp", "result.json"}


@pytest.mark.parametrize(("ended", "stamped"), [(None, 1_800_000_000_000), (1_700_000_000.5, 1_700_000_000_500)])
def test_the_figures_of_a_run_that_did_not_end_are_of_now(database, ended, stamped):
    from mlflow import MlflowClient

    store = MlflowStore(database, "runner", {}, clock=lambda: 1_800_000_000.0)
    (own, *_) = store.record(Facts("a run", {}, {"polls": 3.0}, {}, ended=ended), None, None)
    (polls,) = MlflowClient(database).get_metric_history(own, "polls")
    assert (polls.value, polls.timestamp) == (3.0, stamped)


def test_a_parameter_that_a_resume_has_changed_stays_as_it_was(sweep, recorded, capsys):
    assert sweep("tracking=mlflow", "replica=0,1") == 0
    assert run(["resume", "out", "provider.poll_interval=0.03"]) == 0
    assert "not recorded" not in capsys.readouterr().err
    assert recorded().parent.data.params["provider.poll_interval"] == "0.02"


def test_resume_records_what_an_unreachable_server_has_missed(sweep, recorded, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert sweep("tracking=mlflow", "tracking.tracking_uri=http://127.0.0.1:9", "replica=0,1") == 0
    said = capsys.readouterr().err
    assert said.count("warning: ") == 1
    assert "tracking: mlflow has not recorded everything" in said
    assert "python -m runner resume out sends the rest" in said
    assert run(["resume", "out", "tracking.tracking_uri=null"]) == 0
    assert {*recorded().runs} == {"0", "1"}


def test_resume_records_what_was_judged_and_scored_since(sweep, recorded, here):
    assert sweep("tracking=mlflow", "replica=0,1", "metrics=[duration_error]") == 0
    before = recorded()
    assert {number: child.data.metrics["metrics.duration_error"] for number, child in before.runs.items()} == {
        "0": 0, "1": 0,
    }  # fmt: skip
    (group,) = sweeps_of([Path("out")]).sweeps
    made = {"version": 1, "kind": "rating", "id": "1", "at": "2026-11-23T09:30:00Z", "rater": "ann", "rating": 4}
    record = {**made, "run": group.run_keys()[1], "file": "video.mp4"}
    (here / "out" / "ratings.jsonl").write_text(json.dumps(record) + "\n")
    assert run(["score", "out", "metrics=[brightness]"]) == 0
    for media in here.glob("out/*/video.mp4"):  # is not sent again
        media.unlink()
    assert run(["resume", "out"]) == 0
    after = recorded()
    assert {number: child.info.run_id for number, child in after.runs.items()} == {
        number: child.info.run_id for number, child in before.runs.items()
    }
    assert after.files == before.files
    told = after.runs["1"].data.metrics
    assert (told["rating_mean"], told["ratings"], told["kept"], told["star"]) == (4, 1, 1, 0)
    assert {"metrics.duration_error", "metrics.brightness"} <= {*told}
    assert "rating_mean" not in after.runs["0"].data.metrics


def test_tracking_may_be_begun_by_resume(sweep, recorded):
    assert sweep("replica=0,1") == 0
    assert run(["resume", "out", "tracking=mlflow", "tracking.experiment=late"]) == 0
    assert {*recorded("late").runs} == {"0", "1"}


def test_a_deleted_parent_is_begun_anew(sweep, recorded, database, here):
    from mlflow import MlflowClient

    assert sweep("tracking=mlflow", "replica=0,1") == 0
    MlflowClient(database).delete_run(recorded().parent.info.run_id)
    for child in recorded().runs.values():
        MlflowClient(database).delete_run(child.info.run_id)
    assert run(["resume", "out"]) == 0
    found = recorded()
    assert {child.data.tags[PARENT] for child in found.runs.values()} == {found.parent.info.run_id}


def test_no_key_is_recorded(sweep, recorded, here: Path):
    assert sweep("tracking=mlflow", "replica=0,1") == 0
    found = recorded()
    told = [dict(each.data.params) | dict(each.data.tags) for each in (found.parent, *found.runs.values())]
    assert "an-emulated-key" not in json.dumps(told) + (here / "out/tracking.jsonl").read_text()


def test_parameters_of_any_length_and_text_are_recorded(sweep, recorded, here: Path):
    (here / "prompt.txt").write_text("<script>'\"\u202e😀\n" + "x" * 7000, encoding="utf-8")
    assert sweep("tracking=mlflow", "request.prompt_file=prompt.txt", "model.validation=off", "replica=0,1") == 0
    told = recorded().runs["0"].data.params["request.prompt"]
    assert told.startswith("<script>'\"\u202e😀\n")
    assert len(told) == 6000


def test_a_sweep_that_is_tracked_in_two_places_is_refused(sweep, emulator, here: Path, capsys):
    assert sweep("tracking=mlflow,none", "request.duration_seconds=4,8") == 2
    assert "a sweep is tracked in one place" in capsys.readouterr().err
    assert not (here / "out").exists()
