"""Sweeps to judge, and the local server that shows them, in a process as users start it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import command_line
from tests.forking import Forked

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "AZURE_"))}
QUICK = ("provider.latency=0.05", "provider.poll_interval=0.02", "progress=off", "gallery=false")
IMAGES = ("model=gpt-image-2", "request=image", "request.size=1024x1024", "request.n=2", "request.prompt=fox,owl")


def typed(*arguments: str, here: Path) -> None:
    """Type a command that succeeds."""
    done = command_line(arguments, here, ENVIRONMENT)
    assert done.returncode == 0, (done.stdout, done.stderr)


@dataclass
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        """The data of a page."""
        found = re.search(r'id="data">(.*?)</script>', self.body.decode(), re.DOTALL)
        assert found is not None, self.body[:300]
        return json.loads(found[1])

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.body.splitlines()]


@dataclass
class Served:
    """A running server; `root` is the path with its token."""

    process: Forked
    port: int
    root: str
    names: list[str] = field(default_factory=list)

    def ask(self, path: str = "", method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """Ask for a path below the token's, or for any that begins with a slash; `_` in headers is a hyphen."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path if path.startswith("/") else self.root + path, body, named)
        answer = connection.getresponse()
        found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        connection.close()
        return found

    def post(self, page: str, *records: Mapping[str, Any]) -> Answer:
        return self.ask(f"{page}/ratings", "POST", "".join(f"{json.dumps(each)}\n" for each in records).encode())

    def end(self) -> str:
        """End it by Ctrl-C, and return what it said."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.stdout is not None
        said = self.process.stdout.read()
        assert self.process.wait(60) == 0
        return said


Serve = Callable[..., Served]


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Start `view` with these words in a directory; ended with the file of tests."""
    with ExitStack() as stack:

        def start(*words: str, here: Path) -> Served:
            arguments = ["view", *words, "--port", "0", "--open", "no"]
            process = stack.enter_context(Forked("runner", arguments, env=ENVIRONMENT, cwd=here, text=True))
            stack.callback(lambda: process.kill() if process.poll() is None else None)
            said = ""
            assert process.stdout is not None
            while (found := re.search(r"http://127\.0\.0\.1:(\d+)(/\S+/)", said)) is None:
                line = process.stdout.readline()
                assert line, said
                said += line
            return Served(process, int(found[1]), found[2])

        yield start


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two sweeps of two runs: `one` of two images each, `two` of a video each."""
    here = tmp_path_factory.mktemp("view")
    typed("-m", *IMAGES, *QUICK, "hydra.sweep.dir=outputs/one", here=here)
    typed("-m", "request=draft", "request.prompt=fox,owl", *QUICK, "hydra.sweep.dir=outputs/two", here=here)
    return here
