"""A directory that was copied asks before it pays for what its original may have paid for; a moved one does not."""

from __future__ import annotations

import shutil

import pytest

from runner.app import run

from .resumable import created, states


@pytest.fixture
def half(sweep, here, rewind, forget, emulator):
    """A sweep of which one run is finished, one is at the provider and one was never begun."""
    assert sweep("request.prompt=a,b,c") == 0
    rewind(1, "submitted")
    forget(2)
    return here / "out"


def test_a_copy_brings_home_what_exists_and_asks_before_it_pays(half, here, emulator, capsys):
    shutil.copytree(half, here / "copy")
    capsys.readouterr()
    assert run(["resume", "copy"]) == 2
    said = capsys.readouterr().err
    assert f"copy is a copy of {half}, which may have paid for 1 run since; nothing was sent for it" in said
    assert f"python -m runner resume {half}" in said
    assert "python -m runner resume copy --copied" in said
    assert states(here / "copy") == ["verified", "verified", "planned"]
    assert created(emulator) == 3
    assert run(["resume", "out"]) == 0
    assert created(emulator) == 4
    assert run(["resume", "copy", "--copied"]) == 0
    assert created(emulator) == 5, "both were asked for"
    capsys.readouterr()
    assert run(["resume", "copy"]) == 0
    assert "is a copy" not in capsys.readouterr().err


def test_a_copy_deletes_nothing_at_the_provider(half, here, emulator):
    shutil.copytree(half, here / "copy")
    run(["resume", "copy", "delete_remote=true"])
    assert run(["resume", "out"]) == 0
    assert states(half) == ["verified"] * 3


def test_the_same_command_into_a_copy_asks_too(half, sweep, here, emulator, capsys):
    shutil.copytree(half, here / "copy")
    capsys.readouterr()
    assert sweep("request.prompt=a,b,c", directory="copy") == 2
    assert "--copied" in capsys.readouterr().err
    assert created(emulator) == 3


@pytest.mark.parametrize("copied_first", [True, False])
def test_a_moved_directory_goes_on_without_a_question(half, here, emulator, capsys, copied_first):
    if copied_first:
        shutil.copytree(half, here / "elsewhere")
        shutil.rmtree(half)
    else:
        half.rename(here / "elsewhere")
    assert run(["resume", "elsewhere"]) == 0
    assert states(here / "elsewhere") == ["verified"] * 3
    assert created(emulator) == 4


def test_a_finished_copy_has_nothing_to_ask(half, here, capsys):
    assert run(["resume", "out"]) == 0
    shutil.copytree(half, here / "copy")
    capsys.readouterr()
    assert run(["resume", "copy"]) == 0
    assert "nothing to do" in capsys.readouterr().out
