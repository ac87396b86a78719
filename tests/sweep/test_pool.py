"""A pool of servers through the command line: spread, resumed, priced, refused, looked at by the doctor."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from runner.app import run
from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread


@pytest.fixture
def servers(tmp_path, render_cache) -> Iterator[list[EmulatorThread]]:
    """Two servers that know nothing of each other."""

    def server(number: int) -> EmulatorThread:
        state = tmp_path / f"server{number}.sqlite3"
        return EmulatorThread(
            EmulatorSettings(state_file=state, latency=0.05, media_dir=render_cache, shared_clips=True)
        )

    with server(0) as first, server(1) as second:
        yield [first, second]


@pytest.fixture
def pooled(here, servers, monkeypatch, capsys):
    """Run the command line with both servers as one pool; the exit code and what was printed."""
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")
    urls = ",".join(server.base_url for server in servers)

    def call(*overrides, directory="out"):
        usual = ["provider=openai", f"provider.base_urls=[{urls}]", "provider.poll_interval=0.02",
                 "provider.retired_models=off", "request.duration_seconds=4", "progress=off",
                 f"hydra.sweep.dir={directory}"]  # fmt: skip
        code = run(["-m", *usual, *overrides])
        printed = capsys.readouterr()
        return code, f"{printed.out}{printed.err}"

    return call


def made(server):
    return server.ledger()["jobs"]


def endpoints(place):
    return Counter(json.loads(path.read_text())["endpoint"] for path in place.glob("*/result.json"))


def test_a_sweep_is_spread_and_says_how(here, pooled, servers):
    code, told = pooled("replica=0,1,2,3,4,5")
    assert code == 0
    counts = {server.base_url: made(server) for server in servers}
    assert sum(counts.values()) == 6
    assert min(counts.values()) >= 2  # how long each job takes is chance
    assert endpoints(here / "out") == counts
    shares = sorted((url.removeprefix("http://").removesuffix("/v1"), count) for url, count in counts.items())
    assert f"spread: {' · '.join(f'{count} at {host}' for host, count in shares)}" in told


def test_a_server_that_was_not_used_is_named(here, pooled, servers):
    gone = "127.0.0.1:9"  # the port of discard, which nothing listens on
    code, told = pooled("replica=0,1", f"provider.base_urls=[{servers[0].base_url},http://{gone}/v1]")
    assert code == 0
    host = servers[0].base_url.removeprefix("http://").removesuffix("/v1")
    assert f"2 at {host}" in told
    assert f"none at {gone}" in told


def test_the_record_keeps_the_pool_and_says_the_server(here, pooled, servers):
    pooled("replica=0,1")
    result = json.loads((here / "out/0/result.json").read_text())
    assert [member["base_url"] for member in result["config"]["provider"]["base_urls"]] == [
        server.base_url for server in servers
    ]
    assert result["endpoint"] in {server.base_url for server in servers}


def test_what_a_killed_process_left_is_collected_where_it_is(here, pooled, servers, rewind, capsys):
    pooled("replica=0,1,2,3")
    before = endpoints(here / "out")
    for number in range(4):
        rewind(number, "submitted")
    assert run(["resume", "out", "progress=off"]) == 0
    assert sum(made(server) for server in servers) == 4
    assert endpoints(here / "out") == before


def test_a_server_that_has_a_job_may_not_be_left_out(here, pooled, servers, rewind, capsys):
    pooled("replica=0,1,2,3")
    before = endpoints(here / "out")
    for number in range(4):
        rewind(number, "submitted")
    capsys.readouterr()
    assert run(["resume", "out", f"provider.base_urls=[{servers[0].base_url}]", "progress=off"]) == 2
    assert f"provider.base_urls: lacks {servers[1].base_url}, where" in capsys.readouterr().err
    assert run(["resume", "out", "progress=off"]) == 0
    assert endpoints(here / "out") == before


def test_a_pool_that_grew_reuses_what_it_has_made(here, pooled, servers, render_cache, tmp_path, monkeypatch):
    pooled("replica=0,1")
    state = tmp_path / "third.sqlite3"
    with EmulatorThread(EmulatorSettings(state_file=state, latency=0.05, media_dir=render_cache)) as third:
        urls = ",".join(server.base_url for server in (*servers, third))
        code, _ = pooled("replica=0,1,2", f"provider.base_urls=[{urls}]")
        assert code == 0
        assert sum(made(server) for server in (*servers, third)) == 3


def test_a_dry_run_says_that_runs_are_spread(pooled, servers):
    code, told = pooled("replica=0,1", "dry_run=true")
    assert code == 0
    first, second = (server.base_url.removeprefix("http://").removesuffix("/v1") for server in servers)
    assert f"spread over 2 servers ({first}; {second})" in told
    assert [made(server) for server in servers] == [0, 0]


def test_servers_behind_one_host_are_told_apart(pooled):
    pool = "provider.base_urls=[https://gw:8000/a/v1,https://gw:8000/b/v1,https://gpu:8000/v1]"
    assert "(gw:8000/a/v1; gw:8000/b/v1; gpu:8000)" in pooled("replica=0,1", pool, "dry_run=true")[1]


def test_a_video_made_of_another_goes_to_the_server_that_has_it(here, pooled, servers):
    pooled("replica=0,1,2,3")
    for number in range(4):
        code, told = pooled(
            f"request.video={here}/out/{number}", "request.operation=remix", "request.prompt='at night'",
            "request.duration_seconds=null", directory=f"remix{number}",
        )  # fmt: skip
        assert code == 0, told
        (source,) = [json.loads((here / f"out/{number}/result.json").read_text())["endpoint"]]
        assert endpoints(here / f"remix{number}") == {source: 1}


def test_an_id_alone_does_not_say_which_server_has_the_video(pooled, servers):
    code, told = pooled("request.video=video_1", "request.operation=remix", "request.duration_seconds=null")
    assert code == 2
    assert "does not tell which server" in told
    assert [made(server) for server in servers] == [0, 0]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("provider.base_urls=[http://a/v1,http://A/v1/]", "names one server twice"),
        ("provider.base_urls=[{base_url: http://a/v1, wait: 3}]", "wait"),
        ("provider.base_urls=[http://a/v1,ftp://b]", "provider.base_urls[1]"),
        ("provider.base_urls=[http://user:word@a/v1]", "holds a user, password or key"),
        ("provider.base_urls=[http://a/v1?token=abc]", "query"),
        ("provider.base_urls=[{base_url: http://a/v1, weight: 0}]", "weight"),
        ("batch=true", "a batch goes to one server"),
    ],
)
def test_a_wrong_pool_is_refused_before_anything_is_sent(pooled, servers, override, said):
    image = ["request=image", "model=gpt-image-2", "~request.duration_seconds"] if override == "batch=true" else []
    code, told = pooled("replica=0,1", *image, override)
    assert code == 2
    assert said in told
    assert [made(server) for server in servers] == [0, 0]


def test_the_doctor_looks_at_each_server(here, servers, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")
    gone = "http://127.0.0.1:9/v1"  # the port of discard, which nothing listens on
    code = run(["doctor", "provider=openai", f"provider.base_urls=[{servers[0].base_url},{gone}]",
                "provider.retired_models=off"])  # fmt: skip
    told = capsys.readouterr().out
    assert code == 1
    lines = [line.split(maxsplit=3) for line in told.splitlines() if line[:1].isalpha() or line.startswith("FAIL")]
    of_first = {name: status for status, name, said, *_ in lines if said.startswith(servers[0].base_url)}
    of_second = {name: status for status, name, said, *_ in lines if said.startswith(gone)}
    assert of_first["endpoint"] == "ok"
    assert "FAIL" in of_second.values()
