"""The server that all commands of one benchmark go to: the emulator in a process of its own."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar
from urllib.parse import urlsplit

from runner.emulator.process import EmulatorProcess
from runner.emulator.settings import EmulatorSettings


class Service:
    """A running emulator and a folder for what the commands write."""

    headers: ClassVar[Mapping[str, str]] = {"Authorization": "Bearer bench", "Content-Type": "application/json"}

    def __init__(self, base_url: str, place: Path) -> None:
        self.base_url = base_url
        self.host = urlsplit(base_url).netloc
        self.place = place

    def requests(self) -> int:
        """How many requests it has had."""
        with urllib.request.urlopen(self.base_url.removesuffix("/v1") + "/_emulator/ledger") as answer:
            return sum(json.load(answer)["requests"].values())

    def finished(self, seconds: str = "8") -> str:
        """The id of a finished job; the clip that all jobs share is rendered then."""
        body = {"prompt": "warm", "model": "sora-2", "seconds": seconds, "size": "1280x720"}
        job = self._ask("/videos", json.dumps(body).encode())["id"]
        while self._ask(f"/videos/{job}")["status"] != "completed":
            time.sleep(0.1)
        with self._open(f"/videos/{job}/content") as answer:
            while answer.read(1 << 20):
                continue
        return job

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, str]:
        with self._open(path, body) as answer:
            told: dict[str, str] = json.load(answer)
            return told

    def _open(self, path: str, body: bytes | None = None):
        return urllib.request.urlopen(urllib.request.Request(self.base_url + path, body, dict(self.headers)))


@contextmanager
def serving(**settings: object) -> Iterator[Service]:
    """Serve with settings of the emulator; one clip for all jobs."""
    with TemporaryDirectory(prefix="runner-bench-") as folder:
        place = Path(folder)
        chosen = EmulatorSettings.model_validate(
            {"state_file": place / "state.sqlite3", "shared_clips": True, **settings}
        )
        with EmulatorProcess(chosen) as emulator:
            yield Service(emulator.wait_ready(), place)
