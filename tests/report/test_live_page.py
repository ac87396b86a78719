"""A sweep that is watched, interrupted, and killed, in processes whose jobs take as long as the test wants."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.app import run
from tests.forking import Forked
from tests.waiting import wait_until


@pytest.fixture
def stopped(served, here: Path, read, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], tuple[int, dict]]:
    """Start a sweep of two runs, stop it once its page shows both at work; its exit code and that page."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-throw-away")
    overrides = [
        *("provider=openai", f"provider.base_url={served.base_url}", "provider.retired_models=off", "request=draft"),
        *("provider.poll_interval=0.05", "provider.deadline_seconds=1000000", "hydra.sweep.dir=out", "replica=0,1"),
    ]

    def both_at_work() -> dict:
        page = read(here / "out/index.html") if (here / "out/index.html").exists() else {}
        return page if page.get("totals", {}).get("generating") == 2 else {}

    def stop(number: int) -> tuple[int, dict]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "HYDRA_"))}
        with Forked("runner", ["-m", *overrides], cwd=here, env=environment, stdout=subprocess.DEVNULL) as it:
            page = wait_until(both_at_work, it)
            assert run(["report", "out", "--output", "watched.html"]) == 0
            watched = read(here / "watched.html")
            assert (watched["complete"], watched["totals"]["generating"]) == (False, 2), (
                "the lock tells that it is at work"
            )
            it.send_signal(number)
            return it.wait(), page

    return stop


def test_after_an_interrupt_the_page_says_how_to_go_on_and_that_command_works(stopped, clock, read):
    code, page = stopped(signal.SIGINT)
    assert (code, page["complete"]) == (130, False)
    left = read(Path("out/index.html"))
    assert (left["complete"], left["totals"]["generating"]) == (True, 2)
    (command,) = {cell["continue"] for cell in left["cells"]}
    assert left["sweeps"][0]["resume"] == command == "python -m runner resume out"
    assert all("goes on at the provider" in cell["reason"] for cell in left["cells"])

    assert run(["report", "out/0"]) == 0
    assert read(Path("out/0/index.html"))["cells"][0]["continue"] == command, "one run goes on with its sweep"

    clock.time += clock.long
    assert run(command.split()[3:]) == 0
    done = read(Path("out/index.html"))
    assert (done["totals"]["done"], done["totals"]["resumed"]) == (2, 2)
    assert done["totals"]["spent_usd"] == left["totals"]["spent_usd"] > 0
    assert done["totals"]["resumed_usd"] == done["totals"]["spent_usd"], "paid once, by the process that was stopped"


def test_the_page_of_a_killed_sweep_names_what_goes_on_with_it(stopped, read):
    code, page = stopped(signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert page["sweeps"][0]["resume"] == "python -m runner resume out"
    assert run(["report", "out"]) == 0
    found = read(Path("out/index.html"))
    assert (found["complete"], [cell["group"] for cell in found["cells"]]) == (True, ["generating", "generating"])
