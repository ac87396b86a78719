"""A path that the system does not let anyone use is named with what to do, by every command that takes one."""

from __future__ import annotations

import pytest

from runner.app import run

ON_A_DIRECTORY = ["cancel", "ls", "open", "rank", "repeat", "report", "resume", "rm", "score", "show", "view"]


@pytest.fixture
def refusal(tmp_path, monkeypatch, capsys):
    """Execute a command line that is refused; the error's message and hint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "1000")

    def refused(*arguments: str) -> str:
        assert run(arguments) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert len(said.splitlines()) > 1, "there is a hint"
        return said

    return refused


@pytest.mark.parametrize("name", ON_A_DIRECTORY)
def test_a_name_that_is_too_long_is_refused(refusal, name):
    assert "x" * 100 in refusal(name, "x" * 300)


@pytest.mark.parametrize("name", ON_A_DIRECTORY)
def test_a_directory_that_may_not_be_read_is_named(refusal, tmp_path, closed, name):
    (tmp_path / "one/0").mkdir(parents=True)
    closed(tmp_path / "one")
    said = refusal(name, "one")
    assert "one" in said
    assert "Permission denied" in said
    assert "one/0" in refusal(name, "one/0")


def test_a_directory_to_reuse_from_with_too_long_a_name_is_refused(refusal):
    said = refusal("provider=emulator", "reuse=true", f"reuse_from=[{'x' * 300}]")
    assert "reuse_from" in said
    assert "is no directory" in said


def test_what_may_not_be_looked_into_below_a_directory_is_said_beside_the_rest(tmp_path, monkeypatch, capsys, closed):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs/one").mkdir(parents=True)
    closed(tmp_path / "outputs/one")
    assert run(["ls"]) == 0
    assert "outputs/one cannot be looked into, and may hold runs: Permission denied" in capsys.readouterr().err
