"""`resume`, and the same command once more: from whatever was left, through the command line, against an emulator."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from runner.app import run
from runner.artifacts.result import ErrorRecord, Pending
from runner.artifacts.result_file import read_result, write_result
from runner.ledger.ledger import Ledger

from .resumable import again, created, states

LOSE = {"match": {"operation": "create"}, "nth": 2}


def test_each_run_goes_on_from_where_it_was_and_only_what_was_never_sent_is_paid(sweep, here, rewind, forget, emulator):
    assert sweep("request.prompt=a,b", "replica=0,1,2") == 0
    before = [read_result(here / "out" / str(n)) for n in range(6)]
    forget(5)
    rewind(1, "submitted")
    rewind(2, "submitting")
    rewind(3, "completed")
    part = here / "out/4/video.mp4.part"
    whole = (here / "out/4/video.mp4").read_bytes()
    rewind(4, "downloaded", pending=[Pending(path=part.name, bytes=len(whole), sha256=before[4].artifacts[0].sha256)])
    part.write_bytes(whole)
    assert again() == 0
    assert states(here / "out") == ["verified"] * 6
    after = [read_result(here / "out" / str(n)) for n in range(6)]
    assert created(emulator) == 7
    assert [result.job_id for result in after[:5]] == [result.job_id for result in before[:5]]
    assert [result.artifacts[0].sha256 for result in after] == [result.artifacts[0].sha256 for result in before]
    assert len((here / "out/results.csv").read_text().splitlines()) == 7


def test_a_finished_sweep_has_nothing_to_do(sweep, here, emulator, capsys):
    assert sweep("replica=0,1") == 0
    requests = emulator.ledger()["requests"]
    touched = {path: path.stat().st_mtime_ns for path in (here / "out").glob("*/*")}
    capsys.readouterr()
    assert again() == 0
    assert "nothing to do" in capsys.readouterr().out
    assert emulator.ledger()["requests"] == requests
    assert {path: path.stat().st_mtime_ns for path in (here / "out").glob("*/*")} == touched


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("{}"), lambda path: path.write_text("")])
def test_a_missing_or_changed_record_is_written_again_from_the_ledger(sweep, here, damage):
    assert sweep("replica=0,1") == 0
    path = here / "out/1/result.json"
    whole = path.read_bytes()
    damage(path)
    assert again() == 0
    assert path.read_bytes() == whole


def test_a_directory_that_vanished_is_made_again(sweep, here, rewind, emulator):
    assert sweep("replica=0,1") == 0
    rewind(0, "submitted")
    shutil.rmtree(here / "out/0")
    assert again() == 0
    assert created(emulator) == 2
    assert (here / "out/0/video.mp4").is_file()
    assert "A timelapse" in (here / "out/0/.hydra/config.yaml").read_text()


def test_what_its_provider_drops_first_is_brought_home_first(sweep, here, rewind):
    assert sweep("replica=0,1,2", "provider.max_concurrent_jobs=1") == 0
    for number, expires in enumerate([3000, 1000, 2000]):
        rewind(number, "completed", raw_response={"expires_at": 1_900_000_000 + expires})
    assert again() == 0
    ends = [max(read_result(here / "out" / str(n)).timestamps.values()) for n in range(3)]
    assert ends[1] < ends[2] < ends[0]


FAILURE = {"code": None, "message": "it melted", "hint": None}


def test_failed_runs_are_left_alone_unless_they_are_to_be_tried_again(sweep, here, rewind, emulator, capsys):
    assert sweep("replica=0,1,2,3") == 0
    rewind(0, "failed", error=ErrorRecord(type="GenerationFailedError", retryable=True, **FAILURE))
    rewind(1, "failed", error=ErrorRecord(type="ContentModerationError", retryable=False, **FAILURE))
    rewind(2, "cancelled", error=ErrorRecord(type="GenerationFailedError", retryable=True, **FAILURE))
    rewind(3, "failed", error=ErrorRecord(type="AuthenticationError", retryable=False, **FAILURE))
    capsys.readouterr()
    assert again() == 1
    said = capsys.readouterr().out
    assert "nothing to do" in said
    assert "python -m runner resume out --retry-failed" in said
    assert created(emulator) == 4
    assert again("--retry-failed") == 1
    assert states(here / "out") == ["verified", "failed", "verified", "verified"]
    assert created(emulator) == 7
    assert again("--retry-failed") == 1
    assert created(emulator) == 7


@pytest.mark.parametrize("flags", [(), ("--retry-failed",)])
def test_a_job_that_was_given_up_is_looked_for_again_and_never_paid_for(sweep, here, rewind, emulator, flags):
    assert sweep("replica=0,1") == 0
    rewind(0, "expired", error=ErrorRecord(type="ExpiredError", retryable=False, **FAILURE))
    assert again(*flags) == 0
    assert states(here / "out") == ["verified"] * 2
    assert created(emulator) == 2


def test_what_has_expired_stays_so_and_its_price_is_said_where_it_might_be_expected(
    sweep, here, rewind, make_emulator, capsys
):
    server = make_emulator(rules=[{"match": {"operation": "content"}, "nth": [3, 4, 5, 6], "fault": "expired"}])
    assert sweep("replica=0,1", server=server) == 0
    for number in (0, 1):
        rewind(number, "expired", error=ErrorRecord(type="ExpiredError", retryable=False, **FAILURE))
    assert again() == 1
    assert "repeat" not in capsys.readouterr().out
    assert again("--retry-failed") == 1
    said = capsys.readouterr().out
    assert "expired: runs 0-1; --retry-failed does not pay for them again, which would cost $0.80" in said
    assert "python -m runner repeat out/0" in said
    assert states(here / "out") == ["expired"] * 2
    assert created(server) == 2


def test_what_stays_uncertain_is_reported_and_paid_again_only_on_consent(sweep, here, rewind, make_emulator, capsys):
    server = make_emulator(rules=[{**LOSE, "fault": "drop_before_commit"}])
    assert sweep("replica=0,1,2", "provider.max_concurrent_requests=1", server=server) == 4
    said = capsys.readouterr().out
    assert "python -m runner resume out --resubmit-uncertain" in said
    assert "no job matches" in said
    assert sorted(states(here / "out")) == ["uncertain", "verified", "verified"]
    assert again() == 4
    assert created(server) == 2
    assert again("--resubmit-uncertain") == 0
    assert states(here / "out") == ["verified"] * 3
    assert created(server) == 3


def test_consent_does_not_cover_what_is_lost_only_now(sweep, here, make_emulator):
    lost = [{"match": {"prompt": prompt, "operation": "create"}, "nth": 1, "fault": "drop_before_commit"}
            for prompt in ("first", "third")]  # fmt: skip
    stop = {"match": {"prompt": "second", "operation": "create"}, "fault": "unauthorized"}
    server = make_emulator(rules=[*lost, stop])
    sweep("request.prompt=first,second,third", "provider.max_concurrent_jobs=1", server=server)
    assert states(here / "out") == ["uncertain", "failed", "planned"]
    again("--resubmit-uncertain")
    assert states(here / "out") == ["verified", "failed", "uncertain"]
    assert created(server) == 1


@pytest.mark.parametrize("fault", [{"fault": "drop_after_commit"}, {"fault": "status", "status": 502, "commit": True}])
def test_a_job_whose_answer_is_lost_is_found_by_the_same_process(sweep, here, make_emulator, fault):
    server = make_emulator(rules=[{**LOSE, **fault}])
    assert sweep("replica=0,1,2", server=server) == 0
    assert states(here / "out") == ["verified"] * 3
    assert created(server) == 3
    jobs = [read_result(here / "out" / str(n)).job_id for n in range(3)]
    assert sorted(jobs) == sorted(job["id"] for job in server.ledger()["created"])


def test_another_sweep_s_job_is_not_taken_for_one_s_own(sweep, here, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 2, "fault": "drop_before_commit"}])
    assert sweep("replica=0", server=server, directory="outputs/first") == 0
    assert sweep("replica=0", server=server, directory="outputs/second") == 4
    assert states(here / "outputs/second") == ["uncertain"]
    assert created(server) == 1


@pytest.mark.parametrize(
    "override",
    [
        "request.prompt=Another",
        "replica=7",
        "model.name=sora-2-pro",
        "provider.base_url=http://127.0.0.1:9/v1",
        "fallbacks=[{model: {name: sora-2-pro}}]",
    ],
)
def test_what_would_change_the_paid_work_is_refused(sweep, here, rewind, emulator, capsys, override):
    assert sweep("replica=0,1") == 0
    rewind(0, "submitted")
    requests = emulator.ledger()["requests"]
    assert again(override) == 2
    said = capsys.readouterr().err
    assert "would change what run 0 is paid for" in said
    assert "repeat RUN_DIR" in said
    assert emulator.ledger()["requests"] == requests
    assert states(here / "out")[0] == "submitted"


def test_limits_and_waits_may_change(sweep, here, rewind, capsys):
    assert sweep("replica=0,1") == 0
    rewind(0, "submitted")
    capsys.readouterr()
    changes = ("provider.poll_interval=0.01", "provider.max_concurrent_jobs=1", "budget.max_usd=3", "fail_fast=true")
    assert again(*changes) == 0
    assert "of $3.00 budget" in capsys.readouterr().out
    assert states(here / "out") == ["verified"] * 2


@pytest.mark.parametrize("spelling", ["out/0", "out/../out/0", "link"])
def test_one_run_of_a_sweep_leads_to_the_sweep(sweep, here, spelling, capsys):
    assert sweep("replica=0,1") == 0
    (here / "link").symlink_to(here / "out/0")
    assert run(["resume", spelling]) == 2
    assert "python -m runner resume out\n" in capsys.readouterr().err
    assert not (here / "out/0/ledger.sqlite3").exists()


def test_where_there_is_nothing_to_resume_it_says_so(here, capsys):
    (here / "empty").mkdir()
    for name in ("empty", "nowhere"):
        assert run(["resume", name]) == 2
        assert f"{name} holds no sweep and no run" in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["empty"]
    assert [*(here / "empty").iterdir()] == []


def test_a_folder_of_several_sweeps_leads_to_their_list(sweep, capsys):
    assert sweep("replica=0", directory="all/one") == 0
    assert sweep("replica=1", directory="all/two") == 0
    assert run(["resume", "all"]) == 2
    said = capsys.readouterr().err
    assert "all holds 2 sweeps or runs" in said
    assert "python -m runner ls all" in said


def test_a_ledger_without_runs_leads_to_the_command_that_began_it(sweep, here, emulator, capsys):
    (here / "out").mkdir()
    Ledger(here / "out").close()
    assert again() == 2
    assert "before any of its runs was planned" in capsys.readouterr().err
    assert sweep("replica=0,1") == 0
    assert created(emulator) == 2


@pytest.mark.parametrize("content", [b"no ledger at all " * 99, b""])
def test_a_broken_ledger_is_said_and_nothing_is_done(sweep, here, emulator, capsys, content):
    assert sweep("replica=0,1") == 0
    (here / "out/ledger.sqlite3").write_bytes(content)
    capsys.readouterr()
    assert again() == 2
    assert sweep("replica=0,1") == 2
    said = capsys.readouterr().err
    assert said.count("ledger.sqlite3") == 2
    assert "Traceback" not in said
    assert created(emulator) == 2


def test_a_single_run_goes_on_in_its_own_directory(single, here, rewind, emulator, capsys):
    assert single() == 0
    rewind(0, "completed")
    assert again() == 0
    rewind(0, "submitted")
    assert single() == 0
    assert created(emulator) == 1
    assert states(here / "out") == ["verified"]
    assert not (here / "out/results.csv").exists()
    capsys.readouterr()
    assert single("request.prompt=Another") == 2
    assert "holds another run" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "jobs"), [("submitted", 1), ("planned", 2)])
def test_a_run_that_has_only_its_record_can_be_resumed(single, here, rewind, emulator, status, jobs):
    """As those of the Python API have."""
    assert single() == 0
    result = rewind(0, status)
    for name in ("ledger.sqlite3", ".lock"):
        (here / "out" / name).unlink()
    if status == "planned":
        write_result(here / "out", result.model_copy(update={"job_id": None, "attempts": []}))
    assert again() == 0
    assert created(emulator) == jobs
    assert states(here / "out") == ["verified"]
    assert again() == 0


def test_a_record_that_cannot_be_read_is_said(here, capsys):
    (here / "out").mkdir()
    (here / "out/result.json").write_text("{}")
    assert again() == 2
    assert "not a result of this version" in capsys.readouterr().err
    assert not (here / "out/ledger.sqlite3").exists()


def test_a_sweep_of_another_launcher_goes_on_as_one(sweep, here, rewind, emulator):
    command = ("hydra/launcher=basic", "replica=0,1,2")
    assert sweep(*command) == 0
    for number, status in enumerate(["submitted", "submitting"]):
        rewind(number, status, place=here / "out" / str(number))
    assert again() == 0
    assert [states(here / "out" / str(number)) for number in range(3)] == [["verified"]] * 3
    assert (here / "out/results.csv").read_text().count("verified") == 3
    rewind(2, "completed", place=here / "out/2")
    assert sweep(*command) == 0
    assert [states(here / "out" / str(number)) for number in range(3)] == [["verified"]] * 3
    assert created(emulator) == 3


@pytest.mark.parametrize("more", [[], ["reuse=true"]])
def test_an_input_that_is_gone_keeps_no_paid_job_from_being_brought_home(
    sweep, here, rewind, forget, emulator, capsys, more
):
    Image.new("RGB", (1280, 720), "navy").save(here / "boat.png")
    assert sweep("request.image_list=[boat.png]", "request.prompt=a,b", "replica=0,1", *more) == 0
    rewind(0, "submitted")
    rewind(1, "submitting")
    forget(2)
    (here / "boat.png").unlink()
    for extra in ([], ["budget.max_usd=50"]):
        capsys.readouterr()
        assert again(*extra) == 2
        said = capsys.readouterr().err
        assert "run 2" in said
        assert "boat.png" in said
        assert "nothing was sent for it" in said
        assert states(here / "out") == ["verified", "verified", "planned", "verified"]
    assert created(emulator) == 4
    Image.new("RGB", (1280, 720), "navy").save(here / "boat.png")
    assert again() == 0
    assert created(emulator) == 5


def test_an_input_that_was_changed_makes_other_work_and_is_not_sent(sweep, here, rewind, forget, emulator, capsys):
    boat = here / "boat.png"
    Image.new("RGB", (1280, 720), "navy").save(boat)
    whole = boat.read_bytes()
    assert sweep("request.image_list=[boat.png]", "replica=0,1") == 0
    rewind(0, "completed")
    forget(1)
    Image.new("RGB", (1280, 720), "red").save(boat)
    assert again() == 2
    said = capsys.readouterr().err
    assert "run 1: request.image_list: an input file is no longer the one that the run was planned with" in said
    assert states(here / "out") == ["verified", "planned"]
    assert created(emulator) == 2
    boat.write_bytes(whole)
    assert again() == 0
    assert created(emulator) == 3


def test_a_missing_key_is_said_before_anything_is_done(sweep, here, rewind, emulator, capsys, monkeypatch):
    assert sweep("replica=0,1") == 0
    rewind(0, "submitted")
    requests = emulator.ledger()["requests"]
    monkeypatch.delenv("OPENAI_API_KEY")
    assert again() == 2
    assert "OPENAI_API_KEY" in capsys.readouterr().err
    assert emulator.ledger()["requests"] == requests
    assert states(here / "out")[0] == "submitted"


def test_ctrl_c_says_how_to_go_on(sweep, here, make_emulator, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    server = make_emulator(latency=60)
    with pytest.raises(SystemExit) as ended:
        sweep("+hydra.callbacks.mine._target_=recording.Interrupting", "replica=0", server=server)
    del sys.modules["recording"]
    assert ended.value.code == 130
    assert "python -m runner resume out" in capsys.readouterr().out
    assert again() == 0
    assert states(here / "out") == ["verified"]
    assert created(server) == 1


def test_a_dry_run_says_what_going_on_would_pay_and_pays_nothing(sweep, here, rewind, forget, emulator, capsys):
    assert sweep("replica=0,1,2") == 0
    rewind(0, "submitted")
    forget(1)
    capsys.readouterr()
    assert again("dry_run=true") == 0
    said = capsys.readouterr().out
    assert "$0.40 at list price" in said
    assert said.count("none: is there") == 2
    assert states(here / "out") == ["submitted", "planned", "verified"]
    assert created(emulator) == 3


def test_options_may_stand_before_overrides(sweep, here, rewind, emulator):
    assert sweep("replica=0") == 0
    rewind(0, "failed", error=ErrorRecord(type="GenerationFailedError", retryable=True, **FAILURE))
    assert run(["resume", "out", "--retry-failed", "budget.max_usd=4"]) == 0
    assert states(here / "out") == ["verified"]
    assert created(emulator) == 2


def test_the_command_for_more_money_works_as_it_is_said(sweep, here, rewind, emulator, capsys):
    assert sweep("replica=0,1", "budget.max_usd=0.80") == 0
    rewind(0, "failed", error=ErrorRecord(type="GenerationFailedError", retryable=True, **FAILURE))
    capsys.readouterr()
    assert again("--retry-failed") == 3
    (command,) = [line for line in capsys.readouterr().err.splitlines() if "python -m runner resume" in line]
    assert run(command.split()[3:]) == 0
    assert states(here / "out") == ["verified", "verified"]
    assert created(emulator) == 3


def test_results_of_a_resumed_sweep_are_written_anew(sweep, here, rewind):
    assert sweep("replica=0,1") == 0
    rewind(1, "submitted")
    (here / "out/results.jsonl").unlink()
    assert again() == 0
    told = [json.loads(line) for line in (here / "out/results.jsonl").read_text().splitlines()]
    assert [each["status"] for each in told] == ["verified"] * 2
