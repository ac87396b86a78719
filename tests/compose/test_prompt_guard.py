from __future__ import annotations

import io
import subprocess
import sys

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from runner.compose.typed import quoted, refuse_broken_prompts
from runner.display.output import print_error
from runner.errors import ConfigError


def composed(argument: str) -> str:
    """What Hydra's parser and OmegaConf's interpolation leave of an override's value."""
    value = OverridesParser.create().parse_override(argument).value()
    assert isinstance(value, str)
    read: str = OmegaConf.to_container(OmegaConf.create({"prompt": value}), resolve=True)["prompt"]
    return read


def by_bash(line: str) -> list[str]:
    """The words that bash makes of a line."""
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True, timeout=60)
    return done.stdout.decode().split("\0")[:-1]


def printed(text: str) -> str:
    """What the terminal shows of the refusal of a prompt that Hydra cannot read."""
    with pytest.raises(ConfigError) as caught:
        refuse_broken_prompts([f"request.prompt=({text}"], command="python -m runner")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", terminal := io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline=""))
        print_error(caught.value)
    terminal.seek(0)
    return terminal.read()


texts = st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1)
biting = st.text(alphabet=st.sampled_from("\\${}'\"`!#&|;<>*?~ \n\t,=()[]:%éa\u200d\ufeff\U0001f469"), min_size=1)


@given(st.lists(texts | biting, min_size=20, max_size=40))
@settings(max_examples=20)
def test_the_quoted_form_is_read_back_literally(prompts):
    typed = " ".join(quoted("request.prompt", text) for text in prompts)
    assert [composed(argument) for argument in by_bash(typed)] == prompts


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("A red fox", "\"request.prompt='A red fox'\""),
        ("It's a fox", "\"request.prompt='It\\'s a fox'\""),
        ("it costs $5", "'request.prompt=\"it costs $5\"'"),
        ("a fox!", "'request.prompt=\"a fox!\"'"),
        ("${19.99}", "'request.prompt=\"\\${19.99}\"'"),
    ],
)
def test_the_quotes_are_those_that_one_would_type(text, typed):
    assert quoted("request.prompt", text) == typed


def test_the_command_to_type_has_all_else_that_was_typed():
    with pytest.raises(ConfigError) as caught:
        refuse_broken_prompts(["provider=openai", "request.prompt=A", "red", "fox", "request.size=720x1280"])
    said = "python -m runner provider=openai request.size=720x1280 \"request.prompt='A red fox'\""
    assert said in (caught.value.hint or "")


@pytest.mark.parametrize("typed", [["request.prompt=“A red fox”"], ["request.prompt=“A", "red", "fox”"]])
def test_quotes_of_a_word_processor_are_no_part_of_a_prompt(typed):
    with pytest.raises(ConfigError, match="no quotes to") as caught:
        refuse_broken_prompts(typed)
    assert quoted("request.prompt", "A red fox") in (caught.value.hint or "")


@pytest.mark.parametrize("override", ["request.prompt=for ${19.99}", r"request.prompt='for ${19.99}'"])
def test_a_price_is_no_reference(override):
    with pytest.raises(ConfigError, match="look up") as caught:
        refuse_broken_prompts([override])
    assert quoted("request.prompt", "for ${19.99}") in (caught.value.hint or "")


@given(texts | biting)
@settings(max_examples=60)
def test_a_printed_command_repeats_the_prompt_letter_for_letter_or_there_is_none(text):
    commands = [line.strip() for line in printed(text).splitlines() if line.startswith("    python -m runner ")]

    assert commands[-1] == "python -m runner request.prompt_file=prompt.txt"
    for command in commands[:-1]:
        (argument,) = by_bash(command.removeprefix("python -m runner "))
        assert composed(argument) == f"({text}"


@pytest.mark.parametrize(
    "text", ["\U0001f469\u200d\U0001f52c (laughing", "two\nlines (", "a\ttab (", "x (" * 2000, "\ufeff("]
)
def test_what_a_terminal_would_change_is_never_shown_as_a_command(text):
    said = printed(text)
    assert "request.prompt=" not in said.replace("request.prompt='first'", "")
    assert "request.prompt_file=prompt.txt" in said


def test_a_terminal_without_the_letters_is_given_no_command_with_them(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    with pytest.raises(ConfigError) as caught:
        refuse_broken_prompts(["request.prompt=un café"])
    assert "caf" not in (caught.value.hint or "")


def test_a_negative_prompt_has_no_file():
    with pytest.raises(ConfigError) as caught:
        refuse_broken_prompts(["+request.negative_prompt=(blurred"])
    hint = caught.value.hint or ""
    assert quoted("request.negative_prompt", "(blurred") in hint
    assert "prompt_file" not in hint


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
        "request.prompt=by ${oc.env:USER} for ${.aspect_ratio}",
        r"request.prompt='for \${19.99}'",
    ],
)
def test_what_hydra_reads_as_meant_passes(override):
    refuse_broken_prompts([override])
