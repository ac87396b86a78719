"""Canary secrets go through everything that runs, at a gateway that repeats them in every answer; then every byte that
was written, printed or stood in a process list is searched for them, in every spelling."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from runner.commands.catalog import COMMANDS
from runner.emulator.faults import FaultRule
from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread
from tests.forking import Forked
from tests.waiting import PATIENCE, wait_until

KEY = "canary/0123+4567=openai&key"
AZURE_KEY = "canary/89ab+cdef=azure&key"
TOKEN = "eyJjYW5hcnkiOiJ0b2tlbiJ9.eyJleHAiOjk5OTk5OTk5OTl9.Y2FuYXJ5LXRva2Vu"
ENTRA = "eyJjYW5hcnkiOiJlbnRyYSJ9.eyJleHAiOjk5OTk5OTk5OTl9.Y2FuYXJ5LWVudHJh"
IDENTITY = "canary/identity+header=secret"
HEADER = "canary/4567+89ab=header&key"
SECRETS = (KEY, AZURE_KEY, TOKEN, ENTRA, IDENTITY, HEADER)
SENT = (KEY, AZURE_KEY, TOKEN, ENTRA, HEADER)

RULES = ({"match": {"operation": "retrieve", "prompt": "crash"}, "fault": "stalled", "times": 1},)
GATEWAY = "+provider.headers_env.X-Gateway-Key=GATEWAY_KEY"
QUICK = ("provider.poll_interval=0.05", "request=draft", "provider.retired_models=off")
IMAGE = ("model=gpt-image-2", "request=square_image")
STARTED = {"single", "judged", "emulated", "crashed", "raised"}
"""What the system starts as users have it, children included; the others are forked, and end sooner."""
FORKED = """
import logging, runpy
# As OPENAI_LOG=debug, which the SDK reads where it is imported; that was before the fork.
logging.basicConfig(force=True)
logging.getLogger("openai").setLevel(logging.DEBUG)
runpy.run_module("runner", run_name="__main__", alter_sys=True)
"""
DROPPED = ("connection", "transfer-encoding", "content-length", "date", "server")


def spellings(secret: str) -> set[str]:
    """How a secret may be written: as it is, in an address, in JSON, in HTML, in base64 at any place of a text."""
    cores = {base64.b64encode(b"\0" * n + secret.encode()).decode()[(0, 2, 3)[n] : -4] for n in range(3)}
    return {secret, quote(secret, safe=""), secret.replace("/", "\\/"), html.escape(secret), *cores}


def repeated(secret: str) -> list[str]:
    """How the gateway tells it: whole, and packed together with other text."""
    packed = [base64.b64encode(f"{before}{secret}; path=/".encode()).decode() for before in ("", "k", "k=")]
    return [secret, f"Bearer {secret}", quote(secret, safe=""), quote(f"key={secret}"), html.escape(secret), *packed]


def found_in(content: bytes) -> list[str]:
    return [word for secret in SECRETS for word in spellings(secret) if word.encode() in content]


class Gateway(ThreadingHTTPServer):
    """Passes everything on to an emulator, and tells whoever asks what he sent."""

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = upstream
        self.seen: set[str] = set()
        self.root = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        sent = self.headers.get("authorization") or self.headers.get("api-key") or ""
        self.secret = sent.removeprefix("Bearer ")
        self.server.seen |= {self.secret, self.headers.get("x-gateway-key")}
        if self.path.startswith("/msi"):
            self.answer(200, {}, {"access_token": ENTRA, "expires_on": int(time.time()) + 3600, "token_type": "Bearer"})
        elif self.path.startswith("/refuse"):
            said = " ".join(repeated(self.secret))
            self.answer(401, {}, {"error": {"message": f"wrong: {said}", "code": self.secret}})
        else:
            self.pass_on(body)

    do_GET = do_POST = handle_any  # noqa: N815 - the names that the class looks for

    def pass_on(self, body: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", *DROPPED)}
        request = urllib.request.Request(self.server.upstream + self.path, body or None, headers, method=self.command)
        try:
            with urllib.request.urlopen(request) as response:
                status, told, content = response.status, dict(response.headers), response.read()
        except urllib.error.HTTPError as error:
            status, told, content = error.code, dict(error.headers), error.read()
        except OSError:
            # The emulator has ended, or stalled until its end.
            return
        json_body = "json" in told.get("content-type", "")
        self.answer(status, told, self.repeating(json.loads(content)) if json_body else content)

    def repeating(self, answer: dict) -> dict:
        for image in answer.get("data") or []:
            image["revised_prompt"] = f"a cat with {self.secret}"
        for choice in answer.get("choices") or []:
            choice["message"]["content"] += f" So I was told by {self.secret}."
        received = {name.lower(): value for name, value in self.headers.items()}
        return {**answer, "received": received, "debug": repeated(self.secret), self.secret: 1}

    def answer(self, status: int, headers: dict[str, str], body: object) -> None:
        # Slashes and plus signs as some servers escape them, so that the bytes themselves hold no key.
        text = json.dumps(body).replace("/", "\\/").replace("+", "\\u002b") if not isinstance(body, bytes) else ""
        content = body if isinstance(body, bytes) else text.encode()
        kept = {name: value for name, value in headers.items() if name.lower() not in DROPPED}
        kept |= {} if isinstance(body, bytes) else {"content-type": "application/json"}
        self.send_response(status, f"got {self.secret}")
        for name, value in {**kept, "x-request-id": f"req {self.secret}", "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@dataclass
class Stage:
    """A directory in which commands run one after the other or at the same time, and what they said."""

    cwd: Path
    root: str
    said: dict[str, bytes] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, folder: str, *arguments: str, **variables: str) -> subprocess.Popen[bytes] | Forked:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("OPENAI_", "AZURE_", "HYDRA_"))}
        given = {
            "OPENAI_BASE_URL": f"{self.root}/v1", "OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": self.root,
            "AZURE_OPENAI_API_KEY": AZURE_KEY, "GATEWAY_KEY": HEADER, "OPENAI_LOG": "debug", "HYDRA_FULL_ERROR": "1",
        }  # fmt: skip
        place, environment = self.cwd / folder, {**kept, **given, **variables}
        place.mkdir(exist_ok=True)
        if name not in STARTED:
            program = ("tests.program", [FORKED, *arguments])
            return Forked(*program, cwd=place, env=environment, stderr=subprocess.STDOUT)
        return subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, name: str, *arguments: str, into: str | None = None, **variables: str) -> None:
        process = self.start(name, into or name, *arguments, **variables)
        self.said[name] = process.communicate(timeout=PATIENCE)[0]
        self.codes[name] = process.returncode

    def crash(self, name: str, *arguments: str) -> None:
        """Run until a job is submitted, and kill the process."""
        process = self.start(name, name, *arguments)
        records = f"{name}/outputs/**/result.json"
        wait_until(lambda: any('"submitted"' in path.read_text() for path in self.cwd.glob(records)), process)
        process.send_signal(signal.SIGKILL)
        self.said[name], self.codes[name] = process.communicate()[0], 0

    def directory(self, name: str) -> str:
        """The directory of the one run that `name` made."""
        return str(next((self.cwd / name).glob("outputs/2*/*/result.json")).parent.relative_to(self.cwd / name))


def plays(stage: Stage) -> list[Callable[[], None]]:
    """Everything that goes on at the same time."""
    azure, image = ("provider=azure_openai", GATEWAY, *QUICK), ("provider=openai", GATEWAY, *IMAGE)
    refused = {"OPENAI_BASE_URL": f"{stage.root}/refuse/v1", "AZURE_OPENAI_ENDPOINT": f"{stage.root}/refuse"}
    identity = {"IDENTITY_ENDPOINT": f"{stage.root}/msi", "IDENTITY_HEADER": IDENTITY}
    entra = (*azure, "provider.auth=entra_id", "provider.managed_identity=true")

    def then() -> None:
        stage.run("single", "provider=openai", *QUICK)
        judged = ("score", stage.directory("single"), "metrics=[judge]", "provider=openai", GATEWAY)
        stage.run("judged", *judged, into="single")
        stage.run("repeat", "repeat", stage.directory("single"), into="single")

    def back() -> None:
        stage.crash("crashed", "provider=openai", *QUICK, "request.prompt=crash")
        if "resume" in COMMANDS:
            stage.run("resume", "resume", stage.directory("crashed"), into="crashed")
        if "ls" in COMMANDS:
            stage.run("ls", "ls", into="crashed")

    return [
        then,
        back,
        lambda: stage.run("sweep", "-m", *azure, "replica=0,1"),
        lambda: stage.run("entra", *entra, **identity),
        lambda: stage.run("image", *image),
        lambda: stage.run("emulated", *QUICK[:2], "provider.latency=0.05"),
        lambda: stage.run("doctor", "doctor", *image),
        lambda: stage.run("dry", "-m", "dry_run=true", *image, "replica=0,1"),
        lambda: stage.run("shown", "--cfg", "all", *azure),
        lambda: stage.run("refused", "-m", *image, "replica=0,1", **refused),
        lambda: stage.run("raised", "character", "show", "char_1", "provider=openai", **refused),
        lambda: stage.run("refused-token", *azure, AZURE_OPENAI_AD_TOKEN=TOKEN, **refused),
    ]


def watching(lines: set[str], over: threading.Event) -> None:
    """Collect the command lines of this process's descendants."""
    while not over.wait(0.2):
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                lines.add("\0".join(process.cmdline()))


@dataclass
class Played:
    """What is left of it all."""

    stage: Stage
    seen: set[str]
    cmdlines: set[str]


@pytest.fixture(scope="module")
def played(tmp_path_factory, render_cache) -> Played:
    folder = tmp_path_factory.mktemp("canary")
    state = tmp_path_factory.mktemp("upstream") / "state.sqlite3"
    settings = EmulatorSettings(state_file=state, latency=0.05, media_dir=render_cache)
    cmdlines, over = set(), threading.Event()
    with EmulatorThread(settings, rules=[FaultRule.model_validate(rule) for rule in RULES]) as upstream:
        gateway = Gateway(upstream.azure_url)
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        watcher = threading.Thread(target=watching, args=(cmdlines, over))
        watcher.start()
        stage = Stage(folder, gateway.root)
        try:
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(lambda play: play(), plays(stage)))
        finally:
            over.set()
            watcher.join()
            gateway.shutdown()
            gateway.server_close()
    return Played(stage, gateway.seen, cmdlines)


def test_every_play_ended_as_it_should_and_every_secret_was_used(played):
    failed = {"refused": 1, "refused-token": 1, "raised": 1}
    wrong = {name: code for name, code in played.stage.codes.items() if code != failed.get(name, 0)}
    assert wrong == {}, {name: played.stage.said[name].decode()[-2000:] for name in wrong}
    assert played.seen >= set(SENT), "the gateway repeated what it was sent"


def test_no_file_holds_a_secret(played):
    files = [path for path in played.stage.cwd.rglob("*") if path.is_file()]
    assert {"result.json", "runner.log", "config.yaml", "results.csv", "results.jsonl", "votes.jsonl"} <= {
        path.name for path in files
    }
    leaks = {str(path.relative_to(played.stage.cwd)): found_in(path.read_bytes()) for path in files}
    assert {name: words for name, words in leaks.items() if words} == {}


def test_no_file_is_named_by_a_secret(played):
    assert found_in("\n".join(str(path) for path in played.stage.cwd.rglob("*")).encode()) == []


def test_nothing_printed_holds_a_secret(played):
    told = {name for name, text in played.stage.said.items() if re.search(rb"openai\S* - DEBUG|DEBUG.*openai", text)}
    assert told >= {"single", "sweep", "entra", "refused-token"}, "the SDK told what it did"
    assert b"Traceback" in played.stage.said["raised"], "the error was shown in full"
    leaks = {name: found_in(text) for name, text in played.stage.said.items()}
    assert {name: words for name, words in leaks.items() if words} == {}


def test_no_command_line_holds_a_secret(played):
    assert any("runner.emulator.child" in line for line in played.cmdlines)
    assert found_in("\n".join(played.cmdlines).encode()) == []


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_the_search_finds_what_it_looks_for(secret, before):
    packed = base64.b64encode(f"{before}{secret} and more".encode())
    for text in (secret.encode(), quote(secret, safe="").encode(), json.dumps(secret).encode(), packed):
        assert found_in(b"x" + text + b"y")
