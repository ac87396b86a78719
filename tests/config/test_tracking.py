"""`conf/tracking/` and what it is loaded as."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runner.compose.saved_config import apply
from runner.config.run import missing_packages
from runner.config.shipped import CONF

OPTIONS = sorted(path.stem for path in (CONF / "tracking").glob("*.yaml"))


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_what_its_name_alone_stands_for(option, loaded):
    tracking = loaded(f"tracking={option}").tracking
    assert type(tracking)(kind=option) == tracking
    assert tracking.model_fields_set == set(type(tracking).model_fields), "a key is missing from the file"


@pytest.mark.parametrize("option", OPTIONS)
def test_a_saved_config_is_tracked_elsewhere_by_a_name(option, composed):
    changed = apply(composed("tracking=mlflow"), [f"tracking={option}"])
    assert changed["tracking"] == {"kind": option}


def test_a_misspelt_key_is_refused_with_the_right_one(refused):
    (problem,) = refused("tracking=mlflow", "+tracking.experimnt=mine")
    assert (problem.key, problem.hint) == ("tracking.experimnt", "did you mean tracking.experiment?")


@pytest.mark.parametrize(
    ("overrides", "absent", "missing"),
    [
        (["tracking=none"], "mlflow", ""),
        (["tracking=mlflow"], "mlflow", "mlflow"),
        (["tracking=mlflow"], "sqlalchemy", "sqlalchemy"),
        (["tracking=mlflow", "tracking.tracking_uri=http://127.0.0.1:5000"], "sqlalchemy", ""),
        (["tracking=mlflow", "tracking.tracking_uri=file:///srv/mlruns"], "sqlalchemy", ""),
        (["tracking=mlflow", "tracking.tracking_uri=postgresql+psycopg://host/db"], "sqlalchemy", "sqlalchemy"),
        (["tracking=wandb"], "wandb", "wandb"),
    ],
)
def test_what_is_not_installed_is_named_with_what_installs_it(overrides, absent, missing, loaded, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("mlflow", "sqlalchemy", "alembic", "wandb"):
        if name != absent:
            pytest.importorskip(name)
    monkeypatch.setitem(sys.modules, absent, None)
    found = missing_packages(loaded(*overrides).tracking)
    assert [problem.message.rpartition(": ")[2] for problem in found] == ([missing] if missing else [])
    assert all(f"pip install 'mediarunner[{overrides[0].partition('=')[2]}]'" in (each.hint or "") for each in found)


def test_runs_that_mlflow_has_kept_in_files_need_no_database(loaded, monkeypatch, tmp_path: Path):
    pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    assert missing_packages(loaded("tracking=mlflow").tracking)
    (tmp_path / "mlruns/0").mkdir(parents=True)
    (tmp_path / "mlruns/0/meta.yaml").touch()
    assert not missing_packages(loaded("tracking=mlflow").tracking)


def test_a_folder_of_runs_is_no_installed_package(loaded, monkeypatch, tmp_path: Path):
    config = loaded("tracking=wandb").tracking
    (tmp_path / "wandb").mkdir()
    for name in [name for name in sys.modules if name.partition(".")[0] == "wandb"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    (problem,) = missing_packages(config)
    assert "wandb" in problem.message
