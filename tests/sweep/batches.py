"""What tests of batches share: what is typed, and what came of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_thread import EmulatorThread

PROMPTS = "request.prompt=a fox,a whale,a heron,an owl"

VIDEO = ("model=sora-2", "request=video", "request.duration_seconds=4")

Command = Callable[..., int]


def results(place: str = "out") -> list[dict[str, Any]]:
    paths = sorted(Path(place).glob("*/result.json"), key=lambda path: int(path.parent.name))
    return [json.loads(path.read_text()) for path in paths]


def statuses() -> Counter[str]:
    return Counter(result["status"] for result in results())


def paid(server: EmulatorThread) -> Counter[str]:
    return Counter(request["prompt"] for request in server.ledger()["image_requests"])


def requests(server: EmulatorThread, route: str) -> int:
    return server.ledger()["requests"].get(route, 0)


def once(fault: str, operation: str, **more: Any) -> dict[str, Any]:
    return {"match": {"operation": operation}, "fault": fault, "times": 1, **more}


def left() -> list[str]:
    """What lies in the sweep's folder of batches."""
    return sorted(path.name for path in Path("out/batches").glob("*"))


def bound(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    monkeypatch.setattr("runner.ledger.ledger.LedgerBatches.__init__.__kwdefaults__", limits)
