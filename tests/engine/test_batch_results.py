"""Files of results: where their lines are, what each says, and what is kept of those that belong to nobody."""

from __future__ import annotations

import asyncio
import json

import pytest

from runner.engine.batch_results import Span, Throttle, discard_rest, keep_stray, read_span, spans
from runner.providers.batch import ResultLine


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a\nbc\n", [b"a", b"bc"]),
        (b"a\nbc", [b"a", b"bc"]),
        (b"\n\na\n", [b"", b"", b"a"]),
        (b"x" * 3_000_000 + b"\ny\n", [b"x" * 3_000_000, b"y"]),
    ],
)
def test_lines_are_found_without_being_held(tmp_path, content, lines):
    path = tmp_path / "results"
    path.write_bytes(content)
    assert [content[span.start : span.start + span.length] for span in spans(path)] == lines


def read(path, content, wanted=lambda _: True):
    path.write_bytes(content)
    return read_span(path, Span(0, len(content)), wanted)


def test_a_line_is_read_if_it_is_wanted(tmp_path):
    raw = json.dumps({"id": "x", "custom_id": "m.7", "response": {"body": {"data": "y" * 5000}}}).encode()
    asked = []
    found = read(tmp_path / "results", raw, lambda name: asked.append(name) or name == "m.7")
    assert isinstance(found, ResultLine)
    assert (found.custom_id, asked) == ("m.7", ["m.7"])
    assert read(tmp_path / "results", raw, lambda _: False) is None


def test_a_line_whose_name_stands_at_its_end_is_read(tmp_path):
    raw = json.dumps({"response": {"body": {"data": "y" * 5000}}, "custom_id": "m.7"}).encode()
    found = read(tmp_path / "results", raw)
    assert isinstance(found, ResultLine)
    assert found.custom_id == "m.7"


@pytest.mark.parametrize("raw", [b"<html>", b"[1]", b'{"id": 1}', b"\xff\xfe"])
def test_a_line_that_cannot_be_read_is_returned_as_it_came(tmp_path, raw):
    assert read(tmp_path / "results", raw) == raw


def test_a_line_that_is_cut_is_kept_as_it_came(tmp_path):
    raw = b'{"custom_id": "m.1", "response": {"body": {"data": [{"b64_json": "iVBORw0K'
    found = read(tmp_path / "results", raw)
    assert isinstance(found, ResultLine)
    assert (found.custom_id, found.content) == ("m.1", raw)


@pytest.mark.parametrize("raw", [b"", b" \r"])
def test_an_empty_line_is_nothing(tmp_path, raw):
    assert read(tmp_path / "results", raw) is None


def test_a_stray_line_is_kept_once(tmp_path):
    results = tmp_path / "m.output.jsonl"
    results.write_bytes(b"one\ntwo\n")
    first, second, again = (keep_stray(tmp_path, "m", results, span) for span in (*spans(results), Span(0, 3)))
    assert (first.read_bytes(), second.read_bytes(), again) == (b"one", b"two", first)
    discard_rest(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [first.name, second.name]


def test_lines_that_are_long_are_worked_on_alone():
    async def play():
        throttle = Throttle(10)
        await throttle.enter(4)
        await throttle.enter(6)
        long = asyncio.create_task(throttle.enter(100))
        await asyncio.sleep(0)
        assert not long.done()
        await throttle.leave(4)
        await asyncio.sleep(0)
        assert not long.done()
        await throttle.leave(6)
        await long

    asyncio.run(play())
