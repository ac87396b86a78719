"""Files of results: where their lines are, what each says, and what is kept of those that belong to nobody."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from runner.artifacts.download import decode_span
from runner.engine.batch_results import (
    Span,
    Throttle,
    UnreadableLineError,
    content_of,
    discard_rest,
    keep_stray,
    read_span,
    spans,
)
from runner.providers.batch import ResultLine


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a\nbc\n", [b"a", b"bc"]),
        (b"a\nbc", [b"a", b"bc"]),
        (b"\n\na\n", [b"", b"", b"a"]),
        (b"x" * 3_000_000 + b"\ny\n", [b"x" * 3_000_000, b"y"]),
        (b"\xef\xbb\xbfa\nb", [b"a", b"b"]),
        (b'["a"]\n{"b": 1}', [b'["a"]', b'{"b": 1}']),
    ],
)
def test_lines_are_found_without_being_held(tmp_path, content, lines):
    path = tmp_path / "results"
    path.write_bytes(content)
    assert [content[span.start : span.start + span.length] for span in spans(path)] == lines


ODD = [{"a": '} ] , " \\'}, {"b": [1, [2, {}]], "c": {"d": []}}, 3, {}, "e"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "a mark"])
@pytest.mark.parametrize("indent", [None, 0, 3])
def test_the_elements_of_an_array_are_lines(tmp_path, indent, mark):
    path = tmp_path / "results"
    path.write_bytes(mark + json.dumps(ODD, indent=indent).encode() + b'\n{"f": 1}\nmore')
    *elements, end, after, more = [content_of(path, span) for span in spans(path)]
    assert [json.loads(element) for element in elements] == ODD
    assert (end, after, more) == (b"", b'{"f": 1}', b"more")


def test_an_empty_array_has_no_lines(tmp_path):
    path = tmp_path / "results"
    path.write_bytes(b" [ ]\n")
    assert [content_of(path, span).strip() for span in spans(path)] == [b"", b""]


@pytest.mark.parametrize("kept", [14, 17, 20])
def test_an_array_that_is_cut_ends_with_what_came_of_its_last_line(tmp_path, kept):
    path, whole = tmp_path / "results", b'[{"a": 1}, {"b": ",2"}]'
    path.write_bytes(whole[:kept])
    assert [content_of(path, span) for span in spans(path)] == [b'{"a": 1}', whole[10:kept]]


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
def test_a_line_that_names_no_request_is_nobodys(tmp_path, raw):
    with pytest.raises(UnreadableLineError):
        read(tmp_path / "results", raw)


def test_a_line_that_is_cut_is_its_runs(tmp_path):
    raw = b'{"custom_id": "m.1", "response": {"body": {"data": [{"b64_json": "iVBORw0K'
    found = read(tmp_path / "results", raw)
    assert isinstance(found, ResultLine)
    assert found.custom_id == "m.1"


def test_long_texts_of_images_stay_in_the_file(tmp_path):
    path, image = tmp_path / "results", bytes(range(256)) * 400
    encoded, unpadded = (base64.b64encode(content).decode().rstrip("=") for content in (image, image[:-2]))
    texts = [encoded + "==", unpadded, encoded[:-1], "short"]
    line = {"custom_id": "m.1", "response": {"body": {"data": [{"b64_json": text} for text in texts]}}}
    before = json.dumps({"custom_id": "m.0"}).encode() + b"\n"
    path.write_bytes(before + json.dumps(line).encode() + b"\n")
    _, span = spans(path)
    found = read_span(path, span, lambda _: True)
    assert isinstance(found, ResultLine)
    names = [each["b64_json"] for each in found.body["data"]]
    assert [name in found.data for name in names] == [True, True, True, False]
    whole = decode_span(path, *found.data[names[0]], tmp_path / "whole")
    assert (whole.path.read_bytes(), whole.bytes) == (image, len(image))
    assert decode_span(path, *found.data[names[1]], tmp_path / "rest").path.read_bytes() == image[:-2]
    # It is cut within a group, and no plain base64 any more: whoever checks it decodes it.
    assert decode_span(path, *found.data[names[2]], tmp_path / "text").path.read_text() == texts[2]
    assert json.loads(content_of(path, span)) == line


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


def test_of_any_number_of_stray_lines_a_hundred_are_kept(tmp_path):
    results = tmp_path / "m.output.jsonl"
    results.write_bytes(b"".join(b"%d\n" % number for number in range(103)))
    kept = [keep_stray(tmp_path, "m", results, span) for span in spans(results)]
    assert kept[100:] == [None] * 3
    assert len({*kept[:100]}) == len([*tmp_path.glob("m.line-*.json")]) == 100
    assert keep_stray(tmp_path, "m", results, Span(0, 1)) == kept[0]


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
