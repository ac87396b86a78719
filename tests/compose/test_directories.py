"""A directory that is typed is read, or refused with the key that would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.app import run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "other"),
    [
        (["hydra.sweep.dir=out/x"], "hydra.run.dir=out/x"),
        (["++hydra.sweep.dir='out x'"], "hydra.run.dir='out x'"),
        (["hydra.sweep={dir: out}"], "hydra.run.dir=out"),
        (["-m", "replica=0,1", "hydra.run.dir=out/x"], "hydra.sweep.dir=out/x"),
        (["hydra.mode=MULTIRUN", "replica=0,1", "hydra.run.dir=out"], "hydra.sweep.dir=out"),
        (["repeat=2", "hydra.sweep.dir=out", "hydra.run.dir=other"], "leave one of the two out"),
    ],
)
def test_a_directory_of_the_other_kind_is_refused_with_the_key_to_type(here, capsys, typed, other):
    assert run(["progress=off", *typed]) == 2
    said = capsys.readouterr().err
    assert other in said
    assert "nothing was sent" in said
    assert [*here.iterdir()] == []


@pytest.mark.parametrize(
    "typed",
    [
        ["hydra.run.dir=a", "hydra.sweep.dir=b"],
        ["-m", "replica=0,1", "hydra.run.dir=a", "hydra.sweep.dir=b"],
        ["-m", "replica=0,1", "hydra.run.dir=a", "hydra.sweep.dir=${hydra.run.dir}/s"],
        ["--config-dir", "own", "--config-name", "mine"],
        ["--config-dir", "own", "--config-name", "mine", "-m", "replica=0,1", "hydra.run.dir=a"],
    ],
)
def test_one_that_is_read_or_not_typed_is_left_alone(here, typed):
    (here / "own").mkdir()
    text = "defaults: [config, _self_]\nhydra: {sweep: {dir: '${hydra.run.dir}/s'}}\n"
    (here / "own" / "mine.yaml").write_text(text)
    assert run(["dry_run=true", *typed]) == 0


@pytest.mark.parametrize("typed", [["hydra.run.dir=out"], ["-m", "replica=0,1", "hydra.sweep.dir=out"]])
def test_a_link_that_leads_nowhere_is_refused_before_anything_is_sent(here, capsys, typed):
    (here / "out").symlink_to("nowhere")
    assert run(["progress=off", *typed]) == 2
    said = capsys.readouterr().err
    assert "nothing was sent" in said
    assert "out is no directory" in said
