"""`conf/tracking/` and what it is loaded as."""

from __future__ import annotations

import sys

import pytest

from runner.cli.value_overrides import apply
from runner.config.shipped import directory
from runner.config.tracking import missing_packages

OPTIONS = sorted(path.stem for path in (directory() / "tracking").glob("*.yaml"))


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
    assert all(f"pip install 'runner[{overrides[0].partition('=')[2]}]'" in (each.hint or "") for each in found)
