"""Paid answers that nobody can read: kept in the run's directory, and read again when the run is gone on with."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace

import pytest
from PIL import Image

from runner.artifacts.result import Attempt, Usage
from runner.config.run import Budget
from runner.engine.recorder import BudgetTracker
from runner.errors import UncertainError
from runner.providers.base import GeneratedImage, ImageBatch


def png() -> str:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "navy").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def unread(answer: bytes | None) -> UncertainError:
    return UncertainError("the answer has an unknown shape", answer=answer)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (b'{"made": "v9"}', "answer.json"),
        (b"\xef\xbb\xbf [1]", "answer.json"),
        (b"<html>no</html>", "answer.txt"),
        ("schön\n".encode(), "answer.txt"),
        (b"\0\0\0\x18ftypmp42", "answer.bin"),
    ],
)
def test_an_answer_is_kept_as_it_came_and_named(engine, provider, runs, stored, answer, name):
    provider.on_submit.append(unread(answer))
    (run,) = runs()
    outcome = engine([run])
    assert (run.directory / name).read_bytes() == answer
    result = stored(run)
    assert (result.status, outcome.exit_code, result.spent_usd) == ("uncertain", 4, 0.4)
    assert str(run.directory / name) in result.error.message
    assert name in result.error.hint
    assert result.attempts[0].answer == name


def test_nothing_is_kept_where_nothing_came(engine, provider, runs, names):
    provider.on_submit.append(unread(None))
    (run,) = runs()
    engine([run])
    assert names(run.directory) == ["result.json"]


def test_a_later_version_finds_the_job_in_a_kept_answer(engine, provider, runs, stored):
    provider.on_submit.append(unread(b'{"made": "video_0"}'))
    (run,) = runs()
    engine([run])
    provider.created["video_0"] = 0.0
    # What this version cannot read, and the next one can.
    (run.directory / "answer.json").write_text('{"task_id": "video_0"}')
    outcome = engine([replace(run, earlier=stored(run))])
    assert outcome.exit_code == 0
    result = stored(run)
    assert (result.status, result.job_id, result.attempts[0].job_id) == ("verified", "video_0", "video_0")
    assert len(provider.sent) == 1
    assert result.spent_usd == 0.4


def test_an_answer_that_is_put_beside_an_uncertain_run_is_read_too(engine, provider, runs, stored):
    provider.on_submit.append(unread(None))
    (run,) = runs()
    engine([run])
    provider.created["video_0"] = 0.0
    (run.directory / "answer.json").write_text('{"id": "video_0"}')
    engine([replace(run, earlier=stored(run), resubmit=True)])
    assert stored(run).job_id == "video_0"
    assert len(provider.sent) == 1


@pytest.mark.parametrize("as_file", [False, True])
def test_a_later_version_finds_the_images_in_a_kept_answer(engine, provider, image_runs, stored, as_file):
    provider.on_generate.append(unread(b'{"pictures": 1}'))
    (run,) = image_runs()
    engine([run])
    assert stored(run).status == "uncertain"
    content = base64.b64decode(png()) if as_file else json.dumps({"data": [{"b64_json": png()}]}).encode()
    (run.directory / "answer.json").write_bytes(content)
    engine([replace(run, earlier=stored(run))])
    result = stored(run)
    assert (result.status, result.artifacts[0].path) == ("verified", "image-0.png")
    assert len(provider.sent) == 1


def test_what_stays_unreadable_stays_uncertain(engine, provider, runs, stored):
    provider.on_submit.append(unread(b'{"made": "v9"}'))
    (run,) = runs()
    engine([run])
    engine([replace(run, earlier=stored(run))])
    assert stored(run).status == "uncertain"
    assert len(provider.sent) == 1


def test_a_second_answer_does_not_take_the_place_of_the_first(engine, provider, runs, stored, names):
    (run,) = runs()
    for number in (1, 2):
        provider.on_submit.append(unread(b'{"made": %d}' % number))
        again = run if number == 1 else replace(run, earlier=stored(run), resubmit=True)
        engine([again])
    assert [attempt.answer for attempt in stored(run).attempts] == ["answer.json", "answer-2.json"]
    assert (run.directory / "answer.json").read_bytes() == b'{"made": 1}'
    # Either may be understood later; the other may have been paid all the same.
    provider.created["video_0"] = 0.0
    (run.directory / "answer.json").write_text('{"id": "video_0"}')
    engine([replace(run, earlier=stored(run))])
    assert [attempt.job_id for attempt in stored(run).attempts] == ["video_0", None]
    assert stored(run).status == "verified"


def test_a_record_leads_to_no_answer_elsewhere(engine, provider, runs, stored, tmp_path):
    provider.on_submit.append(unread(b'{"made": 1}'))
    (run,) = runs()
    engine([run])
    (tmp_path / "answer.json").write_text('{"id": "video_0"}')
    result = stored(run)
    result.attempts[0].answer = "../../answer.json"
    engine([replace(run, earlier=result)])
    assert stored(run).job_id is None


def test_an_old_record_knows_of_no_kept_answer():
    assert Attempt.model_validate({"number": 1, "started_at": "2026-11-30T00:00:00Z"}).answer is None


def test_far_more_images_than_asked_for_stop_near_what_was(engine, provider, image_runs, stored):
    images = tuple(GeneratedImage(png(), None) for _ in range(40))
    provider.on_generate.append(ImageBatch(images, raw={"data": []}, answer=b'{"data": ["all"]}'))
    (run,) = image_runs()
    engine([run])
    result = stored(run)
    assert result.status == "verified"
    assert len([artifact for artifact in result.artifacts if artifact.path.startswith("image-")]) == 11
    assert (run.directory / "answer.json").read_bytes() == b'{"data": ["all"]}'
    assert any("answer.json" in warning for warning in result.warnings)


def test_a_usage_that_cannot_be_true_counts_the_estimate(engine, provider, image_runs, stored):
    batch = ImageBatch((GeneratedImage(png(), None),), raw={"data": []}, implausible_usage=True)
    provider.on_generate.append(batch)
    (run,) = image_runs()
    budget_tracker = BudgetTracker(limit=1.0)
    engine([run], budget_tracker=budget_tracker)
    result = stored(run)
    assert (result.spent_usd, budget_tracker.spent) == (0.01, 0.01)
    assert any("cannot be true" in warning for warning in result.warnings)


def test_no_number_of_a_server_gives_money_back(engine, provider, image_runs, stored):
    used = Usage(text_in=10, image_in=0, image_out=-10_000_000)
    provider.on_generate.append(ImageBatch((GeneratedImage(png(), None),), used, raw={"data": []}))
    (run,) = image_runs()
    budget_tracker = BudgetTracker(limit=1.0)
    engine([run], budget_tracker=budget_tracker)
    assert (stored(run).spent_usd, budget_tracker.spent) == (0.01, 0.01)


@pytest.mark.parametrize(
    ("usd", "counted"), [(-5.0, 0.0), (float("nan"), 0.5), (float("inf"), 0.5), (None, 0.5), (2.0, 2.0)]
)
def test_no_record_gives_money_back(usd, counted):
    assert Budget(assume_usd_per_run=0.5).known(usd) == counted
