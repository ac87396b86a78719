"""The question before much money is spent, on a real terminal."""

from __future__ import annotations

import os
from pathlib import Path

import pexpect
import pytest

from tests.terminal import Terminal

from .conftest import QUICK

DEAR = ("-m", "request.duration_seconds=4,8", "budget.count_emulator=true", "budget.confirm_above_usd=1")


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2), ("", 2)])
def test_a_dear_sweep_asks_and_anything_but_yes_leaves_it(tmp_path: Path, answer: str, code: int) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "AZURE_", "HYDRA_"))}
    child = Terminal([*DEAR, *QUICK], tmp_path, environment, rows=40, columns=160)
    try:
        child.expect_exact("these 2 runs would cost $1.20 at list price. Start? [y/N] ")
        assert [*tmp_path.iterdir()] == [], "nothing was written yet"
        child.sendline(answer)
        child.expect(pexpect.EOF)
    finally:
        child.close()
    assert child.exitstatus == code
    assert any(tmp_path.rglob("video.mp4")) is (answer == "y")
    if answer != "y":
        assert "not started; nothing was sent" in child.before
        assert "yes=true" in child.before


PROMPTS = "\n".join(f"{subject} in the snow" for subject in ("a fox", "a whale", "a train", "a kite", "a cat", "a dog"))


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2)])
def test_a_file_of_short_lines_asks_whether_it_is_one_prompt(tmp_path: Path, answer: str, code: int) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "AZURE_", "HYDRA_"))}
    (tmp_path / "p.txt").write_text(PROMPTS, encoding="utf-8")
    child = Terminal(["request.prompt_file=p.txt", *QUICK], tmp_path, environment, rows=40, columns=160)
    try:
        child.expect_exact("request.prompt_file=p.txt has 6 short lines that would be sent as one prompt. Is it one")
        assert [*tmp_path.iterdir()] == [tmp_path / "p.txt"], "nothing was written yet"
        child.sendline(answer)
        child.expect(pexpect.EOF)
    finally:
        child.close()
    assert child.exitstatus == code
    assert any(tmp_path.rglob("video.mp4")) is (answer == "y")
