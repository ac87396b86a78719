from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.shell import command, line, shown, word

texts = st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
biting = st.text(alphabet=st.sampled_from("\\\\\\${}'\"`!#&|;<>*?~ \n\ta="))


def by_bash(typed: str) -> list[str]:
    """The words that bash makes of a line."""
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {typed}"], capture_output=True, check=True, timeout=60)
    return done.stdout.decode().split("\0")[:-1]


@given(st.lists(texts | biting, min_size=20, max_size=40))
@settings(max_examples=20)
def test_bash_reads_the_words_that_were_meant(words):
    assert by_bash(line(words)) == words


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("request.size=1280x720", "request.size=1280x720"),
        ("outputs/my film", "'outputs/my film'"),
        ("request.prompt='A red fox'", "\"request.prompt='A red fox'\""),
        ("it's", '"it\'s"'),
        ("it's $5", '"it\'s \\$5"'),
        ("", "''"),
    ],
)
def test_quotes_are_as_few_as_possible(text, typed):
    assert word(text) == typed


@given(biting)
def test_no_earlier_command_is_called_up(text):
    typed = word(f"!{text}")
    assert not typed.startswith('"')


def test_a_command_names_its_directory_as_the_shell_wants_it():
    assert command("resume", Path("out", "a b"), "--rebuild") == "python -m runner resume 'out/a b' --rebuild"


def test_a_path_is_shown_from_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "out") == Path("out")
    assert shown(tmp_path) == Path()
    assert shown(tmp_path.parent) == tmp_path.parent
