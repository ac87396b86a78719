"""`view` over HTTP: who may ask, which files it gives out, and what it keeps."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.app import run
from tests.command_line import command_line
from tests.forking import Forked
from tests.view.conftest import ENVIRONMENT, QUICK, Served, typed
from tests.waiting import PATIENCE, wait_until

MOMENT = "2026-11-23T09:30:00.000Z"


def rating(run: str, file: str, **facts: Any) -> dict[str, Any]:
    made = {"version": 1, "kind": "rating", "id": uuid.uuid4().hex, "at": MOMENT, "rater": "ann"}
    return {
        **made,
        "run": run,
        "file": file,
        "rating": None,
        "tags": [],
        "star": False,
        "reject": False,
        "note": "",
        **facts,
    }


def snapshot(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file() and "ratings.jsonl" not in path.name)
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def served(serve, place: Path) -> Iterator[Served]:
    """Both sweeps on one page; nothing but ratings has changed at the end."""
    before = snapshot(place / "outputs")
    yield serve("outputs/one", "outputs/two", "--rater", "ann", here=place)
    assert snapshot(place / "outputs") == before


def test_several_sweeps_are_one_page_and_each_is_one_alone(served: Served) -> None:
    listed = served.ask().body.decode()
    assert "outputs/one" in listed
    assert "outputs/two" in listed
    together = served.ask("together/").data
    assert [len(cell["media"]) for cell in together["cells"]] == [2, 2, 1, 1]
    assert together["ratings"] == {"url": "ratings", "rater": "ann", "list": "../"}
    names = [line.split('"')[1] for line in listed.split("<a href=")[2:]]
    alone = [served.ask(name).data for name in names]
    assert sorted(len(data["cells"]) for data in alone) == [2, 2]
    keys = [cell["key"] for data in alone for cell in data["cells"]]
    assert sorted(keys) == sorted(cell["key"] for cell in together["cells"])


def test_the_page_may_ask_its_own_server_only(served: Served) -> None:
    answer = served.ask("together/")
    assert b"connect-src 'self'" in answer.body
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"


def test_media_are_given_out_whole_and_in_parts(served: Served) -> None:
    data = served.ask("together/").data
    video = data["cells"][2]["media"][0]
    whole = served.ask(f"together/{video['path']}")
    assert (whole.status, whole.headers["content-type"], len(whole.body)) == (200, "video/mp4", video["bytes"])
    assert hashlib.sha256(whole.body).hexdigest() == video["sha256"]
    part = served.ask(f"together/{video['path']}", Range="bytes=10-19")
    assert (part.status, part.body) == (206, whole.body[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{video['bytes']}"
    assert served.ask(f"together/{video['poster']}").headers["content-type"] == "image/webp"


@pytest.mark.parametrize(
    "path",
    ["one/ledger.sqlite3", "one/0/result.json", "one/0/.hydra/config.yaml", "one/results.csv", "one/ratings.jsonl",
     "../secret.png", "..%2f..%2fsecret.png", "one/0/", "one/0/other.png", "one/0/link.png", "%ff%00", ""],
)  # fmt: skip
def test_nothing_but_the_runs_own_media_is_given_out(served: Served, place: Path, path: str) -> None:
    (place / "secret.png").write_bytes(b"secret")
    answer = served.ask(f"together/{path}x" if path == "" else f"together/{path}")
    assert answer.status == 404
    assert b"secret" not in answer.body


def test_a_link_in_the_place_of_a_file_is_not_followed(serve, place: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(place / "outputs" / "one", copy)
    (tmp_path / "secret.png").write_bytes(b"secret")
    server = serve(str(copy), here=tmp_path)
    page = server.ask("together/").data
    path = page["cells"][0]["media"][0]["path"]
    assert server.ask(f"together/{path}").status == 200
    (copy / path).unlink()
    (copy / path).symlink_to(tmp_path / "secret.png")
    assert server.ask(f"together/{path}").status == 404


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"Host": "evil.example"}, None, 403),
        ({"Host": "evil.example:{port}"}, None, 403),
        ({"Origin": "http://evil.example"}, None, 403),
        ({"Origin": "null"}, None, 403),
        ({"Host": "localhost:{port}"}, None, 200),
        ({"Origin": "http://127.0.0.1:{port}"}, None, 200),
        ({}, "/", 404),
        ({}, "/another-token/together/", 404),
    ],
)
def test_only_who_knows_the_address_may_ask(
    served: Served, headers: dict[str, str], path: str | None, status: int
) -> None:
    named = {name: value.format(port=served.port) for name, value in headers.items()}
    assert served.ask("together/" if path is None else path, **named).status == status
    posted = served.ask("together/ratings" if path is None else f"{path}ratings", "POST", b"{}", **named)
    assert posted.status == (400 if status == 200 else status if path is None or path != "/" else 404)


def test_what_is_judged_is_on_the_disk_before_it_is_answered(served: Served, place: Path) -> None:
    cell = served.ask("together/").data["cells"][0]
    given = rating(cell["key"], cell["media"][1]["name"], rating=4, tags=["hands"])
    assert served.post("together", given).status == 200
    kept = (place / "outputs" / "one" / "ratings.jsonl").read_text().splitlines()
    assert json.loads(kept[-1]) == given
    assert not (place / "outputs" / "two" / "ratings.jsonl").exists()
    assert served.post("together", given).status == 200
    assert len((place / "outputs" / "one" / "ratings.jsonl").read_text().splitlines()) == len(kept)


def test_others_judgements_are_told_in_their_order(served: Served, place: Path) -> None:
    cells = served.ask("together/").data["cells"]
    before = len(served.ask("together/ratings?after=0").lines)
    mine, others = (rating(cells[0]["key"], cells[0]["media"][0]["name"], rater=name) for name in ("ann", "bob"))
    served.post("together", mine)
    with (place / "outputs" / "one" / "ratings.jsonl").open("a") as file:
        file.write(json.dumps(others) + "\n")
    assert served.ask(f"together/ratings?after={before}").lines == [mine, others]
    assert served.ask(f"together/ratings?after={before + 1}").lines == [others]
    assert served.ask(f"together/ratings?after={before + 2}").body == b""
    assert served.ask("together/ratings?after=x").status == 400


def test_a_pair_is_kept_with_each_of_its_sweeps_and_taken_back_there(served: Served, place: Path) -> None:
    cells = served.ask("together/").data["cells"]
    left, right = ({"run": cell["key"], "file": cell["media"][0]["name"]} for cell in (cells[0], cells[2]))
    made = {"version": 1, "at": MOMENT, "rater": "ann"}
    pair = {**made, "kind": "pair", "id": uuid.uuid4().hex, "left": left, "right": right, "outcome": "tie", "by": None,
            "seed": 7}  # fmt: skip
    undo = {**made, "kind": "undo", "id": uuid.uuid4().hex, "of": pair["id"]}
    assert served.post("together", undo).status == 404
    assert served.post("together", pair).status == 200
    assert served.post("together", undo).status == 200
    for name in ("one", "two"):
        lines = (place / "outputs" / name / "ratings.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines[-2:]] == [pair, undo]
    found = served.ask("together/ratings?after=0").lines
    assert [found.count(each) for each in (pair, undo)] == [1, 1]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"rating": 6}, 400, "rating"),
        ({"kind": "song"}, 400, "song"),
        ({"run": "elsewhere/0/00000000"}, 404, "no such run"),
        ({"star": True, "reject": True}, 400, "never both"),
        ({"note": "x" * 20_001}, 400, "20,000"),
    ],
)
def test_a_wrong_record_is_refused_and_nothing_is_kept(
    served: Served, place: Path, change: dict[str, Any], status: int, said: str
) -> None:
    cell = served.ask("together/").data["cells"][0]
    good = rating(cell["key"], "")
    before = len(served.ask("together/ratings?after=0").lines)
    answer = served.post("together", good, good | {"id": uuid.uuid4().hex} | change)
    assert answer.status == status
    assert said in json.loads(answer.body)["error"]
    assert len(served.ask("together/ratings?after=0").lines) == before


def test_too_much_is_refused(served: Served) -> None:
    assert served.ask("together/ratings", "POST", b"x" * 2_000_000).status == 413
    assert served.ask("together/ratings", "POST", b"\xff{[").status == 400
    assert served.ask("together/ratings", "POST", b"[" * 100_000).status == 400
    assert served.ask("nothing/ratings", "POST", b"{}").status == 404


def test_without_a_directory_all_of_outputs_is_listed_and_new_ones_come(serve, place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "outputs" / "one", tmp_path / "outputs" / "one")
    server = serve(here=tmp_path)
    assert "outputs/one" in server.ask().body.decode()
    assert server.ask("together/").status == 404
    typed("request=draft", *QUICK, "hydra.run.dir=outputs/single", here=tmp_path)
    listed = server.ask().body.decode()
    name = listed.split("outputs/single")[0].rpartition('<a href="')[2].partition('"')[0]
    page = server.ask(name).data
    assert len(page["cells"]) == 1
    assert server.ask(f"{name}{page['cells'][0]['media'][0]['path']}").headers["content-type"] == "video/mp4"
    cell = page["cells"][0]
    assert server.post(name.rstrip("/"), rating(cell["key"], "video.mp4", star=True)).status == 200
    assert (tmp_path / "outputs" / "single" / "ratings.jsonl").is_file()
    assert "ended; 1 judgement was kept" in server.end()


def test_one_sweep_opens_by_itself(serve, place: Path) -> None:
    server = serve("outputs/one", here=place)
    led = server.ask()
    assert led.status == 307
    data = server.ask(led.headers["location"]).data
    assert len(data["cells"]) == 2
    assert "list" not in data["ratings"]
    assert "0 judgements" in server.end()


def test_a_sweep_that_grows_is_shown_as_it_is(serve, tmp_path: Path) -> None:
    sweep = ("-m", "request=draft", *QUICK, "hydra.sweep.dir=out")
    typed(*sweep, "request.prompt=fox,owl", here=tmp_path)
    server = serve("out", here=tmp_path)
    assert len(server.ask("together/").data["cells"]) == 2
    typed(*sweep, "request.prompt=fox,owl,cat", here=tmp_path)
    grown = server.ask("together/").data
    assert len(grown["cells"]) == 3
    assert server.post("together", rating(grown["cells"][2]["key"], "video.mp4", rating=5)).status == 200


def test_a_sweep_under_way_is_shown_as_running_until_it_ends(serve, tmp_path: Path) -> None:
    words = ["-m", "request=draft", "request.prompt=fox,owl", *QUICK, "provider.latency=600", "hydra.sweep.dir=out"]
    with Forked("runner", words, env=ENVIRONMENT, cwd=tmp_path) as sweep:
        wait_until((tmp_path / "out" / "1" / "result.json").is_file, sweep)
        server = serve("out", here=tmp_path)
        first, second = (server.ask("together/").data for _ in range(2))
        assert not first["complete"]
        assert first["made_at"] < second["made_at"]
        assert first["cells"][0]["media"] == []
        sweep.send_signal(signal.SIGINT)
        sweep.wait(PATIENCE)
    ended = server.ask("together/").data
    assert ended["complete"]
    assert ended["sweeps"][0]["resume"] == "python -m runner resume out"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere holds no sweep and no run"),
        (["--rater", " "], "--rater takes a name"),
        (["--port", "70000"], "--port"),
        (["--prot", "1"], "did you mean --port"),
    ],
)
def test_what_cannot_be_served_is_refused(place: Path, words: list[str], said: str) -> None:
    done = command_line(["view", *words], place, ENVIRONMENT)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_refused(served: Served, place: Path) -> None:
    done = command_line(["view", "outputs/one", "--open", "no", "--port", str(served.port)], place, ENVIRONMENT)
    assert done.returncode == 2
    assert "--port" in done.stderr


def test_without_outputs_there_is_nothing_to_list(tmp_path: Path) -> None:
    done = command_line(["view"], tmp_path, ENVIRONMENT)
    assert done.returncode == 2
    assert "there is no directory outputs" in done.stderr


def test_judgements_that_are_left_out_are_counted_before_a_sweep_is_shown(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place / "outputs" / "one", tmp_path / "one")
    (tmp_path / "one" / "ratings.jsonl").write_text('{"version": 2, "kind": "rating"}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("runner.view.app.serve", lambda *_args, **_settings: 0)
    assert run(["view", "one", "--port", "0", "--open", "no"]) == 0
    said = capsys.readouterr()
    assert "1 line was left out of one/ratings.jsonl" in " ".join(said.err.split())
    assert "ended; 0 judgements were kept" in said.out
