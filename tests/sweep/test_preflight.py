"""Nothing is sent or written while anything is wrong with any run."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from runner.compose.plan import Planner
from runner.compose.preflight import Finding, PreflightError, lines, preflight
from runner.config.problem import Problem, ranges

ENV: dict[str, str] = {}


def refusal(planner: Planner, *jobs: list[str], env: dict[str, str] = ENV) -> str:
    with pytest.raises(PreflightError) as caught:
        preflight(planner.plan(jobs), env=env)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_sound_sweep_passes(planner: Planner, here: Path) -> None:
    assert preflight(planner.plan([["request.duration_seconds=4"], ["request.duration_seconds=12"]]), env=ENV) == []
    assert list(here.iterdir()) == []


def test_lists_all_problems_of_all_runs_each_once(planner: Planner) -> None:
    said = refusal(
        planner,
        ["request.duration_seconds=5"],
        ["request.duration_seconds=4"],
        ["request.duration_seconds=5", "request.aspect_ratio='9:16'"],
        ["request.duration_secs=5"],
        ["request.aspect_ratio='2:1'"],
    )
    assert said.count("Invalid duration for emulator (sora-2): 5 seconds. Allowed values: 4, 8, 12") == 1
    assert "runs 0, 2: request.duration_seconds: Invalid" in said
    assert "run 3: request.duration_secs: is no key here\n    did you mean request.duration_seconds?" in said
    assert "run 4: request.aspect_ratio" in said
    assert "run 1" not in said
    assert "nothing was sent or written" in said


def test_a_missing_key_is_said_once_for_all_runs(planner: Planner) -> None:
    jobs = [["provider=azure_openai", f"request.seed={seed}"] for seed in range(3)]
    said = refusal(planner, *jobs)
    assert said.count("all 3 runs: provider.base_url: is missing") == 1


def test_a_missing_reference_file_is_found(planner: Planner, here: Path) -> None:
    assert "nowhere.png" in refusal(planner, ["request.image_list=[nowhere.png]"])
    assert list(here.iterdir()) == []


def test_the_same_work_twice_is_refused_naming_both_runs(planner: Planner) -> None:
    said = refusal(planner, ["request.duration_seconds=8"], ["replica=1"], ["objective=latency"])
    assert "run 2: would do and pay the same work as run 0" in said
    assert "replica=0,1,2" in said


def test_an_optimiser_may_ask_for_the_same_work_again(planner: Planner) -> None:
    (warning, *_) = preflight(planner.plan([["replica=1"], ["replica=1"]]), env=ENV, repeats=True)
    assert warning.severity == "warning"


def test_two_runs_in_one_directory_are_refused(planner: Planner) -> None:
    said = refusal(planner, *([f"request.duration_seconds={n}", "hydra.sweep.subdir=same"] for n in (4, 8)))
    assert "run 1: hydra.sweep.subdir: would write into the same directory as run 0" in said


def test_an_earlier_run_is_not_overwritten(planner: Planner, here: Path) -> None:
    (here / "out" / "0").mkdir(parents=True)
    (here / "out" / "0" / "result.json").write_text("{}")
    said = refusal(planner, ["hydra.sweep.dir=out"])
    assert "holds another run, which would be overwritten" in said


def test_an_output_directory_that_cannot_be_made_is_refused(planner: Planner, here: Path) -> None:
    (here / "file").write_text("")
    said = refusal(planner, ["hydra.sweep.dir=file/below"], ["hydra.sweep.dir=file/below", "replica=1"])
    assert said.count("hydra.sweep.dir") == 1
    assert "is no directory" in said


def test_a_name_that_no_disk_takes_is_refused(planner: Planner, here: Path) -> None:
    said = refusal(planner, [f"hydra.sweep.dir={'x' * 300}"], [f"hydra.sweep.subdir={'y' * 300}", "replica=1"])
    assert said.count("cannot be made") == 2
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("overrides", [["hydra.job.chdir=true"], ["+hydra.job.env_set.A=b"]])
def test_what_one_process_cannot_keep_is_refused(planner: Planner, overrides: list[str]) -> None:
    assert "all runs share one process" in refusal(planner, overrides)


def test_survives_the_way_between_processes() -> None:
    error = PreflightError([Finding(3, Problem("request.n", "is wrong"))], 9)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_runs_are_named_briefly() -> None:
    assert ranges([0]) == "0"
    assert ranges([3, 1, 2, 7, 9, 10]) == "1-3, 7, 9-10"
    problem = Problem("k", "m", "hint")
    assert lines([Finding(n, problem) for n in range(3)], 3) == ["all 3 runs: k: m", "    hint"]
    assert lines([Finding(0, problem)], 1) == ["k: m", "    hint"]


@pytest.mark.parametrize("prompt", ["../../up", "/tmp/elsewhere", "a/../../b", "."])
def test_a_name_made_of_a_prompt_never_leaves_the_sweeps_directory(sweep, here: Path, capsys, prompt) -> None:
    subdir = "hydra.sweep.subdir=${request.prompt}"
    assert sweep(f"request.prompt='{prompt}'", subdir) == 2
    assert "is no directory below the sweep's" in capsys.readouterr().err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("first", "second", "inner", "outer"),
    [
        ("outputs/exp", "outputs/exp/more", "outputs/exp/more", "outputs/exp"),
        ("outputs/exp/more", "outputs/exp", "outputs/exp/more", "outputs/exp"),
        ("out", "out/more/deep", "out/more/deep", "out"),
    ],
)
@pytest.mark.parametrize("swept", [False, True], ids=["run", "sweep"])
def test_runs_that_would_not_be_found_are_refused(typed, here, emulator, capsys, first, second, inner, outer, swept):
    def command(place):
        return ("-m", f"hydra.sweep.dir={place}", "replica=0,1") if swept else (f"hydra.run.dir={place}",)

    assert typed(*command(first)) == 0
    made = emulator.ledger()["jobs"]
    capsys.readouterr()
    assert typed(*command(second), "request.prompt=another") == 2
    assert f"{here / inner} lies below {here / outer}: " in capsys.readouterr().err
    assert emulator.ledger()["jobs"] == made
    assert typed(*command(first)) == 0, "the same again is a resume"


def test_outputs_itself_may_hold_a_sweep_beside_others(typed):
    assert typed("-m", "hydra.sweep.dir=outputs", "replica=0") == 0
    assert typed("request.prompt=another") == 0
    assert typed("hydra.run.dir=.", "request.prompt=a third") == 0
    assert typed("request.prompt=a fourth") == 0
