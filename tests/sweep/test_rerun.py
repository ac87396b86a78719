"""The same command into the same directory goes on with what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.artifacts.result import RunStatus
from runner.artifacts.result_file import read_result

from .resumable import again, created, states


def test_the_same_command_goes_on_and_another_is_refused(sweep, here, rewind, forget, emulator, capsys):
    command = ("request.prompt=a,b", "replica=0,1")
    assert sweep(*command) == 0
    rewind(0, "submitted")
    forget(3)
    assert sweep(*command) == 0
    assert created(emulator) == 5
    assert states(here / "out") == ["verified"] * 4
    requests = emulator.ledger()["requests"]
    capsys.readouterr()
    for other in (("request.prompt=a,c", "replica=0,1"), ("request.prompt=a,b",), ("replica=0",)):
        assert sweep(*other) == 2
        said = capsys.readouterr().err
        assert "holds another" in said
        assert "Traceback" not in said
    assert emulator.ledger()["requests"] == requests
    assert sweep(*command) == 0
    assert emulator.ledger()["requests"] == requests


def test_the_same_command_in_batches_goes_on(sweep, here, rewind, emulator):
    command = ("replica=0,1,2", "hydra.sweeper.max_batch_size=2")
    assert sweep(*command) == 0
    rewind(0, "submitted")
    rewind(2, "completed")
    assert sweep(*command) == 0
    assert states(here / "out") == ["verified"] * 3
    assert created(emulator) == 3


def test_several_videos_of_one_command_go_on(single, here, rewind, emulator):
    command = ("request.number_of_videos=3", "hydra.sweep.dir=out")
    assert single(*command) == 0
    rewind(1, "submitted")
    assert single(*command) == 0
    rewind(2, "completed")
    assert again() == 0
    assert states(here / "out") == ["verified"] * 3
    assert created(emulator) == 3


@pytest.fixture
def elsewhere(make_emulator, tmp_path: Path):
    """A second server, to fall back to."""
    return make_emulator(state_file=tmp_path / "elsewhere.sqlite3")


@pytest.mark.parametrize("rerun", [True, False])
def test_a_run_that_fell_back_goes_on_at_its_second_choice(sweep, here, rewind, make_emulator, elsewhere, rerun):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 1, "fault": "internal"}])
    second = f"{{base_url: '{elsewhere.base_url}', kind: openai, retired_models: 'off', poll_interval: 0.02}}"
    command = ("replica=0", f"fallbacks=[{{provider: {second}}}]")
    assert sweep(*command, server=server) == 0
    assert read_result(here / "out/0").choice == 1
    rewind(0, "submitted")
    polled = server.ledger()["requests"]
    assert (sweep(*command, server=server) if rerun else again()) == 0
    assert server.ledger()["requests"] == polled
    assert (created(server), created(elsewhere)) == (1, 1)
    result = read_result(here / "out/0")
    assert (result.status, result.choice, len(result.attempts)) == (RunStatus.VERIFIED, 1, 2)
