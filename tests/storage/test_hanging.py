"""A storage that accepts a request and never answers holds up no sweep, and costs no run."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from runner.app import run
from tests.storage.bucket import S3
from tests.storage.door import Request


class Hanging:
    """Let a storage hang at the file of a name. From then on, hours pass between two looks at the clock."""

    def __init__(self, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        self._s3 = s3
        self._patch = monkeypatch
        self.hangs, self._go_on = threading.Event(), threading.Event()

    def at(self, name: str) -> None:
        def fault(request: Request) -> None:
            if request.method == "PUT" and request.path.partition("?")[0].endswith(name):
                self.hangs.set()
                self._go_on.wait(120)

        self._s3.door.fault = fault
        hours = itertools.count()
        clock = SimpleNamespace(monotonic=lambda: time.monotonic() + 7200 * next(hours) * self.hangs.is_set())
        self._patch.setattr("runner.storage.uploader.time", clock)

    def end(self) -> None:
        self._s3.door.fault = lambda _request: None
        self._go_on.set()
        self._patch.undo()


@pytest.fixture
def hanging(s3) -> Iterator[Hanging]:
    hanging = Hanging(s3, pytest.MonkeyPatch())
    yield hanging
    hanging.end()


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("out/index.html", "page, tables and ledger"),
        ("out/ledger.sqlite3", "page, tables and ledger"),
        ("out/2/video.mp4", "run 2, page, tables and ledger"),
    ],
)
def test_a_storage_that_hangs_is_left_alone_and_what_is_missing_is_told(finished, s3, hanging, name, missing, capsys):
    hanging.at(name)
    storage = [f"storage.url={s3.url}", "storage.concurrency=1", "storage.patience_seconds=3600"]

    assert run(["resume", "out", *storage]) == 4

    said = capsys.readouterr()
    assert "3 done" in said.out
    assert f"{missing} not uploaded: the storage did not get on for 3600 s" in said.err
    assert f"python -m runner resume out storage.url={s3.url} uploads the rest" in said.err
    assert not [*finished.glob(".ledger*tmp")]

    hanging.end()
    assert run(["resume", "out", *storage]) == 0
    assert f"uploaded: 3 runs to {s3.url}/out\n" in capsys.readouterr().out
