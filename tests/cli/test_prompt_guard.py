from __future__ import annotations

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.prompt_guard import quoted, refuse_broken_prompts
from runner.errors import ConfigError


def read_back(word: str) -> str:
    (argument,) = shlex.split(word)
    value = OverridesParser.create().parse_override(argument).value()
    assert isinstance(value, str)
    return value.replace("\\${", "${")


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1))
def test_the_quoted_form_is_read_back_literally(text):
    assert read_back(quoted("request.prompt", text)) == text


@pytest.mark.parametrize("text", ["it's raining", "(yes)", "café", "🎬 action", 'she said "go"', "a: b, {c", "[a, b"])
def test_a_prompt_that_hydra_cannot_read_is_answered_with_the_command_to_type(text):
    with pytest.raises(ConfigError) as caught:
        refuse_broken_prompts([f"request.prompt={text}"])
    assert caught.value.exit_code == 2
    assert quoted("request.prompt", text) in (caught.value.hint or "")
    assert "request.prompt_file" in (caught.value.hint or "")


def test_a_comma_that_would_pay_for_two_runs_is_refused():
    with pytest.raises(ConfigError, match="2 separate paid runs"):
        refuse_broken_prompts(["request.prompt=a cat, and a dog"])


@pytest.mark.parametrize(
    "override",
    [
        "request.prompt=a cat and a dog",
        "request.prompt='a cat, and a dog'",
        "request.prompt='a cat, and a dog','a bird, alone'",
        "request.prompt=cat,dog",
        "request.duration_seconds=4, 8",
        "+experiment=x",
        "request.prompt=",
    ],
)
def test_what_hydra_reads_as_meant_passes(override):
    refuse_broken_prompts([override])
