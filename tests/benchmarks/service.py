"""The server that all commands of one benchmark go to, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar
from urllib.parse import urlsplit

from measurement import cpu_seconds

SERVER = Path(__file__).with_name("light_server.py")


class Service:
    """A running server and a folder for what the commands write."""

    headers: ClassVar[Mapping[str, str]] = {"Authorization": "Bearer bench"}

    def __init__(self, base_url: str, place: Path, pid: int) -> None:
        self.base_url = base_url
        self.host = urlsplit(base_url).netloc
        self.place = place
        self.pid = pid

    def requests(self) -> int:
        """How many requests it has had."""
        with urllib.request.urlopen(self.base_url.removesuffix("/v1") + "/requests") as answer:
            return int(answer.read())

    def cpu(self) -> float:
        """User and system seconds that it has taken so far."""
        return cpu_seconds(self.pid)

    def finished(self) -> str:
        """The id of a finished job."""
        job = self._ask("/videos", b"")["id"]
        while self._ask(f"/videos/{job}")["status"] != "completed":
            time.sleep(0.1)
        return job

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, str]:
        with urllib.request.urlopen(urllib.request.Request(self.base_url + path, body, dict(self.headers))) as answer:
            told: dict[str, str] = json.load(answer)
            return told


@contextmanager
def serving(
    *, latency: float, video_bytes: int, seconds: int = 8, rate: int | None = None, jobs: int | None = None
) -> Iterator[Service]:
    """Serve jobs of `latency` seconds, whose clip has `seconds` and `video_bytes`.

    `rate` is bytes/s for a process, `jobs` how many videos are made at the same time; more are refused.
    """
    chosen = {"latency": latency, "video-bytes": video_bytes, "seconds": seconds}
    chosen |= {name: value for name, value in (("rate", rate), ("jobs", jobs)) if value is not None}
    command = [sys.executable, SERVER, *(f"--{name}={value}" for name, value in chosen.items())]
    with (
        TemporaryDirectory(prefix="runner-bench-") as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
    ):
        try:
            yield Service(server.stdout.readline().strip() if server.stdout else "", Path(folder), server.pid)
        finally:
            server.terminate()
