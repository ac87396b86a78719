from __future__ import annotations

import subprocess
import sys

import pytest

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.engine.run import Outcome
from runner.errors import ConfigError, DiskError


def test_importing_the_engine_loads_nothing_heavy():
    program = (
        "import sys, runner.engine.run;"
        "print([name for name in ('openai', 'httpx2', 'av', 'PIL', 'hydra', 'omegaconf') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def outcome(*statuses, **facts):
    return Outcome([Result.model_construct(status=RunStatus(status)) for status in statuses], **facts)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (outcome("verified", "verified"), 0),
        (outcome("verified", "failed", "submitted"), 1),
        (outcome("expired"), 1),
        (outcome("planned", stopped_by=ConfigError("no key")), 2),
        (outcome("verified", "submitted"), 4),
        (outcome("uncertain"), 4),
        (outcome("failed", "planned", stopped_by=DiskError("full")), 5),
        (outcome("failed", "planned", interrupted=2), 130),
        (outcome("verified", interrupted=15), 143),
    ],
)
def test_exit_codes(what, code):
    assert what.exit_code == code
