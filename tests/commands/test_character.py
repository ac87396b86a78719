"""`character`: nothing bad is sent, and what a server answers is shown as text."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from runner.app import run


class Server(HTTPServer):
    """Answer everything with `says`, and count what came."""

    says: Any = None
    asked = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked += 1
        self.rfile.read(int(self.headers.get("content-length") or 0))
        body = json.dumps(self.server.says).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.chdir(tmp_path)
    with Server(("127.0.0.1", 0), Handler) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["create", "empty.mp4", "--name", "Otto"], "empty.mp4 is empty; nothing was sent"),
        (["create", "full.mp4", "--name", ""], "'' is no name of 1 to 80 characters; nothing was sent"),
        (["create", "full.mp4", "--name", " "], "is no name of 1 to 80 characters"),
        (["create", "full.mp4", "--name", "x" * 81], "is no name of 1 to 80 characters"),
        (["create", "full.mp4", "--name", "O\x1b[31mtto"], "is no name of 1 to 80 characters"),
        (["show", ""], "'' is no character's id; nothing was sent"),
        (["show", ".."], "'..' is no character's id"),
    ],
)
def test_bad_input_is_not_sent(server, capsys, typed, told):
    Path("empty.mp4").touch()
    Path("full.mp4").write_bytes(b"film")
    assert run(["character", *typed, "provider=openai"]) == 2
    assert told in capsys.readouterr().err
    assert server.asked == 0


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ({"id": "char_1", "name": "O\x1b[31m\ntto", "created_at": None}, "char_1  O [31m tto\n"),
        ({"id": "char_1"}, "char_1\n"),
        ({"id": "char_1", "name": "Otto", "created_at": "2026-01-01T12:00:00"}, "char_1  Otto  2026-01-01 "),
    ],
)
def test_an_answer_is_shown_as_text(server, capsys, says, told):
    server.says = says
    assert run(["character", "show", "char_1", "provider=openai"]) == 0
    assert capsys.readouterr().out.startswith(told)


@pytest.mark.parametrize("found", ["", "..", "c\x1b[31m", 7])
def test_an_answer_without_an_id_is_no_success(server, capsys, found):
    server.says = {"id": found, "name": "Otto", "created_at": 5}
    assert run(["character", "show", "char_1", "provider=openai"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "without what was asked" in said.err


def test_a_paid_answer_without_an_id_is_uncertain(server, capsys):
    Path("full.mp4").write_bytes(b"film")
    server.says = {"id": ""}
    assert run(["character", "create", "full.mp4", "--name", "Otto", "provider=openai"]) == 4
    assert server.asked == 1
