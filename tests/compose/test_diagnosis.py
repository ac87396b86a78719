from __future__ import annotations

from pathlib import Path

import pytest

from runner.app import run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 2
    return capsys.readouterr().err


def test_one_mistake_is_told_alone(capsys, here):
    said = refused(capsys, "request.duration_secondz=4")

    assert said.splitlines() == [
        "error: request.duration_secondz: is no key here",
        "  did you mean request.duration_seconds?",
    ]
    assert list(here.iterdir()) == []


def test_mistakes_of_hydras_and_of_ours_are_told_together(capsys):
    said = refused(capsys, "request.nope=1", "request.nix=2", "request.duration_seconds=7", "hydra.job.chdir=true")

    assert "the run is refused" in said
    for key in ("request.nope", "request.nix", "request.duration_seconds", "hydra.job.chdir"):
        assert f"{key}: " in said


def test_a_reference_to_nothing_beside_a_mistake_is_a_mistake_too(capsys):
    said = refused(capsys, "request.prompt=${nothing}", "request.nope=1", "request.duration_seconds=7")

    assert "request.nope: is no key here" in said
    assert "request.prompt: cannot be resolved" in said
    assert "Invalid duration" in said


@pytest.mark.parametrize("arguments", [["-m"], []])
def test_choices_are_counted_as_the_sweep_that_they_mean(capsys, arguments):
    said = refused(capsys, *arguments, "request.nope=1", "request.duration_seconds=5,6")

    assert "the sweep is refused" in said
    assert "all 2 runs: request.nope: is no key here" in said or "\nrequest.nope: is no key here" in said
    assert "run 0: request.duration_seconds: Invalid duration" in said
    assert "run 1: request.duration_seconds: Invalid duration" in said


def test_a_mistake_beside_what_an_optimiser_chooses_is_told(capsys):
    said = refused(capsys, "-m", "request.seed=interval(1,15)", "request.nope=1")
    assert "request.nope: is no key here" in said


def test_a_directory_that_cannot_be_written_is_told_beside_a_mistake(capsys, here):
    (here / "file").write_text("in the way")

    said = refused(capsys, "request.nope=1", "hydra.run.dir=file/run")

    assert "request.nope: is no key here" in said
    assert "hydra.run.dir: " in said


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("repeat=0", "repeat: 0 is not allowed"),
        ("repeat=-1", "repeat: -1 is not allowed"),
        ("repeat=abc", "repeat: 'abc' is not allowed"),
        ("repeat=2.5", "repeat: 2.5 is not allowed"),
        ("on_unsupported=banana", "on_unsupported: 'banana' is not allowed"),
        ("exclude=x", "exclude: 'x' is not allowed"),
        ("prompts_limit=0", "prompts_limit: 0 is not allowed"),
        ("prompts_seed=x", "prompts_seed: 'x' is not allowed"),
    ],
)
def test_what_says_how_many_runs_is_checked_of_one_run_too(capsys, here, typed, told):
    said = refused(capsys, typed, "request.nope=1")
    assert told in said
    assert "request.nope: is no key here" in said
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("flags", [[], ["-m"]])
def test_how_many_runs_may_be_said_by_another_key(capsys, flags):
    assert run([*flags, "dry_run=true", "vars.often=2", "repeat=${vars.often}"]) == 0
    assert "2 runs" in capsys.readouterr().out


def test_a_key_that_cannot_be_shown_is_bad_input(capsys):
    said = refused(capsys, "--cfg", "job", "--package", "request.nope")
    assert "--package request.nope is no key here, or holds nothing" in said


def test_directories_to_reuse_from_are_warned_of_if_nothing_is_reused(capsys):
    assert run(["dry_run=true", "reuse_from=[archive]"]) == 0
    assert "warning: reuse_from: is read with reuse=true alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    "typed",
    [
        "hydra.sweeper.params.replica=0",
        "hydra.sweeper.params.replica=0,1",
        '++hydra.sweeper.params.replica="0,1"',
        'hydra.sweeper.params={replica: "0,1"}',
    ],
)
def test_axes_typed_where_files_have_them_are_refused(capsys, typed):
    for more in ([], ["-m"]):
        said = refused(capsys, typed, *more)
        assert "hydra.sweeper.params is set by files alone" in said
        assert "python -m runner -m replica=0,1" in said


def test_axes_typed_as_a_whole_are_swept_over_or_refused(capsys):
    code = run(["dry_run=true", "-m", '+hydra.sweeper.params={replica: "0,1"}'])
    printed = capsys.readouterr()
    if code == 0:  # Hydra 1.4 can
        assert "2 runs" in printed.out
    else:
        assert code == 2
        assert "hydra.sweeper.params is set by files alone" in printed.err


@pytest.mark.parametrize("kind", ["sweeper", "launcher"])
def test_a_sweeper_or_launcher_that_is_none_is_refused(capsys, kind):
    for more in ([], ["-m"]):
        said = refused(capsys, f"hydra.{kind}=null", *more)
        assert f"hydra.{kind} is set to nothing" in said
        assert f"hydra/{kind}=runner" in said
