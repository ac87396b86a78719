"""Whole sweeps, from the command line to the files, against an emulator over HTTP."""

from __future__ import annotations

import csv
import json
import pickle
import sys
from pathlib import Path

import hydra
import pytest
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobStatus

from runner.errors import GenerationFailedError, RunnerError
from runner.sweeps.launcher import LazyJobReturn, exit_code

# Optuna 2 is what Hydra's sweeper pins; it and its SQLAlchemy warn of what later versions drop.
OPTUNA_WARNS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
# Hydra 1.4 has no callback that pickles any more, and the sweeper that there is for Optuna was made for 1.3.
NOT_YET = pytest.mark.skipif(not hydra.__version__.startswith("1.3."), reason="made for Hydra 1.3")
DOOMED = [{"match": {"operation": "create", "prompt": "doomed"}, "fault": "internal"}]


def created(emulator) -> object:
    return emulator.ledger()["jobs"]


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


HYDRA_FILES = {".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"}
RUN_FILES = HYDRA_FILES | {"result.json", "runner.log", "video.mp4", "thumbnail.webp"}


def test_every_run_has_its_directory_and_its_row(sweep, here: Path, emulator) -> None:
    assert sweep("request.duration_seconds=4,8", "request.aspect_ratio='16:9','9:16'") == 0
    out = here / "out"
    own = {"multirun.yaml", "index.html", "results.csv", "results.jsonl", "ledger.sqlite3", ".lock"}
    # Where pyarrow is, which nothing here insists on.
    assert files(out) - {"results.parquet"} == own | {f"{n}/{name}" for n in range(4) for name in RUN_FILES}
    table = rows(out)
    assert list(table[0])[:5] == ["request.duration_seconds", "request.aspect_ratio", "run", "state", "status"]
    assert [(row["request.duration_seconds"], row["request.aspect_ratio"]) for row in table] == [
        ("4", "16:9"), ("4", "9:16"), ("8", "16:9"), ("8", "9:16")]  # fmt: skip
    assert {(row["state"], row["status"]) for row in table} == {("done", "verified")}
    assert [json.loads(line)["run"] for line in (out / "results.jsonl").read_text().splitlines()] == [0, 1, 2, 3]
    saved = yaml.safe_load((out / "2" / ".hydra" / "config.yaml").read_text())
    assert saved["request"]["duration_seconds"] == 8
    assert HydraConfig.instance().cfg is None


def test_nothing_is_written_or_sent_when_one_run_is_wrong(sweep, here: Path, emulator, capsys) -> None:
    assert sweep("request.duration_seconds=4,5,8", "model=sora-2,sora2") == 2
    said = capsys.readouterr().err
    assert "5 seconds. Allowed values: 4, 8, 12" in said
    assert "did you mean model=sora-2?" in said
    assert "Traceback" not in said
    assert list(here.iterdir()) == []
    assert created(emulator) == 0


def test_a_dry_run_prints_prices_and_leaves_nothing(sweep, here: Path, emulator, capsys) -> None:
    assert sweep("dry_run=true", "request.duration_seconds=4,8", "model=sora-2,sora-2-pro") == 0
    said = capsys.readouterr().out
    assert "4 runs" in said
    assert "nothing was sent or written" in said
    assert list(here.iterdir()) == []
    assert created(emulator) == 0


def test_one_failed_run_stops_no_sibling(sweep, make_emulator, here: Path, capsys) -> None:
    server = make_emulator(rules=DOOMED)
    assert sweep("request.prompt=one,doomed,two", server=server) == 1
    assert [row["status"] for row in rows(here / "out")] == ["verified", "failed", "verified"]
    assert rows(here / "out")[1]["error"]


def test_batches_run_one_after_the_other(sweep, here: Path) -> None:
    assert sweep("hydra.sweeper.max_batch_size=2", "request.prompt=a,b,c") == 0
    results = [json.loads((here / "out" / str(n) / "result.json").read_text()) for n in range(3)]
    ends = [max(result["timestamps"].values()) for result in results]
    begins = [result["timestamps"]["submitting"] for result in results]
    assert max(begins[:2]) < begins[2]
    assert max(ends[:2]) <= begins[2]


def test_a_batch_size_that_is_none_is_refused(sweep, here: Path, capsys) -> None:
    assert sweep("hydra.sweeper.max_batch_size=0", "request.prompt=a,b") == 2
    assert "hydra.sweeper.max_batch_size: 0" in capsys.readouterr().err


def test_params_of_an_experiment_are_swept_over(sweep, here: Path) -> None:
    assert sweep("+experiment=draft_vs_pro", "request.duration_seconds=4", "model=sora-2,sora-2-pro") == 0
    assert [row["model"] for row in rows(here / "out")] == ["sora-2", "sora-2-pro"]


def test_output_subdir_null_is_honoured(sweep, here: Path) -> None:
    assert sweep("hydra.output_subdir=null", "request.prompt=a,b") == 0
    assert not list(here.rglob(".hydra"))
    assert (here / "out" / "1" / "video.mp4").exists()


def test_chdir_is_refused(sweep, here: Path, capsys) -> None:
    assert sweep("hydra.job.chdir=true", "request.prompt=a,b") == 2
    assert "one working directory" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_log_files_of_job_logging_are_not_kept_open(sweep, here: Path) -> None:
    assert sweep("hydra/job_logging=default", "request.prompt=a,b") == 0
    assert "verified" in (here / "out" / "1" / "runner.log").read_text()


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import recording

    yield recording.SEEN
    recording.SEEN.clear()
    del sys.modules["recording"]


def test_each_job_has_its_own_callbacks(sweep, recorded, make_emulator) -> None:
    server = make_emulator(rules=DOOMED)
    assert sweep("+hydra.callbacks.mine._target_=recording.Recording", "request.prompt=a,doomed,b", server=server) == 1
    assert sorted(event for event in recorded if event[0] == "start") == [("start", n, n, "") for n in range(3)]
    ends = sorted(event for event in recorded if event[0] == "end")
    assert ends == [("end", 0, 0, "COMPLETED"), ("end", 1, 1, "FAILED"), ("end", 2, 2, "COMPLETED")]
    assert [kind for kind, *_ in recorded[:2]] == ["start", "start"], "the runs were not concurrent"


def test_an_interrupt_ends_with_130_and_keeps_what_is_known(sweep, here: Path, recorded, make_emulator, capsys) -> None:
    server = make_emulator(latency=600)
    with pytest.raises(SystemExit) as ended:
        sweep("+hydra.callbacks.mine._target_=recording.Interrupting", "request.prompt=a,b,c", server=server)
    assert ended.value.code == 130
    assert not any(row["status"] in ("verified", "failed") for row in rows(here / "out"))
    assert "out" in capsys.readouterr().out


@NOT_YET
def test_hydras_own_callback_writes_into_the_right_directories(sweep, here: Path) -> None:
    callback = "+hydra.callbacks.pickle._target_=hydra.experimental.callbacks.PickleJobInfoCallback"
    assert sweep(callback, "request.prompt=a,b") == 0
    for num, prompt in enumerate("ab"):
        kept = here / "out" / str(num) / ".hydra"
        assert pickle.loads((kept / "config.pickle").read_bytes()).request.prompt == prompt
        thawed = pickle.loads((kept / "job_return.pickle").read_bytes())
        assert thawed.cfg.request.prompt == prompt
        assert thawed.return_value == pytest.approx(0.4)


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_other_launchers_run_our_sweeper(sweep, here: Path, launcher: str, make_emulator) -> None:
    server = make_emulator(rules=DOOMED)
    overrides = [
        f"hydra/launcher={launcher}",
        # Hydra's basic launcher would leave the default handler's log file open.
        "request.prompt=a,doomed,b",
        "hydra.sweeper.max_batch_size=2",
    ]
    assert sweep(*overrides, server=server) == 1
    assert [row["status"] for row in rows(here / "out")] == ["verified", "failed", "verified"]


@OPTUNA_WARNS
@NOT_YET
def test_optuna_runs_our_launcher(sweep, here: Path) -> None:
    study = [
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=6",
        "hydra.sweeper.n_jobs=3",
        "hydra.sweeper.direction=minimize",
        "hydra/sweeper/sampler=random",
        "+hydra.sweeper.sampler.seed=1",
        "model.validation=off",
        "objective=cost",
    ]
    assert sweep(*study, "request.duration_seconds=choice(4,8,12)") == 0
    best = yaml.safe_load((here / "out" / "optimization_results.yaml").read_text())
    assert best["best_params"] == {"request.duration_seconds": 4}
    assert best["best_value"] == pytest.approx(0.4)
    table = rows(here / "out")
    assert [row["run"] for row in table] == ["0", "1", "2", "3", "4", "5"]
    for batch in (table[:3], table[3:]):
        assert max(row["submitting_at"] for row in batch) < min(row["ended_at"] for row in batch)


@OPTUNA_WARNS
@NOT_YET
def test_a_dry_run_of_another_sweeper_shows_its_first_batch(sweep, here: Path, emulator, capsys) -> None:
    study = ["hydra/sweeper=optuna", "hydra/sweeper/sampler=random", "hydra.sweeper.n_jobs=2", "dry_run=true"]
    with pytest.raises(SystemExit) as ended:
        sweep(*study, "request.duration_seconds=choice(4,8,12)")
    assert ended.value.code == 0
    assert "the sweeper chooses later runs" in capsys.readouterr().out
    assert list(here.iterdir()) == []
    assert created(emulator) == 0


def test_the_exit_code_is_the_gravest(planner) -> None:
    plan = planner.plan([["replica=0"]])

    def ended(status: JobStatus, value: float | RunnerError) -> LazyJobReturn:
        return LazyJobReturn(plan.runs[0], plan.compositions[0].config, status, value)

    good, bad = ended(JobStatus.COMPLETED, 1.0), ended(JobStatus.FAILED, GenerationFailedError("no"))
    assert exit_code(None) == 0
    assert exit_code([[good], [good]]) == 0
    assert exit_code([[good, bad]]) == 1
