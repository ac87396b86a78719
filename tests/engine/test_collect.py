from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest

from runner.artifacts.run_status import RunStatus
from runner.engine.recorder import RunRecorder
from runner.engine.store import StoreLostError
from runner.errors import (
    ArtifactError,
    ExpiredError,
    HTTPConnectionError,
    ModelNotFoundError,
    RateLimitError,
    ServerError,
    UnexpectedAnswerError,
)

from .simulation import SimulatedDecoder


@pytest.mark.parametrize(
    "error", [ServerError, ModelNotFoundError, HTTPConnectionError, UnexpectedAnswerError, RateLimitError]
)
def test_a_download_that_fails_at_first_is_repeated_and_nothing_is_paid_again(engine, provider, runs, error):
    provider.on_content.extend(error("not yet") for _ in range(5))
    assert engine(runs()).exit_code == 0
    assert len(provider.sent) == 1
    assert len(provider.downloads) == 6


def test_a_cut_download_is_repeated_and_never_has_the_final_name(engine, provider, runs, body, clip, names):
    (run,) = runs()
    provider.on_content.extend([body(clip[:-100], length=len(clip)), body(clip[:5000], breaks=ServerError("cut"))])
    seen = []
    waiting = engine.clock.sleep

    async def sleep(seconds):
        if provider.downloads:
            seen.append(names(run.directory))
        await waiting(seconds)

    engine.clock.sleep = sleep
    assert engine([run]).exit_code == 0
    assert seen == [["result.json"]] * 2
    assert names(run.directory) == ["result.json", "thumbnail.webp", "video.mp4"]


def test_nothing_is_removed_that_another_process_may_write_by_now(engine, provider, runs, names, monkeypatch):
    (run,) = runs()

    async def lost(recorder, status):
        if status is RunStatus.DOWNLOADED:
            raise StoreLostError("it is gone")
        await reach(recorder, status)

    reach = RunRecorder.reach
    monkeypatch.setattr(RunRecorder, "reach", lost)
    assert engine([run]).exit_code == StoreLostError.exit_code
    assert "video.mp4.part" in names(run.directory)


@pytest.mark.parametrize("garbage", [b"<!DOCTYPE html><html>login</html>", b"\x00" * 5000, b'{"error": "x"}'])
def test_what_cannot_be_checked_is_kept_under_a_name_that_says_so(
    engine, provider, runs, body, garbage, names, stored, clip
):
    (run,) = runs()
    provider.on_content.extend(body(garbage) for _ in range(8))
    outcome = engine([run])
    error = outcome.errors[0]
    assert isinstance(error, ArtifactError)
    assert len(provider.downloads) == 8
    assert names(run.directory) == ["result.json", "video.unverified"]
    assert "video.unverified" in str(error)
    assert "resume" in error.hint
    result = stored(run)
    assert (result.status, result.job_id, outcome.exit_code) == (RunStatus.COMPLETED, "video_0", 4)
    (pending,) = result.pending
    assert (pending.path, pending.bytes, pending.sha256) == (
        "video.unverified",
        len(garbage),
        hashlib.sha256(garbage).hexdigest(),
    )
    assert engine([replace(run, earlier=result)]).exit_code == 0, "it is downloaded again"
    assert (len(provider.downloads), len(provider.sent)) == (9, 1)
    assert names(run.directory) == ["result.json", "thumbnail.webp", "video.mp4"]
    assert (run.directory / "video.mp4").read_bytes() == clip
    assert stored(run).pending == []


def test_what_a_later_version_can_check_is_verified_without_a_download(
    engine, provider, runs, names, stored, monkeypatch
):
    async def refused(self, path, *, thumbnail=False):
        raise ArtifactError("of a kind that nobody knows")

    (run,) = runs()
    with monkeypatch.context() as patch:
        patch.setattr(SimulatedDecoder, "check", refused)
        assert engine([run]).exit_code == 4
    assert names(run.directory) == ["result.json", "video.unverified"]
    downloads = len(provider.downloads)
    assert engine([replace(run, earlier=stored(run))]).exit_code == 0
    assert len(provider.downloads) == downloads
    assert names(run.directory) == ["result.json", "thumbnail.webp", "video.mp4"]


def test_what_came_is_worth_resuming_although_the_provider_keeps_nothing_more(
    engine, provider, runs, body, stored, clip
):
    (run,) = runs()
    provider.on_content.extend([body(b"garbage"), ExpiredError("no longer kept")])
    outcome = engine([run])
    assert (stored(run).status, outcome.exit_code) == (RunStatus.COMPLETED, 4)
    assert "video.unverified" in str(outcome.errors[0])
    provider.on_retrieve.append(ExpiredError("who?"))
    provider.on_retrieve.append(ExpiredError("who?"))
    provider.on_retrieve.append(ExpiredError("who?"))
    assert engine([replace(run, earlier=stored(run))]).exit_code == 4
    assert (run.directory / "video.unverified").read_bytes() == b"garbage"


@pytest.mark.parametrize("head", ["", "data:video/mp4;base64,", "\n"])
def test_a_video_that_comes_as_base64_is_decoded(engine, provider, runs, body, clip, names, stored, head):
    (run,) = runs()
    provider.on_content.append(body(head.encode() + base64.encodebytes(clip)))
    assert engine([run]).exit_code == 0
    assert names(run.directory) == ["result.json", "thumbnail.webp", "video.mp4"]
    assert (run.directory / "video.mp4").read_bytes() == clip
    assert stored(run).artifacts[0].sha256 == hashlib.sha256(clip).hexdigest()


def test_a_file_that_is_always_cut_is_kept_as_far_as_it_came(engine, provider, runs, body, clip, names):
    (run,) = runs()
    provider.on_content.extend(body(clip[:-1000], length=len(clip)) for _ in range(8))
    assert engine([run]).exit_code == 4
    assert (run.directory / "video.unverified").read_bytes() == clip[:-1000]


def test_nothing_is_kept_of_nothing(engine, provider, runs, body, names):
    (run,) = runs()
    provider.on_content.extend(body(b"") for _ in range(8))
    assert engine([run]).exit_code == 4
    assert names(run.directory) == ["result.json"]


def test_a_video_cut_without_a_length_is_found_out(engine, provider, runs, body, clip):
    short = body(clip[: len(clip) * 2 // 3])
    short.length = None
    provider.on_content.append(short)
    assert engine(runs()).exit_code == 0
    assert len(provider.downloads) == 2


def test_an_expired_file_is_a_state_of_its_own_and_not_asked_for_again(engine, provider, runs, stored):
    (run,) = runs()
    provider.on_content.append(ExpiredError("no longer kept"))
    outcome = engine([run])
    assert stored(run).status is RunStatus.EXPIRED
    assert (len(provider.sent), len(provider.downloads)) == (1, 1)
    assert outcome.exit_code == 1


def test_a_body_that_stalls_is_asked_for_again(engine, provider, runs, body, clip):
    stalled = body(clip)
    stalled.seconds = 10_000
    provider.on_content.append(stalled)
    assert engine(runs()).exit_code == 0
    assert engine.seconds < 120


def test_a_file_beyond_the_limit_is_broken_off_and_not_tried_again(engine, provider, runs, body, clip, names):
    (run,) = runs()
    provider.on_content.append(body(clip, length=9 * 1024**3))
    outcome = engine([run])
    assert len(provider.downloads) == 1
    assert outcome.errors[0].code == "too_large"
    assert names(run.directory) == ["result.json"]


def test_a_server_cannot_choose_a_path(engine, provider, runs, names, tmp_path):
    from runner.providers.base import Job, JobStatus

    evil = "../../evil/../.."
    provider.on_submit.append(Job(evil, JobStatus.COMPLETED, "../completed", 100, raw={"id": evil}))
    (run,) = runs()
    assert engine([run]).exit_code == 0
    assert names(run.directory) == ["result.json", "thumbnail.webp", "video.mp4"]
    assert names(tmp_path) == ["runs"]
