"""A real S3 server: what arrives, what is compared, and what a bad day of the bucket does to a sweep."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from runner.app import run
from tests.storage.bucket import KEY, SECRET
from tests.storage.door import Fault, Refusal, Request

MB = 2**20


def files_below(place: Path) -> dict[str, str]:
    """Every file that is not hidden or of the ledger, by its name, with its hash."""
    return {
        path.relative_to(place).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in place.rglob("*")
        if path.is_file() and not path.name.startswith((".", "ledger"))
    }


def kept(place: Path) -> set[tuple[int, str]]:
    """What the ledger says that lies in a storage."""
    with sqlite3.connect(place / "ledger.sqlite3") as db:
        there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'uploads'").fetchone()
        return {*db.execute("SELECT run, name FROM uploads")} if there else set()


def media(place: Path) -> set[str]:
    return {
        path.relative_to(place).as_posix() for name in ("video.*", "thumbnail.*") for path in place.glob(f"*/{name}")
    }


def test_a_sweep_arrives_whole_and_is_served_as_what_it_is(here, sweep, s3, capfd):
    assert sweep("replica=0,1", "hydra.verbose=true", f"storage.url={s3.url}") == 0

    assert s3.hashes("out/") == files_below(here / "out")
    assert s3.type_of("out/index.html").startswith("text/html")
    assert s3.type_of("out/0/video.mp4") == "video/mp4"
    assert s3.type_of("out/0/thumbnail.webp") == "image/webp"
    assert {(0, "video.mp4"), (1, "result.json"), (-1, "index.html"), (-1, "ledger.sqlite3")} <= kept(here / "out")
    said = capfd.readouterr()
    assert f"uploaded: 2 runs to {s3.url}/out" in said.out
    assert f"uploaded: 2 runs to {s3.url}/out" in (here / "out" / "index.html").read_text()
    # Wherever the bucket is served, the page finds what it shows.
    page = s3.read("out/index.html").decode()
    cells = json.loads(page[page.index('id="data">') + 10 :].partition("</script>")[0])["cells"]
    shown = {f"out/{name}" for cell in cells for media in cell["media"] for name in (media["path"], media["poster"])}
    assert {"out/0/video.mp4", "out/1/thumbnail.webp"} <= shown <= s3.names()
    # The finest log, what is written here and what is uploaded hold no key.
    written = [path.read_bytes() for path in here.rglob("*") if path.is_file()]
    everything = b"".join([*written, *(s3.read(name) for name in s3.names()), (said.out + said.err).encode()])
    assert not [secret for secret in (KEY, SECRET) if secret.encode() in everything]


def test_a_directory_is_listed_once(finished, s3):
    """It is looked at again before files are removed, and otherwise only where something came to it."""
    assert run(["resume", "out", f"storage.url={s3.url}"]) == 0
    listings = [each.path for each in s3.door.seen if each.method == "GET" and "list-type=2" in each.path]
    assert [sum(f"out%2F{number}%2F" in path for path in listings) for number in range(3)] == [1, 1, 1]


def test_requests_that_are_refused_or_cut_are_sent_again(finished, s3):
    counts = iter(range(1_000))

    def bad_day(request: Request) -> Refusal | None:
        count = next(counts)
        if request.method == "PUT" and request.path.endswith("runner.json"):
            return None
        if count % 5 == 1:
            raise ConnectionError
        return Refusal(503, "SlowDown") if count % 5 == 3 else None

    s3.door.fault = bad_day
    assert run(["resume", "out", f"storage.url={s3.url}"]) == 0
    assert s3.hashes("out/") == files_below(finished)


def test_a_bucket_that_fills_up_costs_no_run_and_no_file(here, finished, s3, capsys):
    room = [600_000]

    def filling(request: Request) -> Refusal | None:
        room[0] -= request.bytes
        return Refusal(507, "XMinioStorageFull") if request.method in ("PUT", "POST") and room[0] < 0 else None

    s3.door.fault = filling
    storage = [f"storage.url={s3.url}", "storage.keep_local=thumbnails", "storage.patience_seconds=5"]
    assert run(["resume", "out", *storage]) == 4
    said = capsys.readouterr()
    assert "3 done" in said.out
    assert "XMinioStorageFull" in said.err
    assert f"python -m runner resume out storage.url={s3.url} uploads the rest" in said.err
    there = {name for name in s3.names() if name.endswith("video.mp4")}
    here_still = {f"out/{name}" for name in media(here / "out") if name.endswith("video.mp4")}
    assert there | here_still >= {f"out/{number}/video.mp4" for number in range(3)}
    assert here_still

    room[0] = 10**12
    assert run(["resume", "out", *storage]) == 0
    assert {f"{number}/video.mp4" for number in range(3)} <= s3.hashes("out/").keys()
    assert media(here / "out") == {f"{number}/thumbnail.webp" for number in range(3)}


def test_what_arrives_damaged_is_not_removed_here(finished, s3, capsys):
    def damage(request: Request, body: bytes) -> bytes:
        return body[:-1] + b"!" if request.path.partition("?")[0].endswith("1/video.mp4") else body

    s3.door.change = damage
    storage = [f"storage.url={s3.url}", "storage.keep_local=false", "storage.patience_seconds=600"]
    assert run(["resume", "out", *storage]) == 4
    assert "not run 1" in capsys.readouterr().out
    assert media(finished) == {"1/video.mp4", "1/thumbnail.webp"}
    assert (1, "video.mp4") not in kept(finished)

    s3.door.change = lambda _request, body: body
    assert run(["resume", "out", *storage]) == 0
    assert media(finished) == set()
    assert {f"{number}/video.mp4" for number in range(3)} <= s3.hashes("out/").keys()


def at_part(number: int, act: Callable[[], object]) -> Fault:
    """Act when a part of a file comes; the parts before it have arrived."""

    def fault(request: Request) -> Refusal | None:
        if f"partNumber={number}" in request.path:
            act()
        return None

    return fault


def test_a_file_in_parts_goes_on_where_its_upload_was_ended(finished, s3):
    """The parts that are there are not sent again, and none is left lying in the bucket."""
    (finished / "1" / "take.mov").write_bytes(os.urandom(4 * 8 * MB + 5))
    resume = ["resume", "out", f"storage.url={s3.url}"]

    waiting, go_on = threading.Event(), threading.Event()
    s3.door.fault = at_part(2, lambda: waiting.set() or go_on.wait(30))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-m", "runner", *resume], cwd=finished.parent, env=environment) as process:
        assert waiting.wait(60)
        process.kill()
        go_on.set()
    assert s3.unfinished() == ["videos/out/1/take.mov"]

    go_on.clear()
    s3.door.fault = at_part(4, lambda: os.kill(os.getpid(), signal.SIGINT) or go_on.wait(30))
    assert run(resume) == 130
    go_on.set()
    assert s3.unfinished() == ["videos/out/1/take.mov"]

    s3.door.fault = lambda _request: None
    assert run(resume) == 0
    parts = [each.path for each in s3.door.seen if each.method == "PUT" and "partNumber" in each.path]
    assert sum(path.endswith("partNumber=1") for path in parts) == 1
    assert sum(path.endswith("partNumber=3") for path in parts) == 1
    assert s3.hashes("out/") == files_below(finished)
    assert s3.unfinished() == []
