"""Whole runs that edit or extend a finished video at xAI: looked up, paid once, never told where it lies."""

from __future__ import annotations

from pathlib import Path

import pytest

FIRST = ("provider=xai", "model=grok-imagine-video", "request.resolution=480p", "provider.poll_interval=0.02",
         "yes=true")  # fmt: skip


@pytest.fixture
def at(cli, canary):
    """Run a command line against a server that is reached as xAI."""

    def call(server, *arguments):
        return cli(*arguments, XAI_BASE_URL=server.base_url, XAI_API_KEY=canary)

    return call


@pytest.fixture
def source(at, tmp_path):
    """A finished video of two seconds and its server, whose faults come later; the directory of its run."""

    def make(server):
        done = at(server, *FIRST, "request.duration_seconds=2", "request.prompt='a boat'")
        assert done.code == 0, done.err
        return next(tmp_path.glob("outputs/*/*/result.json")).parent

    return make


def derived(directory: Path, *more: str) -> tuple[str, ...]:
    return (*FIRST, f"request.video={directory}", "request.prompt='a storm'", "hydra.run.dir=outputs/second", *more)


def second(done) -> dict:
    (result,) = [each for each in done.results() if each["config"]["request"]["video"]]
    return result


@pytest.mark.parametrize(
    ("operation", "seconds", "usd"),
    [("request.operation=edit", 2, 0.12), ("request.operation=extend", 5, 0.17)],
)
def test_a_video_is_made_of_a_finished_one(at, make_emulator, source, tmp_path, operation, seconds, usd):
    server = make_emulator(dialect="xai")
    directory = source(server)
    done = at(server, *derived(directory, operation, "request.duration_seconds=3"))
    assert done.code == 0, done.err
    result, (made, other) = second(done), server.ledger()["created"]
    assert result["artifacts"][0]["duration_seconds"] == seconds
    assert result["cost"] == {"estimated_usd": None, "estimated_from": None, "actual_usd": usd}
    assert (result["request_sent"]["video"], other["seconds"]) == (made["id"], seconds)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"signature=" not in kept
    assert "signature=" not in done.out + done.err


def test_a_source_that_is_gone_is_said(at, make_emulator):
    server = make_emulator(dialect="xai")
    done = at(server, *FIRST, "request.video=a0f59c75-6e36-4ae9-83a3-97161deb3e45", "request.operation=edit")
    assert done.code == 1
    assert "has no video a0f59c75-6e36-4ae9-83a3-97161deb3e45 to start from" in done.err
    assert second(done)["error"]["hint"].startswith("request.video=ID, or =DIR of its run")
    assert server.ledger()["requests"].keys() == {"GET /v1/videos/{video_id}"}


def test_an_answer_that_is_lost_is_uncertain_and_never_paid_again(at, make_emulator, source):
    server = make_emulator(dialect="xai", rules=[{"fault": "drop_after_commit", "match": {"operation": "edit"}}])
    directory = source(server)
    done = at(server, *derived(directory, "request.operation=edit"))
    assert done.code == 4, done.err
    assert second(done)["status"] == "uncertain"
    assert at(server, "resume", "outputs/second").code == 4
    assert server.ledger()["jobs"] == 2


def test_the_same_work_is_not_paid_twice_where_it_may_be_reused(at, make_emulator, source):
    server = make_emulator(dialect="xai")
    directory = source(server)
    work = derived(directory, "request.operation=extend", "request.duration_seconds=3")
    assert at(server, *work).code == 0
    assert at(server, *work, "reuse=true", "hydra.run.dir=outputs/third").code == 0
    assert server.ledger()["jobs"] == 2
    assert at(server, *work, "reuse=true", "hydra.run.dir=outputs/fourth", "request.operation=edit").code == 0
    assert server.ledger()["jobs"] == 3


def test_without_a_key_the_emulator_stands_in(quick):
    emulated = ("provider.dialect=xai", "model=grok-imagine-video", "request.resolution=480p")
    done = quick(*emulated, "request.duration_seconds=2", "hydra.run.dir=outputs/first")
    assert done.code == 0, done.err
    done = quick(*emulated, "request.video=outputs/first", "request.operation=extend", "request.duration_seconds=1")
    assert done.code == 0, done.err
    assert second(done)["artifacts"][0]["duration_seconds"] == 3
