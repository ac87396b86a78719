"""Results of batches, as a server of any manner tells them: collected line by line, through the command line."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from runner.app import run
from runner.engine.batch_results import discard_all, results_path
from runner.errors import DiskError
from runner.ledger.ledger import Ledger, batches_of

from .batches import PROMPTS, left, paid, requests, results, statuses


class Batches:
    """A server whose batches are done at once, with results that a test gives, and no ranges."""

    def __init__(self, server: Any, results: Callable[[list[str]], bytes]) -> None:
        self.asked: list[str] = []
        self._results = results
        self._input = b""
        server.answer = self.answer

    def answer(self, asked: Any) -> tuple[int, Any]:
        self.asked.append(f"{asked.method} {asked.path}")
        match asked.method, asked.path.removeprefix("/v1"):
            case "POST", "/files":
                self._input = asked.body
                return 200, {"id": "file-1"}
            case "POST", "/batches":
                return 200, {"id": "batch_1", "status": "validating"}
            case "GET", "/batches/batch_1":
                return 200, {"id": "batch_1", "status": "completed", "output_file_id": "file-2"}
            case "GET", "/files/file-2/content":
                names = [
                    line.split('"')[3] for line in self._input.decode().splitlines() if line[:12] == '{"custom_id"'
                ]
                return 200, self._results(names)
        return 404, {"error": {"message": "nothing here"}}


def image_line(name: str, colour: str = "teal") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    data = [{"b64_json": base64.b64encode(file.getvalue()).decode()}]
    return json.dumps({"custom_id": name, "response": {"status_code": 200, "body": {"data": data}}}).encode() + b"\n"


def test_lines_that_belong_to_no_run_are_kept_and_named(command, small_server, capsys):
    def given(names: list[str]) -> bytes:
        own = b"".join(map(image_line, names, ("red", "green", "blue", "black")))
        return own + image_line("somebody-else") + b"no line at all\n" + image_line(names[0], "white") + b"\n"

    Batches(small_server, given)
    assert command(small_server, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    strays = [Path("out/batches", name).read_bytes() for name in left()]
    assert len(strays) == 3
    assert b"no line at all" in strays
    assert any(b"somebody-else" in stray for stray in strays)
    assert "3 lines of batch batch_1 are of no run" in capsys.readouterr().out
    assert "3 lines of batch batch_1" in str(results()[0]["warnings"])


def test_of_many_such_lines_some_are_kept_and_the_rest_is_named(command, small_server, monkeypatch):
    monkeypatch.setattr("runner.engine.batch_results.MOST_STRAYS", 4)

    def given(names: list[str]) -> bytes:
        others = b"".join(b'{"custom_id": "other-%d"}\n' % number for number in range(7))
        return others + b"".join(map(image_line, names))

    Batches(small_server, given)
    assert command(small_server, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    assert len(left()) == 4
    (warning,) = [text for text in results()[0]["warnings"] if "lines of batch" in text]
    assert warning.startswith("7 lines of batch batch_1 are of no run, or of one twice, and kept: ")
    assert warning.endswith("; but 3 of them are only in the provider's file-2")


def test_the_end_of_one_batch_leaves_the_folder_that_another_is_about_to_write_to(tmp_path):
    file = results_path(tmp_path / "batches", "mark", "output")
    file.parent.mkdir()
    file.touch()
    discard_all(file.parent, "mark")
    assert [*tmp_path.iterdir()] == [file.parent]
    assert [*file.parent.iterdir()] == []


def test_a_download_begins_anew_where_the_server_knows_no_ranges(command, small_server):
    batches = Batches(small_server, lambda names: b"".join(map(image_line, names)))

    def answer(asked: Any) -> tuple[int, Any]:
        if asked.path.endswith("/batches/batch_1"):
            with Ledger(Path("out"), readonly=True) as ledger:
                (batch,) = batches_of(ledger)
            Path(f"out/batches/{batch.mark}.output.part").write_bytes(b"what an earlier download has left")
        return batches.answer(asked)

    small_server.answer = answer
    assert command(small_server, PROMPTS) == 0
    assert statuses() == {"verified": 4}


@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_what_a_batch_has_done_is_not_given_up_before_its_file_is_named(command, small_server, status):
    batches = Batches(small_server, lambda names: b"".join(map(image_line, names)))
    ended = {"id": "batch_1", "status": status, "request_counts": {"total": 4, "completed": 4, "failed": 0}}

    def answer(asked: Any) -> tuple[int, Any]:
        return (200, ended) if asked.path.endswith("/batches/batch_1") else batches.answer(asked)

    small_server.answer = answer
    assert command(small_server, PROMPTS) == 4
    assert statuses() == {"uncertain": 4}
    assert all(result["spent_usd"] > 0 for result in results())
    ended["output_file_id"] = "file-2"
    assert run(["resume", "out"]) == 0
    assert statuses() == {"verified": 4}


def test_a_missing_file_of_results_is_said_to_be_that_and_asked_for_again(command, small_server, capsys):
    batches = Batches(small_server, lambda names: b"".join(map(image_line, names)))
    there = False

    def answer(asked: Any) -> tuple[int, Any]:
        missing = asked.path.endswith("/content") and not there
        return (404, {"error": {"message": "No such File object"}}) if missing else batches.answer(asked)

    small_server.answer = answer
    assert command(small_server, PROMPTS) == 4
    assert "results of batch batch_1 is not found at present" in str(results()[0]["error"])
    assert "does not know" not in capsys.readouterr().err
    there = True
    assert run(["resume", "out"]) == 0
    assert statuses() == {"verified": 4}
    assert batches.asked.count("POST /v1/batches") == 1


def as_array(lines: bytes, indent: int | None = None) -> bytes:
    return json.dumps([json.loads(line) for line in lines.splitlines()], indent=indent).encode() + b"\n"


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "compressed": gzip.compress,
    "an array": as_array,
    "an array on many lines": lambda lines: as_array(lines, indent=2),
    "a byte order mark": lambda lines: b"\xef\xbb\xbf" + lines,
    "a compressed array behind a mark": lambda lines: gzip.compress(b"\xef\xbb\xbf" + as_array(lines, indent=2)),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_results_of_another_form_are_read_as_the_lines_that_they_are(command, small_server, form):
    batches = Batches(small_server, lambda names: form(b"".join(map(image_line, names))))
    assert command(small_server, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    assert not [text for result in results() for text in result["warnings"] if "of no run" in text]
    assert batches.asked.count("GET /v1/files/file-2/content") == 1
    assert left() == []


@pytest.mark.parametrize(
    "cut",
    [
        # What can be had of it ends as a whole file does.
        lambda whole: gzip.compress(whole)[:-6],
        lambda whole: gzip.compress(whole[: len(whole) // 2 - 9]),
        lambda whole: gzip.compress(whole)[:20],
        lambda whole: as_array(whole)[: as_array(whole).rindex(b", {") + 1],
        lambda whole: as_array(whole)[: as_array(whole).rindex(b", {")],
    ],
    ids=["the end of the compression", "text before it", "nearly all", "after a comma", "after an object"],
)
def test_results_of_another_form_that_are_cut_are_asked_for_again(command, small_server, cut):
    batches = Batches(small_server, lambda names: b"".join(map(image_line, names)))

    def answer(asked: Any) -> tuple[int, Any]:
        status, content = batches.answer(asked)
        first = batches.asked.count("GET /v1/files/file-2/content") == 1
        return status, cut(content) if first and asked.path.endswith("/content") else content

    small_server.answer = answer
    assert command(small_server, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    assert batches.asked.count("GET /v1/files/file-2/content") == 2
    assert left() == []


@pytest.mark.parametrize("form", [gzip.compress, as_array], ids=["compressed", "an array"])
def test_what_came_of_results_that_stay_cut_counts(command, small_server, form):
    batches = Batches(small_server, lambda names: form(b"".join(map(image_line, names)))[:-7])
    assert command(small_server, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    assert batches.asked.count("GET /v1/files/file-2/content") == 3


COUNTED = {"id": "batch_1", "status": "completed", "output_file_id": "file-2",
           "request_counts": {"total": 4, "completed": 4, "failed": 0}}  # fmt: skip


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[: whole.index(b"\n") + 1],
        lambda _whole: b"<html>Sign in to go on</html>",
        lambda _whole: b"",
    ],
    ids=["cut within a line", "cut after a line", "a page", "nothing"],
)
def test_results_that_are_not_all_there_are_asked_for_again(command, small_server, capsys, spoiled):
    batches = Batches(small_server, lambda names: b"".join(map(image_line, names)))
    given = 0

    def answer(asked: Any) -> tuple[int, Any]:
        nonlocal given
        if asked.path.endswith("/batches/batch_1"):
            return 200, COUNTED
        status, content = batches.answer(asked)
        if asked.path.endswith("/content"):
            given += 1
            return status, spoiled(content) if given == 1 else content
        return status, content

    small_server.answer = answer
    assert command(small_server, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    assert [result["error"] for result in results()] == [None] * 4
    assert "resubmit" not in capsys.readouterr().out
    assert batches.asked.count("POST /v1/batches") == 1


def test_lines_that_come_later_end_runs_without_their_old_error(command, small_server, capsys):
    batches = Batches(small_server, lambda names: b"".join(map(image_line, names)))
    later = False

    def answer(asked: Any) -> tuple[int, Any]:
        if asked.path.endswith("/batches/batch_1"):
            return 200, COUNTED
        status, content = batches.answer(asked)
        return status, content if later or not asked.path.endswith("/content") else image_line("somebody-else")

    small_server.answer = answer
    assert command(small_server, PROMPTS) == 4
    assert statuses() == {"uncertain": 4}
    assert "resume reads the results again and pays nothing" in results()[0]["error"]["hint"]
    later = True
    assert run(["resume", "out"]) == 0
    assert statuses() == {"verified": 4}
    assert [result["error"] for result in results()] == [None] * 4
    capsys.readouterr()
    assert run(["show", "out"]) == 0
    assert "no line for this run" not in capsys.readouterr().out


def odd_line(name: str) -> bytes:
    return json.dumps({"custom_id": name, "response": {"status_code": 200, "body": {"note": "attached"}}}).encode()


def test_a_line_that_cannot_be_read_is_read_again_from_the_providers_file(command, small_server):
    odd = True

    def given(names: list[str]) -> bytes:
        first = odd_line(names[0]) + b"\n" if odd else image_line(names[0])
        return first + b"".join(map(image_line, names[1:]))

    batches = Batches(small_server, given)
    assert command(small_server, PROMPTS) == 4
    assert statuses() == {"verified": 3, "uncertain": 1}
    assert results()[0]["job_id"] == "batch_1"
    for _ in range(2):
        assert run(["resume", "out"]) == 4
        assert b"attached" in Path("out/0/answer.json").read_bytes()
        assert not Path("out/0/answer-2.json").exists()
    odd = False
    assert run(["resume", "out"]) == 0
    assert statuses() == {"verified": 4}
    assert batches.asked.count("POST /v1/batches") == 1


@pytest.mark.parametrize(
    ("status", "code", "where", "kept"),
    [
        (404, "file_expired", "/content", True),
        (404, "batch_expired", "/batches/batch_1", True),
        (401, "invalid_api_key", "/batches/batch_1", True),
        (401, "invalid_api_key", "/batches/batch_1", False),
        (400, "odd", "/content", False),
    ],
)
def test_a_run_without_a_line_of_use_stays_uncertain(command, small_server, status, code, where, kept):
    def given(names: list[str]) -> bytes:
        return odd_line(names[0]) * kept + b"\n" + b"".join(map(image_line, names[1:]))

    batches = Batches(small_server, given)
    assert command(small_server, PROMPTS) == 4
    refused = status, {"error": {"message": "it has expired" if status == 404 else "no", "code": code}}
    small_server.answer = lambda asked: refused if asked.path.endswith(where) else batches.answer(asked)
    assert run(["resume", "out"]) == 4
    assert statuses() == {"verified": 3, "uncertain": 1}
    assert run(["resume", "out", "--retry-failed"]) == 4
    if kept:
        # A later version may understand it.
        Path("out/0/answer.json").write_bytes(image_line("x"))
        assert run(["resume", "out"]) == 0
        assert statuses() == {"verified": 4}
    assert batches.asked.count("POST /v1/batches") == 1


def test_a_line_that_failed_names_what_sends_it_again(command, small_server):
    def given(names: list[str]) -> bytes:
        body = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
        refused = {"custom_id": names[0], "response": {"status_code": 429, "body": body}}
        return json.dumps(refused).encode() + b"\n" + b"".join(map(image_line, names[1:]))

    Batches(small_server, given)
    assert command(small_server, PROMPTS) == 1
    assert results()[0]["error"]["hint"] == "resume --retry-failed sends it in another batch"
    assert statuses() == {"verified": 3, "failed": 1}


def test_an_image_that_cannot_be_checked_is_kept_and_counts_as_spent(command, small_server):
    def results(names: list[str]) -> bytes:
        data = [{"b64_json": base64.b64encode(b"no image, though it was paid for").decode()}]
        spoiled = {"custom_id": names[0], "response": {"status_code": 200, "body": {"data": data}}}
        return json.dumps(spoiled).encode() + b"\n" + b"".join(map(image_line, names[1:]))

    Batches(small_server, results)
    assert command(small_server, PROMPTS) == 4
    assert statuses() == {"verified": 3, "completed": 1}
    assert Path("out/0/image-0.unverified").read_bytes() == b"no image, though it was paid for"
    assert run(["resume", "out"]) == 4


def test_a_full_disk_stops_collecting_and_resume_goes_on(command, emulator, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("runner.engine.batch_results.require_space", full)
        assert command(emulator, PROMPTS) == 5
    assert statuses() == {"submitted": 4}
    assert run(["resume", "out"]) == 0
    assert statuses() == {"verified": 4}
    assert max(paid(emulator).values()) == 1


def full(_directory: Path) -> None:
    raise DiskError("the disk is full")


@pytest.mark.parametrize(("beyond", "asked"), [(0, 1), (7, 2)], ids=["all of it", "more than all"])
def test_what_a_download_has_left_is_used_if_it_can_be(command, emulator, monkeypatch, beyond, asked):
    def plant(folder: Path) -> None:
        with Ledger(Path("out"), readonly=True) as ledger:
            (batch,) = batches_of(ledger)
        largest = max(emulator.settings.files.iterdir(), key=lambda path: path.stat().st_size)
        if batch.id:
            (folder / f"{batch.mark}.output.part").write_bytes(largest.read_bytes() + b"x" * beyond)

    monkeypatch.setattr("runner.engine.batch_results.require_space", plant)
    assert command(emulator, PROMPTS) == 0
    assert statuses() == {"verified": 4}
    assert requests(emulator, "GET /v1/files/{file_id}/content") == asked


@pytest.mark.parametrize("named", [{"output_file_id": "file-2"}, {"error_file_id": "file-2"}])
def test_a_batch_that_failed_with_results_gives_them(command, small_server, named):
    batches = Batches(small_server, lambda names: image_line(names[0]))
    counts = {"total": 4, "completed": 1, "failed": 3}
    ended = {"id": "batch_1", "status": "failed", "request_counts": counts, **named}

    def answer(asked: Any) -> tuple[int, Any]:
        return (200, ended) if asked.path.endswith("/batches/batch_1") else batches.answer(asked)

    small_server.answer = answer
    assert command(small_server, PROMPTS) == 4
    # What is not known to be free counts as spent, and is not sent again.
    assert statuses() == {"verified": 1, "uncertain": 3}
    assert all(result["spent_usd"] > 0 for result in results())
    sent = batches.asked.count("POST /v1/batches")
    assert run(["resume", "out", "--retry-failed"]) == 4
    assert batches.asked.count("POST /v1/batches") == sent == 1
