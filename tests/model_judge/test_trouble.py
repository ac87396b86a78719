"""A judge that refuses, mumbles, is slow or does not answer: nothing is lost, nothing is paid twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from runner.artifacts.run_status import RunStatus
from runner.config import shipped
from runner.errors import ConfigError, DiskError
from runner.model_judge.vote import votes_of, writable_votes
from tests.forking import Forked
from tests.waiting import PATIENCE, wait_until

FOX = {"operation": "chat", "prompt": "a fox"}


def faulty(make_emulator, fault, **rule):
    return make_emulator(rules=[{"match": FOX, "fault": fault, "times": 1, **rule}])


def test_a_refusal_is_a_warning_that_names_the_file_and_the_others_go_on(judge, make_emulator, scores, capsys):
    server = faulty(make_emulator, "refusal")
    assert judge(server=server) == 0

    told = capsys.readouterr()
    assert "gpt-5.4-mini refused to judge: I'm sorry, but I can't help with that." in told.err
    assert "image-0.png" in told.err
    assert len(scores("judge")) == 3
    assert judge(server=server) == 0
    assert server.ledger()["chats"] == 4, "it is asked again only by its user's word"
    assert judge(server=server, retry_failed=True) == 0
    assert server.ledger()["chats"] == 5
    assert len(scores("judge")) == 4


def test_what_a_filter_refuses_is_a_warning_that_costs_nothing(judge, make_emulator, votes, capsys):
    server = faulty(make_emulator, "content_filter")
    assert judge(server=server) == 0
    assert judge(server=server) == 0

    assert "image-0.png: " in capsys.readouterr().err
    assert server.ledger()["chats"] == 3, "it is asked again only by its user's word"
    assert judge(server=server, retry_failed=True) == 0
    assert server.ledger()["chats"] == 4
    assert sorted(len(vote["attempts"]) for vote in votes()) == [1, 1, 1, 2]


@pytest.mark.parametrize("fault", ["prose", "cut_answer"])
def test_an_answer_that_cannot_be_read_is_kept_named_and_not_paid_again(
    judge, make_emulator, votes, scores, capsys, fault
):
    server = faulty(make_emulator, fault)
    assert judge(server=server) == 0
    assert judge(server=server) == 0

    assert "--retry-failed" in capsys.readouterr().err
    assert server.ledger()["chats"] == 4
    (failed,) = [vote for vote in votes() if vote["status"] == "failed"]
    assert failed["text"]
    assert failed["usd"] > 0
    assert len(scores("judge")) == 3
    assert judge(server=server, retry_failed=True, max_tokens=8000) == 0
    assert len(scores("judge")) == 4
    assert len(votes()) == 5, "both answers are there to be read"
    assert votes()[-1]["estimated_usd"] == pytest.approx(failed["estimated_usd"] + 4000 * 4.5e-6)


def test_json_in_fences_is_an_answer(judge, make_emulator, scores):
    server = make_emulator(rules=[{"match": {"operation": "chat"}, "fault": "fenced"}])
    assert judge(server=server) == 0
    assert len(scores("judge")) == 4


def test_who_is_asked_to_wait_asks_again_and_pays_once(judge, make_emulator, votes):
    server = faulty(make_emulator, "rate_limit", retry_after=0.5)
    assert judge(server=server) == 0

    assert server.ledger()["chats"] == 4
    assert sorted(len(vote["attempts"]) for vote in votes()) == [1, 1, 1, 2]


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "drop_after_commit"},
        {"fault": "status", "status": 502, "commit": True},
        {"fault": "html", "commit": True},
    ],
    ids=lambda rule: rule["fault"],
)
def test_a_lost_answer_counts_as_spent_and_is_not_repeated_unasked(judge, make_emulator, scores, capsys, rule):
    server = faulty(make_emulator, **rule)
    assert judge(server=server) == 4
    assert judge(server=server) == 4

    assert server.ledger()["chats"] == 4
    told = capsys.readouterr().err
    assert "1 answer lost" in told
    assert "it counts as spent and is not repeated" in told
    assert "score --resubmit-uncertain asks and pays again" in told
    assert len(scores("judge")) == 3
    assert judge(server=server, resubmit_uncertain=True) == 0
    assert server.ledger()["chats"] == 5
    assert len(scores("judge")) == 4


def test_what_may_have_been_paid_for_one_sweep_is_not_asked_for_another_with_the_same_file(judge, make_emulator, out):
    shutil.copytree(out, out.with_name("twin"))
    refused = {"match": {"operation": "chat"}, "fault": "status", "status": 400, "times": 4}
    server = make_emulator(rules=[refused, {"match": FOX, "fault": "drop_after_commit", "times": 1}])
    assert judge(server=server, sweeps=["out"]) == 1
    assert judge(server=server, sweeps=["twin"]) == 4
    assert server.ledger()["chats"] == 4

    assert judge(server=server, sweeps=["out", "twin"]) == 4
    assert server.ledger()["chats"] == 4
    assert judge(server=server, sweeps=["out", "twin"], resubmit_uncertain=True) == 0
    assert judge(server=server, sweeps=["out"]) == 0
    assert judge(server=server, sweeps=["twin"]) == 0
    assert server.ledger()["chats"] == 5


def test_an_answer_in_a_form_that_is_unknown_is_kept_and_read_by_a_later_version(
    judge, small_server, out, scores, capsys
):
    small_server.answer = lambda _: (200, {"result": "who knows"})
    assert judge(server=small_server) == 4
    (sent,) = {*small_server.paths("POST")}
    assert sent == "/v1/chat/completions"
    kept = sorted((out / "judge").glob("answer*.json"))
    assert len(kept) == 4
    assert "the same command reads what came instead again" in capsys.readouterr().err

    said = {name: {"reason": "fine", "score": 4} for name in ("prompt", "quality", "anatomy", "beauty", "overall")}
    for path in kept:  # as a later version would understand it
        path.write_text(json.dumps({"choices": [{"message": {"content": json.dumps(said)}, "finish_reason": "stop"}]}))
    assert judge(server=small_server) == 0
    assert len(small_server.asked) == 4
    assert scores("judge") == {0: 4, 1: 4, 2: 4, 3: 4}


def test_a_server_that_wants_more_patience_than_there_is_ends_it_and_says_so(judge, make_emulator, scores, capsys):
    server = make_emulator(requests_per_minute=2, time_scale=1, latency=0.05)
    address = {**shipped.option("provider", "openai"), "base_url": server.base_url}
    hurried = {**address, "deadline_seconds": 10, "max_concurrent_requests": 1}
    assert judge(provider=hurried) == 1

    assert "would pass the deadline of 10 s" in capsys.readouterr().err
    assert len(scores("judge")) == 2


def test_an_error_that_no_one_foresaw_is_named_with_the_file_that_has_its_traceback(judge, emulator, out, capfd):
    assert judge(extra_params={"user": "half a character: \ud83d"}) == 4

    told = capfd.readouterr().err
    assert "4 answers lost" in told
    assert "out/judge/score.log has the traceback" in told
    assert "Traceback" not in told
    assert (out / "judge" / "score.log").read_text().count("UnicodeEncodeError: ") == 4


def test_a_wrong_key_stops_everything_and_is_asked_again_once_it_is_right(judge, make_emulator, key, capsys):
    server = make_emulator(api_key="another")
    assert judge(server=server) == 1
    assert "OPENAI_API_KEY" in capsys.readouterr().err

    right = make_emulator(api_key=key)
    assert judge(server=right) == 0
    assert right.ledger()["chats"] == 4


def test_a_damaged_file_is_a_warning_and_nothing_is_sent_for_it(out, judge, emulator, scores, capsys):
    (out / "0" / "image-0.png").write_bytes(b"\x89PNG and nothing more")
    (out / "1" / "image-0.png").unlink()
    assert judge() == 0

    told = capsys.readouterr().err
    assert "out/0/image-0.png was not judged" in told
    assert "1/image-0.png is not there" in told
    assert emulator.ledger()["chats"] == 2
    assert {*scores("judge")} == {2, 3}


def test_two_processes_never_ask_at_the_same_time(out, judge, emulator):
    with writable_votes(out), pytest.raises(ConfigError, match="is in use by process"):
        judge()
    assert judge() == 0
    assert emulator.ledger()["chats"] == 4


def test_a_foreign_directory_leads_nowhere_else(out, judge, emulator, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (out / "judge").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="is a link"):
        judge()
    assert emulator.ledger()["chats"] == 0


def test_a_damaged_ledger_refuses_to_pay(out, judge, emulator):
    assert judge() == 0
    path = out / "judge" / "votes.sqlite3"
    content = path.read_bytes()
    path.write_bytes(content[:2000] + b"x" * 3000 + content[5000:])

    with pytest.raises(ConfigError, match=r"votes\.sqlite3"):
        judge(votes=2)
    assert emulator.ledger()["chats"] == 4


def started(out, base_url, **more) -> Forked:
    words = ["score", "out", "metrics=[judge]", "provider=openai", f"provider.base_url={base_url}"]
    return Forked("runner", words, env={**os.environ}, cwd=out.parent, **more)


def test_a_process_that_is_killed_while_a_judge_thinks_pays_nothing_twice(out, make_emulator, judge, scores):
    server = faulty(make_emulator, "stalled", commit=True)
    process = started(out, server.base_url, stdout=subprocess.DEVNULL)
    wait_until(lambda: [vote.status for vote in votes_of(out).values()].count(RunStatus.VERIFIED) == 3, process)
    wait_until(lambda: server.ledger()["chats"] == 4, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait(PATIENCE) == -signal.SIGKILL

    assert judge(server=server) == 4
    assert server.ledger()["chats"] == 4
    assert len(scores("judge")) == 3
    assert judge(server=server, resubmit_uncertain=True) == 0
    assert server.ledger()["chats"] == 5


def test_ctrl_c_awaits_the_answers_that_are_under_way_and_the_same_command_goes_on(out, small_server, judge, scores):
    said = {name: {"reason": "fine", "score": 4} for name in ("prompt", "quality", "anatomy", "beauty", "overall")}
    released = threading.Event()

    def answer(_: object) -> tuple[int, object]:
        released.wait(60)
        return 200, {"choices": [{"message": {"content": json.dumps(said)}}]}

    small_server.answer = answer
    process = started(out, small_server.base_url, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_until(lambda: small_server.asked, process)
    process.send_signal(signal.SIGINT)
    while b"answers that are under way are awaited" not in process.stdout.readline():
        assert process.poll() is None
    released.set()
    assert process.wait(PATIENCE) == 130
    process.stdout.close()

    known = votes_of(out).values()
    assert {vote.status for vote in known} <= {RunStatus.VERIFIED, RunStatus.PLANNED}
    assert RunStatus.VERIFIED in {vote.status for vote in known}
    assert judge(server=small_server) == 0
    assert len(small_server.asked) == 4
    assert len(scores("judge")) == 4


def test_votes_that_cannot_be_kept_are_not_asked_for(judge, out, emulator):
    (out / "judge").write_text("in the way")
    with pytest.raises(DiskError) as caught:
        judge()
    assert caught.value.hint == "free space or make the directory writable; nothing was sent to a judge"
    assert emulator.ledger()["chats"] == 0


def test_a_vote_that_cannot_be_written_is_no_talk_of_jobs(out, monkeypatch):
    def full(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr("runner.ledger.database._opened", full)
    with pytest.raises(DiskError) as caught, writable_votes(out):
        pass
    told = "answers that were written are not asked for again; free space or make the directory writable"
    assert caught.value.hint == told
