"""Named values in a text, and the braces that a text keeps."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.config.request import as_text, fill, placeholders
from runner.errors import ConfigError

NAMES = {"style": "noir", "subject": "a fox, {style}", "seed": 7, "loud": True, "scale": 0.5, "tags": ["a"],
         "vars": {"film-stock": "35 mm", "light": {"kind": "neon"}}, "a.b": "dotted", "empty": None}  # fmt: skip


@pytest.mark.parametrize(("text", "made"), [
    ("{subject}", "a fox, {style}"),
    ("A {style} film, {style}.", "A noir film, noir."),
    ("{seed} {loud} {scale}", "7 true 0.5"),
    ("{vars.film-stock} {vars.light.kind} {a.b}", "35 mm neon dotted"),
    ("{{style}} is {style}", "{style} is noir"),
    ("{{{style}}}", "{noir}"),
    ("${style} ${oc.env:HOME} {style}", "${style} ${oc.env:HOME} noir"),
    ("${style}} {style}", "${style}} noir"),
    ('{"a": {"b": "{style}"}}', '{"a": {"b": "noir"}}'),
    ("{ style } {1} {} } { {style}", "{ style } {1} {} } { noir"),
])  # fmt: skip
def test_placeholders_are_filled(text, made):
    assert fill(text, NAMES) == made


@pytest.mark.parametrize("text", ["", "{{ and }}", '{"a": {"b": 1}}', "{{style}}", "${style}", "{0} { style }"])
def test_a_text_without_a_placeholder_stays_as_it_is(text):
    assert fill(text, {}) == text
    assert placeholders(text) == []


words = st.text(st.characters(codec="utf-8", exclude_characters="{}$"), max_size=5)


@given(st.recursive(words, lambda inner: st.dictionaries(words, inner, max_size=3), max_leaves=6), st.booleans())
def test_json_beside_a_placeholder_keeps_its_braces(value, tight):
    text = json.dumps(value, separators=(",", ":") if tight else None)
    assert fill(f"{text} {{x}}", {"x": "y"}) == f"{text} y"


@given(st.text(), st.text())
def test_values_are_inserted_exactly(before, value):
    before = before.replace("{", "").replace("}", "").replace("$", "")
    assert fill(f"{before}{{x}}", {"x": value}) == before + value


@given(st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_as_yaml_writes_them(number):
    assert as_text(number) == yaml.safe_dump(number).split("\n")[0]


def test_placeholders_are_named_once_in_their_order():
    assert placeholders("{b} {a.c} {b} {{d}} ${e} {f-g}") == ["b", "a.c", "f-g"]


@pytest.mark.parametrize(("text", "message", "hint"), [
    ("{stile}", "{stile} stands for nothing that is known", "did you mean {style}? {{ is a brace that is text"),
    ("{vars.light.kid}", "{vars.light.kid} stands for nothing", "did you mean {vars.light.kind}?"),
    ("{zzz}", "{zzz} stands for nothing", "known: style, subject"),
    ("{tags}", "{tags} is a list", "give it one value"),
    ("{vars.light}", "{vars.light} is a mapping", "one of its values: {vars.light.kind}"),
    ("{empty}", "{empty} has no value", "give empty one"),
    ("{seed.x}", "{seed.x} stands for nothing", ""),
])  # fmt: skip
def test_a_name_without_a_single_value_is_refused(text, message, hint):
    with pytest.raises(ConfigError) as caught:
        fill(text, NAMES)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_name_is_refused_where_none_is_known():
    with pytest.raises(ConfigError, match=r"\{x\} stands for nothing") as caught:
        fill("{x}", {})
    assert caught.value.hint == "{{ is a brace that is text"
