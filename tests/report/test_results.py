"""`results.csv` and `results.jsonl`: a row a run, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path

import pytest

from runner.artifacts.result import Artifact, Cost, Environment, ErrorRecord, Result
from runner.artifacts.run_status import RunStatus
from runner.config.run import Objective, RunConfig
from runner.ledger.summary import NotFinishedError, failure_of
from runner.results.files import CSV, JSONL, PARQUET, write_results
from runner.results.totals import objective_value

BEGIN = dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC)


@pytest.fixture
def config() -> RunConfig:
    model = {
        "kind": "video", "name": "m", "deployment": None, "validation": "off", "sizes": None, "aspect_ratios": {},
        "max_reference_images": 0, "parameters": [], "max_prompt_length": 9, "offers": {}, "source": "-",
        "read": "2026-11-23", "durations": None, "default_duration": 4, "default_size": "720x1280",
        "usd_per_second": None,
    }  # fmt: skip
    return RunConfig.model_validate(
        {"provider": {"kind": "emulator"}, "model": model, "request": {"kind": "video", "prompt": "p"}}
    )


def ended(config: RunConfig, index: int, prompt: str, **changes: object) -> Result:
    request = config.request.model_copy(update={"prompt": prompt})
    times = {"submitting": 0, "submitted": 1, "completed": 61, "verified": 65}
    fields = {
        "index": index, "status": RunStatus.VERIFIED, "provider": "emulator", "endpoint": "e", "model": "m",
        "deployment": None, "config": config.model_copy(update={"request": request}), "request_sent": {},
        "overrides": [f"request.prompt='{prompt}'"], "job_id": f"video_{index}",
        "artifacts": [Artifact(path="video.mp4", bytes=10, sha256="ab", media_type="video/mp4", duration_seconds=4)],
        "cost": Cost(estimated_usd=0.4), "environment": Environment(runner="1", openai="3", python="3.11"),
        "timestamps": {name: BEGIN + dt.timedelta(seconds=after) for name, after in times.items()},
    }  # fmt: skip
    return Result.model_validate(fields | changes)


def test_varying_parameters_come_first_then_what_came_of_them(config: RunConfig, tmp_path: Path) -> None:
    error = ErrorRecord(type="GenerationFailedError", code="internal", message="no", hint=None, retryable=True)
    runs = [ended(config, 0, "a"), ended(config, 1, "b", status=RunStatus.FAILED, artifacts=[], error=error)]
    write_results(tmp_path, [(tmp_path / str(run.index), run) for run in runs])
    with (tmp_path / CSV).open(newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first)[:4] == ["request.prompt", "run", "state", "status"]
    assert [(row["state"], row["status"]) for row in (first, second)] == [("done", "verified"), ("failed", "failed")]
    assert (first["artifact"], first["seconds"], first["estimated_usd"]) == ("0/video.mp4", "65.0", "0.4")
    assert (second["status"], second["error_type"], second["error"]) == ("failed", "GenerationFailedError", "no")
    assert second["artifact"] == ""
    lines = [json.loads(line) for line in (tmp_path / JSONL).read_text().splitlines()]
    assert [line["request.prompt"] for line in lines] == ["a", "b"]
    assert lines[1]["artifact"] is None
    assert {path.name for path in tmp_path.iterdir()} - {PARQUET} == {CSV, JSONL}


def test_a_swept_options_own_name_stands_beside_the_models(config: RunConfig, tmp_path: Path) -> None:
    runs = [ended(config, index, "a", overrides=[f"model={name}"]) for index, name in enumerate(("east", "west"))]
    write_results(tmp_path, [(tmp_path / str(run.index), run) for run in runs])
    with (tmp_path / CSV).open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [(row["swept.model"], row["model"]) for row in rows] == [("east", "m"), ("west", "m")]


def test_what_the_provider_made_of_the_prompt_is_told(config: RunConfig, tmp_path: Path) -> None:
    image = Artifact(path="image-0.png", bytes=1, sha256="ab", media_type="image/png", revised_prompt="=a grey cat")
    write_results(tmp_path, [(tmp_path / "0", ended(config, 0, "a", artifacts=[image]))])
    with (tmp_path / CSV).open(newline="") as file:
        assert next(csv.DictReader(file))["artifact_revised_prompt"] == "'=a grey cat"


@pytest.mark.parametrize(
    "prompt",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\n=1",
        "\u200b=1",
        "\ufeff=1",
        "\u2003\n =1",
        "\uff1d1",
        "\uff20A1",
    ],
)
def test_no_cell_is_a_formula(config: RunConfig, tmp_path: Path, prompt: str) -> None:
    write_results(tmp_path, [(tmp_path / str(n), ended(config, n, text)) for n, text in enumerate([prompt, "x"])])
    with (tmp_path / CSV).open(newline="") as file:
        assert next(csv.DictReader(file))["request.prompt"] == f"'{prompt}"
    assert json.loads((tmp_path / JSONL).read_text().splitlines()[0])["request.prompt"] == prompt


def test_what_is_no_number_is_none_for_every_reader_of_json(config: RunConfig, tmp_path: Path) -> None:
    film = Artifact(path="video.mp4", bytes=10, sha256="ab", media_type="video/mp4", fps=float("nan"))
    assert write_results(tmp_path, [(tmp_path / "0", ended(config, 0, "a", artifacts=[film]))]) == []
    assert json.loads((tmp_path / JSONL).read_text(), parse_constant=pytest.fail)["artifact_fps"] is None


def test_a_run_that_is_under_way_has_no_end(config: RunConfig, tmp_path: Path) -> None:
    write_results(tmp_path, [(tmp_path / "0", ended(config, 0, "a", status=RunStatus.SUBMITTED))])
    (row,) = map(json.loads, (tmp_path / JSONL).read_text().splitlines())
    assert (row["submitting_at"] is None, row["ended_at"], row["seconds"]) == (False, None, None)


def test_any_text_survives(config: RunConfig, tmp_path: Path) -> None:
    nasty = 'Käse, "zitiert"\nund 🧀;'
    write_results(tmp_path, [(tmp_path / str(n), ended(config, n, text)) for n, text in enumerate([nasty, "x"])])
    with (tmp_path / CSV).open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["request.prompt"] == nasty


@pytest.mark.parametrize(
    ("objective", "value"), [("cost", 0.4), ("latency", 65.0), ("duration", 4.0), ("file_size", 10.0)]
)
def test_the_objective_is_a_number_of_the_run(config: RunConfig, objective: Objective, value: float) -> None:
    assert objective_value(ended(config, 0, "a"), objective) == value


def test_an_actual_cost_wins_over_the_estimate(config: RunConfig) -> None:
    assert objective_value(ended(config, 0, "a", cost=Cost(estimated_usd=1, actual_usd=0.5)), "cost") == 0.5


@pytest.mark.parametrize("kind", ["GenerationFailedError", "JobTimeoutError", "Unheard"])
def test_a_result_tells_the_error_that_it_came_from(config: RunConfig, kind: str) -> None:
    record = ErrorRecord(type=kind, code="c", message="what happened", hint="h", retryable=False)
    error = failure_of(ended(config, 0, "a", status=RunStatus.FAILED, error=record))
    assert (str(error), error.code, error.hint, error.job_id) == ("what happened", "c", "h", "video_0")


def test_an_unfinished_run_is_no_failure_of_its_own(config: RunConfig) -> None:
    error = failure_of(ended(config, 0, "a", status=RunStatus.SUBMITTED))
    assert isinstance(error, NotFinishedError)
    assert error.exit_code == 4
