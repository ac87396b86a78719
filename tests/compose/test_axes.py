"""What a sweep sweeps over: typed values, `hydra.sweeper.params` as texts and as lists, and experiments' own."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.app import run


@pytest.fixture
def experiment(here: Path):
    def write(name: str, params: str) -> None:
        folder = here / "own" / "experiment"
        folder.mkdir(parents=True, exist_ok=True)
        text = f"# @package _global_\nhydra:\n  sweeper:\n    params:\n{params}"
        (folder / f"{name}.yaml").write_text(text)

    return write


@pytest.fixture
def planned(capsys):
    """The rows of a dry run's table, without the price."""

    def rows(*arguments: str) -> list[list[str]]:
        assert run(["--config-dir", "own", "-m", "dry_run=true", "request=draft", *arguments]) == 0
        table = [line.split() for line in capsys.readouterr().out.splitlines()]
        return [row[1:-1] for row in table if row and row[0].isdigit() and "runs" not in row[1]]

    return rows


def test_a_list_in_params_is_a_list_of_values(experiment, planned):
    experiment("e", "      request.duration_seconds: [4, 8]\n      request.prompt: ['a, b', \"it's\"]\n")
    rows = planned("+experiment=e")
    assert [row[0] for row in rows] == ["4", "4", "8", "8"]
    assert [" ".join(row[1:]) for row in rows[:2]] == ["a, b", "it's"]


def test_a_list_and_a_text_name_options_alike(experiment, planned):
    experiment("e", "      model: [sora-2, sora-2-pro]\n      request.duration_seconds: 4,8\n")
    assert len(planned("+experiment=e")) == 4


def test_what_is_typed_takes_the_place_of_a_params_values(experiment, planned):
    experiment("e", "      request.duration_seconds: [4, 8]\n")
    assert len(planned("+experiment=e", "request.duration_seconds=4,8,12")) == 3


def test_each_of_several_experiments_has_its_own_axes(experiment, planned):
    experiment("short", "      request.duration_seconds: [4, 8]\n")
    experiment("wide", "      model: [sora-2, sora-2-pro]\n      request.duration_seconds: [12]\n")
    rows = planned("+experiment=short,wide", "request.aspect_ratio='16:9','9:16'")
    assert len(rows) == 2 * 2 + 2 * 2
    assert sum("wide" in row for row in rows) == 4


def test_an_empty_list_is_refused(experiment, here, capsys):
    experiment("e", "      request.duration_seconds: []\n")
    assert run(["--config-dir", "own", "-m", "dry_run=true", "+experiment=e"]) == 2
    assert "request.duration_seconds is an empty list" in capsys.readouterr().err


def test_an_override_that_interpolates_stays_as_it_was_typed(experiment, planned):
    experiment("short", "      request.duration_seconds: [4, 8]\n")
    experiment("long", "      request.duration_seconds: [12]\n")
    subdir = "hydra.sweep.subdir=some/${hydra.job.num}"
    assert len(planned(subdir, "request.duration_seconds=4,8")) == 2
    assert len(planned(subdir, "+experiment=short,long")) == 3
