"""The quick way of reading an answer keeps what the careful one keeps."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runner.providers.json_answer import kept, read_json, stream_documents

SECRET = "sk-canary-7f3a"

text = st.text(st.characters(codec=None), max_size=8) | st.just(f"key {SECRET}")
flatten = st.none() | st.booleans() | st.integers() | st.floats() | text
keys = text | st.just("b64_json")


def redact(given_text: str) -> str:
    return given_text.replace(SECRET, "***")


def deep(levels: int):
    value: object = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@example([{"a": "\ud800"}])
@example({SECRET: 1})
@example({"b64_json": SECRET})
@example({"b64_json": [SECRET]})
@example([float("nan"), float("inf"), 1e300])
@example(SECRET)
@example(deep(63))
@example(deep(64))
@example(deep(65))
@example(deep(66))
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(flatten, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)))
def test_whatever_is_answered(value):
    answer = json.dumps(value)
    assert read_json(answer, redact) == kept(json.loads(answer), redact)


def test_what_is_no_json_is_none():
    assert read_json("<html>", redact) is None


async def pieces(*chunks: bytes):
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize("line", [b"x" * 10, b"data: 12345678\n", b"{12345678}\n"])
async def test_an_event_without_an_end_is_broken_off(line):
    with pytest.raises(ValueError, match="more than 100"):
        async for _ in stream_documents(pieces(*[line] * 20), str, 100):
            pass


async def test_a_stream_may_be_longer_than_its_longest_event():
    events = [f'data: {{"n": {number}}}\n\n'.encode() for number in range(20)]
    found = [each async for each in stream_documents(pieces(*events), str, 100)]
    assert found == [{"n": number} for number in range(20)]
