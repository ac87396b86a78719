"""Sweeps whose images go out in batches, through the command line and over HTTP."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from runner import load_sweep
from runner.app import run
from runner.artifacts.result_file import write_result
from runner.artifacts.run_status import RunStatus
from runner.engine.batch_record import Phase
from runner.errors import DiskError
from runner.ledger.ledger import Ledger, LedgerBatches, batches_of

from .batches import PROMPTS, VIDEO, bound, left, once, paid, requests, results, statuses


def test_a_sweep_goes_out_in_one_batch_at_half_price(command, emulator):
    assert command(emulator, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    assert paid(emulator) == dict.fromkeys(("a fox", "a whale", "a heron", "an owl"), 1)
    assert requests(emulator, "POST /v1/batches") == requests(emulator, "POST /v1/files") == 1
    assert requests(emulator, "POST /v1/images/generations") == 0
    spent = sum(result["spent_usd"] for result in results())
    assert spent == pytest.approx(emulator.ledger()["usd"], abs=1e-5)
    for result in results():
        assert result["usage"]["image_out"] > 0
        full = result["usage"]["image_out"] * 30e-6 + result["usage"]["text_in"] * 5e-6
        assert result["cost"]["actual_usd"] == pytest.approx(full / 2)
        assert result["attempts"][0]["batch"].startswith("runner-")
    assert left() == []
    with Ledger(Path("out"), readonly=True) as ledger:
        (batch,) = batches_of(ledger)
    assert (batch.ended, batch.completed, batch.status) == (True, 4, "completed")


def test_models_and_edits_have_batches_of_their_own(command, emulator, here):
    file = io.BytesIO()
    Image.new("RGBA", (1024, 640), (200, 40, 40, 0)).save(file, "PNG")
    (here / "photo.png").write_bytes(file.getvalue())
    edits = ("request.image_list=[photo.png]", "request.mask_image=photo.png")
    assert command(emulator, "request.prompt=a fox,a whale", "model=gpt-image-2,gpt-image-2.5-flare", *edits) == 0
    assert statuses() == {"verified": 4}
    assert requests(emulator, "POST /v1/batches") == 2
    assert {each["operation"] for each in emulator.ledger()["image_requests"]} == {"image_edit"}


def test_a_sweep_is_cut_to_what_a_batch_takes(command, emulator, monkeypatch):
    bound(monkeypatch, most_lines=3, most_bytes=10**6)
    assert command(emulator, PROMPTS) == 0
    assert (statuses(), requests(emulator, "POST /v1/batches")) == ({"verified": 4}, 2)


def test_a_line_beyond_what_a_batch_takes_fails_alone(command, emulator, monkeypatch):
    bound(monkeypatch, most_lines=9, most_bytes=400)
    assert command(emulator, f"request.prompt=a fox,{'a whale ' * 60}") == 1
    assert statuses() == {"verified": 1, "failed": 1}
    assert sum(paid(emulator).values()) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "drop_after_commit"},
        {"fault": "status", "status": 502, "commit": True},
        {"fault": "html", "status": 200, "commit": True},
    ],
    ids=["dropped", "502", "page"],
)
def test_a_batch_whose_answer_was_lost_is_found_by_its_mark(command, make_emulator, fault):
    server = make_emulator(rules=[{"match": {"operation": "batch_create"}, "times": 1, **fault}])
    assert command(server, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    assert server.ledger()["batches"] == 1
    assert max(paid(server).values()) == 1


def test_a_batch_that_cannot_be_looked_for_is_found_by_resume(command, make_emulator):
    rules = [once("drop_after_commit", "batch_create"), {**once("status", "batch_list", status=500), "times": 5}]
    server = make_emulator(rules=rules)
    assert command(server, PROMPTS) == 4
    assert statuses() == {"uncertain": 4}
    assert all(result["spent_usd"] > 0 for result in results())
    assert run(["resume", "out"]) == 0
    assert statuses() == {"verified": 4}
    assert server.ledger()["batches"] == 1
    assert all(result["attempts"][0]["adopted"] for result in results())


def test_a_batch_that_was_perhaps_not_created_is_never_sent_again_by_itself(command, make_emulator):
    server = make_emulator(rules=[once("drop_before_commit", "batch_create")])
    assert command(server, PROMPTS) == 4
    assert run(["resume", "out"]) == 4
    assert (statuses(), server.ledger()["batches"]) == ({"uncertain": 4}, 0)
    assert run(["resume", "out", "--resubmit-uncertain"]) == 0
    assert (statuses(), server.ledger()["batches"]) == ({"verified": 4}, 1)


def test_another_account_s_batches_are_never_taken(command, make_emulator, here):
    server = make_emulator(rules=[once("drop_before_commit", "batch_create", after=1)])
    assert command(server, PROMPTS, "hydra.sweep.dir=other") == 0
    assert command(server, PROMPTS) == 4
    assert statuses() == {"uncertain": 4}


def test_what_is_refused_with_429_or_fails_on_the_way_is_sent_again(command, make_emulator):
    rules = [
        {**once("rate_limit", "batch_create", retry_after=0.1), "times": 2},
        {**once("status", "file_create", status=503), "times": 2},
        {**once("status", "batch_retrieve", status=503), "times": 2},
    ]
    server = make_emulator(rules=rules)
    assert command(server, PROMPTS) == 0
    assert (statuses(), server.ledger()["batches"]) == ({"verified": 4}, 1)


def test_a_wrong_key_ends_it_with_nothing_spent(command, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "file_create"}, "fault": "unauthorized"}])
    assert command(server, PROMPTS) in (1, 4)
    assert sum(result["spent_usd"] for result in results()) == 0
    assert server.ledger()["batches"] == 0


def test_an_input_that_is_refused_fails_its_runs_for_nothing(command, make_emulator, capsys):
    server = make_emulator(rules=[once("invalid_batch", "batch_create")])
    assert command(server, PROMPTS) == 1
    assert statuses() == {"failed": 4}
    assert sum(result["spent_usd"] for result in results()) == 0
    assert "not parseable" in capsys.readouterr().err + results()[1]["error"]["message"]
    # The line at fault would fail again; the others were not executed.
    assert [result["error"]["code"] for result in results()] == ["invalid_json_line"] * 4
    assert run(["resume", "out", "--retry-failed"]) == 1
    assert statuses() == {"verified": 3, "failed": 1}
    assert sum(paid(server).values()) == 3


def test_what_an_expired_batch_has_done_is_kept(command, make_emulator):
    server = make_emulator(rules=[once("expired_batch", "batch_create")])
    assert command(server, PROMPTS) == 1
    assert statuses() == {"verified": 2, "failed": 2}
    failed = [result for result in results() if result["status"] == "failed"]
    assert {result["error"]["code"] for result in failed} == {"batch_expired"}
    assert sum(result["spent_usd"] for result in failed) == 0
    assert run(["resume", "out", "--retry-failed"]) == 0
    assert statuses() == {"verified": 4}
    assert max(paid(server).values()) == 1


def test_lines_that_failed_fail_their_runs_with_the_reason(command, make_emulator):
    rules = [
        {"match": {"operation": "batch_line", "prompt": "fox"}, "fault": "moderation"},
        {"match": {"operation": "batch_line", "prompt": "whale"}, "fault": "status", "status": 500, "times": 1},
    ]
    server = make_emulator(rules=rules)
    assert command(server, PROMPTS) == 1
    assert statuses() == {"verified": 2, "failed": 2}
    fox, whale, *_ = results()
    assert (fox["error"]["type"], whale["error"]["type"]) == ("ContentModerationError", "ServerError")
    assert fox["spent_usd"] == whale["spent_usd"] == 0
    assert run(["resume", "out", "--retry-failed"]) == 1
    assert statuses() == {"verified": 3, "failed": 1}
    assert max(paid(server).values()) == 1


def test_a_line_of_odd_shape_is_kept_and_counts_as_spent(command, make_emulator):
    server = make_emulator(rules=[once("odd_line", "batch_line")])
    assert command(server, PROMPTS) == 4
    assert statuses() == {"verified": 3, "uncertain": 1}
    (odd,) = [result for result in results() if result["status"] == "uncertain"]
    kept = Path("out") / str(odd["index"]) / odd["attempts"][0]["answer"]
    assert "see the attachment" in kept.read_text()
    assert odd["spent_usd"] > 0
    assert run(["resume", "out"]) == 4
    # A later version may understand it.
    file = io.BytesIO()
    Image.new("RGB", (1024, 640)).save(file, "PNG")
    data = [{"b64_json": base64.b64encode(file.getvalue()).decode()}]
    kept.write_text(json.dumps({"response": {"body": {"data": data}}}))
    assert run(["resume", "out"]) == 0
    assert statuses() == {"verified": 4}
    assert sum(paid(server).values()) == 4


def test_a_run_that_no_line_tells_of_is_uncertain(command, make_emulator):
    server = make_emulator(rules=[once("missing_line", "batch_line")])
    assert command(server, PROMPTS) == 4
    assert statuses() == {"verified": 3, "uncertain": 1}
    assert run(["resume", "out"]) == 4
    assert server.ledger()["batches"] == 1


@pytest.mark.parametrize("fault", ["missing_line", "odd_line"])
def test_a_run_without_a_line_of_use_is_paid_again_where_that_is_asked_for(command, make_emulator, fault):
    server = make_emulator(rules=[once(fault, "batch_line")])
    assert command(server, PROMPTS) == 4
    assert run(["resume", "out", "--resubmit-uncertain"]) == 0
    assert statuses() == {"verified": 4}
    assert server.ledger()["batches"] == 2
    (again,) = [result for result in results() if len(result["attempts"]) == 2]
    assert again["attempts"][0]["job_id"] != again["attempts"][1]["job_id"] == again["job_id"]
    assert again["spent_usd"] > 1.5 * max(each["spent_usd"] for each in results() if len(each["attempts"]) == 1)


@pytest.mark.parametrize("fault", ["truncated", "status"])
def test_a_download_that_breaks_off_goes_on(command, make_emulator, fault):
    server = make_emulator(rules=[{**once(fault, "file_content"), "times": 3}])
    assert command(server, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    assert max(paid(server).values()) == 1
    assert left() == []


def test_results_that_are_no_longer_kept_are_told(command, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "file_content"}, "fault": "expired"}])
    assert command(server, PROMPTS) == 1
    assert statuses() == {"expired": 4}
    assert all(result["spent_usd"] > 0 for result in results())


def test_results_that_are_spoiled_are_asked_for_again_and_then_kept_aside(command, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "file_content"}, "fault": "corrupt"}])
    assert command(server, PROMPTS) == 4
    # Nothing of the file can be read: the lines are kept, and their runs are uncertain.
    assert statuses() == {"uncertain": 4}
    assert left()
    assert requests(server, "GET /v1/files/{file_id}/content") > 1


def test_results_that_are_spoiled_once_are_collected(command, make_emulator):
    server = make_emulator(rules=[once("corrupt", "file_content")])
    assert command(server, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    assert server.ledger()["batches"] == 1


def test_runs_that_wait_in_a_batch_go_on_whatever_the_command_says(command, make_emulator):
    server = make_emulator(rules=[once("status", "batch_retrieve", status=401)])
    assert command(server, PROMPTS) == 1
    assert statuses() == {"submitted": 4}
    assert command(server, PROMPTS, "batch=false") == 0
    assert statuses() == {"verified": 4}
    assert (server.ledger()["batches"], sum(paid(server).values())) == (1, 4)


def left_at(phase: Phase, status: RunStatus) -> None:
    """Put a sweep's batch and its runs back to where a killed process might have left them."""
    with Ledger(Path("out")) as ledger:
        (record,) = batches_of(ledger)
        news = {"phase": phase, "id": None, "ended": False, "status": "", "completed": 0}
        LedgerBatches(ledger).keep(record.model_copy(update=news))
        for each in ledger.runs():
            result = each.earlier
            attempts = [attempt.model_copy(update={"job_id": None, "ended_at": None}) for attempt in result.attempts]
            news = {"status": status, "job_id": None, "artifacts": [], "attempts": attempts, "usage": None}
            result = result.model_copy(update=news)
            ledger.save(each.index, result)
            shutil.rmtree(each.directory)
            each.directory.mkdir()
            write_result(each.directory, result)


@pytest.mark.parametrize("status", [RunStatus.SUBMITTING, RunStatus.UNCERTAIN])
@pytest.mark.parametrize("phase", [Phase.RECORDED, Phase.UPLOADED, Phase.CREATING])
def test_what_was_recorded_and_not_sent_counts_as_spent_nowhere(command, emulator, capsys, phase, status):
    assert command(emulator, PROMPTS) == 0
    left_at(phase, status)
    sent = phase is Phase.CREATING
    capsys.readouterr()
    for shown in (["show", "out"], ["show", "out/0"], ["ls", "."]):
        assert run(shown) == 0
        told = capsys.readouterr().out
        counted = re.search(r"(?<!about )\$0\.0\d*[1-9]", told)
        assert ("uncertain" in told, counted is not None) == (sent, sent), shown
        assert ("queued" in told) is not sent, shown
    assert [each.result.spent_usd > 0 for each in load_sweep("out")] == [sent] * 4
    assert run(["resume", "out"]) == 0
    assert statuses() == {"verified": 4}
    assert [len(result["attempts"]) for result in results()] == [1] * 4


def test_what_is_at_work_or_done_at_the_provider_is_said_to_be_either(command, make_emulator, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr("runner.engine.batch_results.require_space", disk_full)
        assert command(make_emulator(), PROMPTS) == 5
    capsys.readouterr()
    assert run(["show", "out"]) == 0
    told = capsys.readouterr().out
    assert "4 of 4 done (completed)" in told
    assert "a batch is at the provider, under way also while nobody waits, or done" in told


def disk_full(_directory: Path) -> None:
    raise DiskError("the disk is full")


def test_a_request_that_was_lost_alone_is_no_batchs(command, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "image_generate"}, "fault": "drop_after_commit"}])
    assert command(server, PROMPTS, "batch=false") == 4
    assert command(server, PROMPTS) == 4
    assert statuses() == {"uncertain": 4}
    assert requests(server, "GET /v1/batches") == 0


def test_a_request_that_was_lost_alone_after_a_refused_batch_is_no_batchs(command, make_emulator):
    rules = [once("unauthorized", "batch_create"), once("drop_after_commit", "image_generate")]
    server = make_emulator(rules=rules)
    assert command(server, "request.prompt=a fox,a whale") == 1
    assert run(["resume", "out", "batch=false"]) == 4
    for arguments in ((), ("--retry-failed",)):
        assert run(["resume", "out", *arguments]) == 4
        assert statuses() == {"uncertain": 1, "verified": 1}
    assert (server.ledger()["batches"], sum(paid(server).values())) == (0, 2)
    (lost,) = (result for result in results() if result["status"] == "uncertain")
    assert len(lost["attempts"]) == 2, "the refused batch, and the lost request"
    assert lost["spent_usd"] > 0


def test_a_lost_ledger_is_built_anew_and_goes_on(command, make_emulator):
    server = make_emulator(rules=[once("status", "batch_retrieve", status=401)])
    assert command(server, PROMPTS) == 1
    assert statuses() == {"submitted": 4}
    Path("out/ledger.sqlite3").unlink()
    assert run(["resume", "out", "--rebuild"]) == 0
    assert run(["resume", "out"]) == 0
    assert statuses() == {"verified": 4}
    assert server.ledger()["batches"] == 1


def test_a_budget_counts_half(command, emulator):
    assert command(emulator, PROMPTS, "budget.max_usd=0.012") == 3
    assert emulator.ledger()["batches"] == 0
    assert command(emulator, PROMPTS, "budget.max_usd=0.03") == 0


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ((*VIDEO, "request.size=null", "request.quality=null"), "takes images"),
        (("provider=azure_openai", "provider.base_url=https://x.openai.azure.com"), "provider.batches=true tries it"),
        (("provider=xai",), "provider.batches=true tries it"),
        (("provider=openrouter",), "no batches of images are sent to provider=openrouter"),
        (("request.partial_images=2",), "partial images"),
        (("'fallbacks=[{provider: emulator}]'".strip("'"),), "fallbacks"),
        (("batch=true,false",), "leave batch out"),
        (("hydra/launcher=basic",), "hydra/launcher=runner"),
        (("model=dall-e-2", "request.quality=null", "request.size=512x512"), "dall-e-2"),
    ],
    ids=["video", "azure", "xai", "openrouter", "stream", "fallbacks", "mixed", "launcher", "dall-e"],
)
def test_what_no_batch_takes_is_refused_before_anything_is_sent(command, emulator, capsys, overrides, said):
    assert command(emulator, "request.prompt=a fox", *overrides) == 2
    assert said in capsys.readouterr().err
    assert emulator.ledger()["requests"] == {}
    assert not Path("out").exists()


def test_a_dry_run_tells_the_price_of_the_batch(command, emulator, capsys):
    assert command(emulator, PROMPTS, "dry_run=true") == 0
    told = capsys.readouterr().out
    assert "about $0.010" in told
    assert "sent in batches, at their price" in told
    assert command(emulator, PROMPTS, "dry_run=true", "batch=false") == 0
    assert "about $0.020" in capsys.readouterr().out


def test_a_batch_price_that_nobody_gives_is_unknown(command, emulator, capsys):
    assert command(emulator, PROMPTS, "dry_run=true", "model=gpt-image-2.6-flare") == 0
    told = capsys.readouterr()
    assert "unknown" in told.out
    assert "no source gives a batch price of gpt-image-2.6-flare" in told.err


def test_a_resource_of_azure_is_tried_where_its_user_says_so_and_its_price_is_unknown(
    command, emulator, capsys, monkeypatch
):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "an-emulated-key")
    azure = ("provider=azure_openai", f"provider.base_url={emulator.azure_url}", "provider.batches=true",
             "model.deployment=pictures")  # fmt: skip
    assert command(emulator, PROMPTS, *azure) == 0
    assert "no source gives a batch price of gpt-image-2 there" in capsys.readouterr().err
    assert statuses() == {"verified": 4}
    assert requests(emulator, "POST /openai/v1/batches") == 1
    assert {result["cost"]["estimated_usd"] for result in results()} == {None}
    assert {result["deployment"] for result in results()} == {"pictures"}


def test_a_run_of_its_own_goes_out_in_a_batch_too(here, soon, emulator, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")
    where = ("provider=openai", f"provider.base_url={emulator.base_url}", "provider.poll_interval=0.02", "progress=off")
    what = ("model=gpt-image-2", "request=image", "request.size=1024x640", "request.quality=low", "batch=true")
    assert run([*where, *what, "hydra.run.dir=one"]) == 0
    assert json.loads(Path("one/result.json").read_text())["status"] == "verified"
    assert emulator.ledger()["batches"] == 1
    assert not Path("one/batches").exists()
