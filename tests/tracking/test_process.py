"""Real processes whose tracking server takes requests and never answers: they end, with the runs' code."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.emulator_thread import as_openai
from tests.waiting import PATIENCE

START = "waiting for mlflow"


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that lets everyone wait."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def greeting_server() -> Iterator[str]:
    """The address of a wandb server at which runs begin; whatever they send then is never answered."""
    over = threading.Event()
    bucket = {"id": "Qg==", "name": "x", "config": "{}", "project": {"name": "runner", "entity": {"name": "me"}}}
    answers = {"RunResumeStatus": {"model": None}, "UpsertBucket": {"upsertBucket": {"bucket": bucket}}}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"] or 0))
            operation = json.loads(asked)["operationName"] if self.path == "/graphql" else ""
            if operation not in answers:
                over.wait()
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"data": answers[operation]}).encode())

        def log_message(self, *_) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        over.set()
        server.shutdown()


@pytest.fixture
def started(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a sweep of one run in `out`, as typed; keyword arguments are environment variables."""
    processes = []
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")

    def start(server, *overrides: str, **variables: str) -> subprocess.Popen[str]:
        typed = ["-m", *as_openai(server), "hydra.sweep.dir=out", "replica=0", *overrides]
        command = [sys.executable, "-m", "runner", *typed]
        process = subprocess.Popen(
            command, cwd=here, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()  # not read to its end, which a process of wandb's may keep open


def doomed(make_emulator):
    """A server at which runs fail, so that their code is not the one of a process that only ended."""
    return make_emulator(rules=[{"match": {"operation": "create"}, "fault": "internal"}])


def test_a_server_that_never_answers_does_not_keep_the_process(started, make_emulator, silent_server):
    pytest.importorskip("mlflow")
    process = started(
        *(doomed(make_emulator), "tracking=mlflow", f"tracking.tracking_uri={silent_server}"),
        "tracking.patience_seconds=0.3",
    )
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, said
    assert "mlflow has not recorded everything: it did not get on for 0.3 s" in said
    assert "python -m runner resume out tracking.patience_seconds=3 sends the rest" in said


def test_ctrl_c_while_only_tracking_is_waited_for_ends_with_the_runs_code(started, make_emulator, silent_server):
    pytest.importorskip("mlflow")
    process = started(
        *(doomed(make_emulator), "tracking=mlflow", f"tracking.tracking_uri={silent_server}"),
        "tracking.patience_seconds=60",
    )
    lines = iter(process.stderr.readline, "")
    waiting = next(line for line in lines if line.startswith(START))
    assert waiting == f"{START}: 1 to record; Ctrl-C leaves them to resume\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, said
    assert "mlflow has not recorded everything: interrupted" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("kind", ["silent_server", "greeting_server"])
def test_a_wandb_server_that_never_answers_does_not_keep_the_process(started, make_emulator, kind, request):
    pytest.importorskip("wandb")
    process = started(
        *(doomed(make_emulator), "tracking=wandb", "tracking.patience_seconds=1"),
        WANDB_BASE_URL=request.getfixturevalue(kind),
        WANDB_API_KEY="0" * 40,
        WANDB_ERROR_REPORTING="false",
    )
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, said
    assert said.count("wandb has not recorded everything") == 1
