"""Batches whose process is killed on purpose at the moments that matter; the server's account says what was paid."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from test_processes import HOURS, ended, started

from tests.emulator_thread import EmulatorThread
from tests.forking import Forked
from tests.waiting import wait_until

RUNS = 3


@dataclass(frozen=True)
class Sweep:
    """A sweep of images in a batch, at a server, in a directory."""

    cwd: Path
    server: EmulatorThread
    open: ExitStack

    def start(self, *arguments: str) -> Forked:
        return started(self.cwd, self.open, *arguments)

    def begin(self) -> Forked:
        return self.start(
            *("-m", "provider=openai", f"provider.base_url={self.server.base_url}", "provider.retired_models=off"),
            *(
                "provider.poll_interval=0.05",
                "provider.max_poll_attempts=1000000",
                "model=gpt-image-2",
                "request=image",
                "request.size=1024x640",
            ),
            *("request.quality=low", "batch=true", "request.prompt=a fox,a whale,a heron", "hydra.sweep.dir=sweep"),
        )

    def resume(self, *flags: str) -> tuple[int, str]:
        return ended(self.start("resume", "sweep", *flags))

    @property
    def statuses(self) -> Counter[str]:
        paths = self.cwd.glob("sweep/*/result.json")
        return Counter(json.loads(path.read_text())["status"] for path in paths)

    def asked(self, route: str) -> int:
        return int(self.server.ledger()["requests"].get(route, 0))

    def paid(self) -> Sequence[int]:
        """How often the work of each prompt was paid."""
        return sorted(Counter(each["prompt"] for each in self.server.ledger()["image_requests"]).values())


@pytest.fixture
def sweep(make_emulator, tmp_path) -> Iterator[Callable[..., Sweep]]:
    with ExitStack() as stack:

        def build(*rules: dict[str, Any], **settings: Any) -> Sweep:
            return Sweep(tmp_path, make_emulator(rules=rules, **settings), stack)

        yield build


def killed(process: Forked) -> None:
    process.kill()
    process.wait()


def rule(operation: str, fault: str, **more: Any) -> dict[str, Any]:
    return {"match": {"operation": operation}, "fault": fault, "times": 1, **more}


def finished(here: Sweep, *flags: str) -> None:
    code, said = here.resume(*flags)
    assert code == 0, said
    assert here.statuses == {"verified": RUNS}
    assert here.paid() == [1] * RUNS
    assert here.server.ledger()["batches"] == 1
    assert not (here.cwd / "sweep/batches").exists()
    assert "nothing to do" in here.resume()[1]


def test_killed_after_the_ledger_and_before_the_upload(sweep):
    here = sweep(rule("file_create", "stalled"))
    process = here.begin()
    wait_until(lambda: here.asked("POST /v1/files") == 1)
    assert here.statuses == {"submitting": RUNS}
    killed(process)
    finished(here)


def test_killed_after_the_upload_and_before_the_batch_is_created(sweep):
    here = sweep(rule("batch_create", "rate_limit", retry_after=30_000))
    process = here.begin()
    wait_until(lambda: "sent again" in "".join(path.read_text() for path in here.cwd.glob("sweep/*/runner.log")))
    killed(process)
    finished(here)


def test_killed_after_the_batch_was_created_and_before_its_answer(sweep):
    here = sweep(rule("batch_create", "stalled", commit=True))
    process = here.begin()
    wait_until(lambda: here.server.ledger()["batches"] == 1)
    killed(process)
    finished(here)


def test_killed_when_the_batch_was_perhaps_created_it_is_never_sent_again_by_itself(sweep):
    here = sweep(rule("batch_create", "stalled"))
    process = here.begin()
    wait_until(lambda: here.asked("POST /v1/batches") == 1)
    killed(process)
    for _ in range(2):
        code, said = here.resume()
        assert code == 4, said
        assert "--resubmit-uncertain" in said
    assert here.statuses == {"uncertain": RUNS}
    assert here.asked("POST /v1/batches") == 1
    finished(here, "--resubmit-uncertain")


def test_killed_while_the_batch_is_worked_on(sweep, clock):
    clock.time = time.time()
    here = sweep(now=clock, latency=HOURS, time_scale=1, retention=HOURS * 10)
    process = here.begin()
    wait_until(lambda: here.statuses == {"submitted": RUNS})
    killed(process)
    clock.time += HOURS
    finished(here)


def test_killed_while_the_results_are_downloaded(sweep):
    here = sweep(rule("file_content", "slow_body", seconds=3000))
    process = here.begin()
    wait_until(lambda: here.asked("GET /v1/files/{file_id}/content") == 1)
    wait_until(lambda: any(path.stat().st_size for path in here.cwd.glob("sweep/batches/*.part")))
    killed(process)
    finished(here)


def test_killed_when_the_first_image_is_finished(sweep):
    here = sweep()
    process = here.begin()
    wait_until(lambda: here.statuses["verified"] > 0)
    killed(process)
    finished(here)


def test_ctrl_c_leaves_the_batch_running_and_says_what_to_type(sweep, clock):
    clock.time = time.time()
    here = sweep(now=clock, latency=HOURS, time_scale=1, retention=HOURS * 10)
    process = here.begin()
    wait_until(lambda: here.statuses == {"submitted": RUNS})
    process.send_signal(signal.SIGINT)
    code, said = ended(process)
    assert code == 130, said
    assert "python -m runner resume sweep" in said
    assert "a batch is at the provider, under way also while nobody waits, or done" in said
    assert "python -m runner cancel sweep" in said
    clock.time += HOURS
    finished(here)


def test_a_cancelled_batch_keeps_what_is_done(sweep, clock):
    clock.time = time.time()
    here = sweep(now=clock, latency=HOURS, time_scale=1, retention=HOURS * 10)
    process = here.begin()
    wait_until(lambda: here.statuses == {"submitted": RUNS})
    clock.time += HOURS * 0.6
    wait_until(lambda: ": 2 of 3" in ended(here.start("ls", "."))[1])
    code, said = ended(here.start("cancel", "sweep"))
    assert code == 0, said
    assert "kept and charged" in said
    code, said = ended(process)
    assert code == 1, said
    assert here.statuses == {"verified": 2, "cancelled": 1}
    assert here.paid() == [1, 1]
    code, said = ended(here.start("cancel", "sweep"))
    assert (code, "no batch that may still run" in said) == (2, True)


def test_a_batch_that_is_not_cancelled_is_named_and_goes_on(sweep, clock):
    clock.time = time.time()
    refused = {"match": {"operation": "batch_cancel"}, "fault": "unauthorized", "times": 1}
    here = sweep(refused, now=clock, latency=HOURS, time_scale=1, retention=HOURS * 10)
    process = here.begin()
    wait_until(lambda: here.statuses == {"submitted": RUNS})
    code, said = ended(here.start("cancel", "sweep"))
    assert code == 1, said
    assert "is not cancelled: " in said
    assert "nothing was cancelled: what was sent goes on, and is charged; python -m runner cancel sweep tries" in said
    assert "kept and charged" not in said
    code, said = ended(here.start("cancel", "sweep"))
    assert (code, "kept and charged" in said, "nothing was cancelled" in said) == (0, True, False), said
    ended(process)
