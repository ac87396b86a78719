"""Prompts and servers are strangers: what they say steers no terminal, forges no log line and names no file."""

from __future__ import annotations

import csv
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import av
import pexpect
import pytest

from tests.terminal import Terminal

MARK = "\x1b[38;5;201m"
LINK = "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\"
TITLE = "\x1b]0;owned\x07"
FORGED = "2026-01-01 00:00:00.000+00:00 INFO verified video_forged"
HOSTILE = f"{MARK}[red]{LINK}{TITLE}\u202e\n{FORGED}\r\n[/nothing][link=https://evil.example]x[/link]"
FORMULA = '\n =HYPERLINK("https://evil.example")'
QUICK = ("provider.latency=0.05", "provider.poll_interval=0.05", "request=draft")

JOB = {"id": "../../../evil", "object": "video", "status": "completed", "progress": 100, "name": "../../evil.mp4",
       "filename": "/tmp/evil.mp4", "extension": "/../../evil"}  # fmt: skip


def steering(text: str) -> list[str]:
    """What of the hostile text would do something to a terminal."""
    return [word for word in (MARK, "\x1b]8", "\x1b]0", "\x07", "\u202e") if word in text]


@pytest.fixture
def prompts(tmp_path):
    """The arguments of a sweep over two hostile prompts."""
    folder = tmp_path / "home" / "experiment"
    folder.mkdir(parents=True)
    quoted = ",".join("'" + text.replace("'", "\\'") + "'" for text in (HOSTILE, FORMULA))
    params = {"request.prompt": quoted}
    (folder / "evil.yaml").write_text("# @package _global_\n" + json.dumps({"hydra": {"sweeper": {"params": params}}}))
    return ["--config-dir", "home", "-m", "+experiment=evil", *QUICK]


def terminal(tmp_path, *arguments: str) -> tuple[int, str]:
    """What a person sees: the same with a terminal for its output."""
    child = Terminal([*arguments], tmp_path, os.environ, rows=40, columns=160)
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, child.before


@pytest.mark.parametrize("dry", [(), ("dry_run=true",)], ids=["run", "dry run"])
def test_a_prompt_steers_no_terminal(tmp_path, prompts, dry):
    code, shown = terminal(tmp_path, *prompts, *dry)
    assert code == 0, shown
    assert "[red]" in shown, "the prompt is shown, and as it is written"
    assert steering(shown) == []
    assert not any(line.startswith("2026-01-01") for line in shown.splitlines())


def test_a_prompt_forges_no_line_and_no_formula(cli, prompts):
    done = cli(*prompts)
    assert done.code == 0, done.err
    assert steering(done.out + done.err) == []
    lines = [line for path in done.cwd.glob("outputs/**/runner.log") for line in path.read_text().splitlines()]
    assert len(lines) > 4
    assert not any(line.startswith("2026-01-01") for line in lines)
    (table,) = done.cwd.glob("outputs/**/results.csv")
    with table.open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert f"'{FORMULA}" in cells
    assert not any(re.match(r"\s*[=+@]", cell) for cell in cells)
    listed = cli("ls")
    assert (listed.code, steering(listed.out + listed.err)) == (0, []), listed.err


def test_a_refused_prompt_steers_no_terminal_either(tmp_path, prompts):
    code, shown = terminal(tmp_path, *prompts, f"request.size='{MARK}{TITLE}9x9'")
    assert code == 2, shown
    assert steering(shown) == []


class Stranger(BaseHTTPRequestHandler):
    """A server that names things as it likes."""

    protocol_version = "HTTP/1.1"
    clip = b""
    words = ""

    def handle_any(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        path = unquote(self.path).partition("?")[0]
        if self.words:
            error = {"code": self.words, "message": self.words}
            self.answer(json.dumps({**JOB, "status": "failed", "error": error}).encode(), "application/json")
        elif path.endswith("/content"):
            self.answer(self.clip, "video/../../evil")
        else:
            self.answer(json.dumps(JOB).encode(), "application/json")

    do_GET = do_POST = handle_any  # noqa: N815 - the names that the class looks for

    def answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-disposition", 'attachment; filename="../../evil.mp4"')
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def stranger(tmp_path_factory, canary):
    """Start one, saying `words` as the reason of every job's failure; the environment that leads to it."""
    servers = []

    def start(words: str = "") -> dict[str, str]:
        handler = type("Handler", (Stranger,), {"words": words, "clip": clip(tmp_path_factory.mktemp("clip"))})
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return {"OPENAI_BASE_URL": f"http://127.0.0.1:{servers[-1].server_address[1]}/v1", "OPENAI_API_KEY": canary}

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def clip(folder) -> bytes:
    path = folder / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(12):
            container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))
    return path.read_bytes()


VIDEO = ("provider=openai", "provider.retired_models=off", "provider.poll_interval=0.05", "request=draft")


def test_a_server_names_no_file(cli, stranger):
    place = stranger()
    outside = {*cli("--version").cwd.parent.iterdir()}
    done = cli(*VIDEO, **place)
    assert done.code == 0, done.err
    (result,) = done.results()
    assert result["job_id"] == JOB["id"]
    assert [artifact["path"] for artifact in result["artifacts"]] == ["video.mp4", "thumbnail.webp"]
    assert not [path for path in done.cwd.rglob("*") if "evil" in path.name]
    assert {*done.cwd.parent.iterdir()} == outside


def test_a_server_s_words_steer_nothing(cli, stranger):
    done = cli(*VIDEO, **stranger(HOSTILE))
    assert done.code == 1, done.err
    assert steering(done.out + done.err) == []
    (log,) = done.cwd.glob("outputs/**/runner.log")
    for text in (log.read_text(), done.out, done.err):
        assert not any(line.startswith("2026-01-01") for line in text.splitlines())
