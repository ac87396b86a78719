"""Numbers and paths behind a command that can mean nothing: each is refused in one message, before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.app import run

PATHS = [
    ["cancel"], ["character", "create", "--name", "x"], ["ls"], ["open"], ["rank"], ["ratings", "import"], ["repeat"],
    ["report"], ["report", ".", "--output"], ["rank", ".", "--preferences"], ["resume"], ["rm"], ["show"], ["view"],
    ["view", ".", "--export"], ["score"], ["emulator", "--state"], ["emulator", "--faults"],
]  # fmt: skip
NUMBERS = [
    *(["report", ".", flag, text] for flag in ("--embed-mb", "--embed-total-mb") for text in ("nan", "inf", "1e400")),
    ["report", ".", "--embed-mb=-1"],
    ["rank", ".", "--seed=-1"],
    ["rank", ".", "--seed", "1.5"],
    ["rank", ".", "--seed", "9" * 5000],
    *(["score", ".", "--seconds", text] for text in ("nan", "inf", "1e10", "0")),
    *(["emulator", flag, "inf"] for flag in ("--latency", "--time-scale", "--retention")),
    ["emulator", "--video-bytes", "9" * 40],
    ["emulator", "--port", "65536"],
    ["view", "--port", "65536"],
]


@pytest.mark.parametrize("typed", [*NUMBERS, *([*each, ""] for each in PATHS)], ids=lambda words: " ".join(words)[:40])
def test_a_word_that_means_nothing_is_refused(tmp_path: Path, monkeypatch, capsys, typed):
    monkeypatch.chdir(tmp_path)
    assert run(typed) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert len(said) < 300
    if typed[-1] == "":
        assert "'' names no file or directory" in said
    assert [*tmp_path.iterdir()] == []
