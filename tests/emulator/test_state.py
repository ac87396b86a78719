from __future__ import annotations

import hashlib
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from runner.emulator.job import SUFFIXES, Clip
from runner.emulator.process import EmulatorProcess
from runner.emulator.settings import EmulatorSettings
from runner.emulator.studio import Studio
from runner.emulator.video import RenderCancelledError, render

PROMPT = "A timelapse of a city skyline from dawn to dusk"


def test_two_emulators_share_one_file(make_emulator, connect, wait):
    one, two = make_emulator(), make_emulator()
    here, there = connect(one.base_url), connect(two.base_url)
    made = [client.videos.create(prompt=PROMPT).id for client in (here, there, here)]
    assert [job.id for job in here.videos.list()] == [job.id for job in there.videos.list()] == made[::-1]
    assert one.ledger()["created"] == two.ledger()["created"]
    job = wait(there, here.videos.retrieve(made[0]))
    assert here.videos.download_content(job.id).read() == there.videos.download_content(job.id).read()


def test_one_upload_that_comes_with_two_requests_at_once_is_kept(tmp_path, monkeypatch):
    studio = Studio(EmulatorSettings(state_file=tmp_path / "state.sqlite3", media_dir=tmp_path / "media"))
    met = threading.Barrier(2, timeout=60)
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda part, path: (met.wait(), replace(part, path))[1])
    with ThreadPoolExecutor() as pool:
        names = [*pool.map(studio.keep, [b"a picture"] * 2)]
    studio.close()
    assert {each.name for each in (tmp_path / "media").iterdir()} == set(names)
    assert (tmp_path / "media" / names[0]).read_bytes() == b"a picture"


def test_two_emulators_can_write_at_once(make_emulator, connect):
    emulators = [make_emulator(), make_emulator()]
    clients = [connect(emulator.base_url) for emulator in emulators]
    threads = [
        threading.Thread(target=lambda c=client: [c.videos.create(prompt=PROMPT) for _ in range(20)])
        for client in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert emulators[0].ledger()["jobs"] == 40


def test_jobs_survive_kill_9(tmp_path, render_cache, connect):
    settings = EmulatorSettings(state_file=tmp_path / "state", latency=3600, media_dir=render_cache)
    with EmulatorProcess(settings) as emulator:
        job = connect(emulator.base_url).videos.create(prompt=PROMPT)
        os.kill(emulator.pid, signal.SIGKILL)
    with EmulatorProcess(settings) as emulator:
        found = connect(emulator.base_url).videos.retrieve(job.id)
        assert (found.id, found.created_at, found.prompt) == (job.id, job.created_at, PROMPT)
        assert emulator.ledger()["jobs"] == 1


def test_the_same_clip_gives_the_same_bytes(tmp_path):
    clip = Clip(PROMPT, "sora-2", 720, 1280, 4)
    hashes = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        hashes.add(tuple(hashlib.sha256(render(clip, folder, kind).read_bytes()).hexdigest() for kind in SUFFIXES))
    assert len(hashes) == 1


def test_a_cancelled_rendering_leaves_nothing(tmp_path):
    with pytest.raises(RenderCancelledError):
        render(Clip(PROMPT, "sora-2", 720, 1280, 4), tmp_path, "video", lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_shared_clips_are_rendered_once(make_emulator, connect, wait, tmp_path):
    emulator = make_emulator(shared_clips=True, media_dir=tmp_path / "media")
    client = connect(emulator.base_url)
    for prompt in ("one", "two", "three"):
        client.videos.download_content(wait(client, client.videos.create(prompt=prompt)).id).read()
    assert len(list((tmp_path / "media").iterdir())) == 1


@pytest.mark.parametrize(
    "bad", [{"host": "0.0.0.0"}, {"port": 70_000}, {"latency": -1}, {"time_scale": 0}, {"typo": 1}]
)
def test_settings_that_make_no_sense_are_refused(tmp_path, bad):
    with pytest.raises(ValidationError):
        EmulatorSettings(state_file=tmp_path / "state", **bad)


def test_a_key_does_not_show(tmp_path):
    assert "canary" not in repr(EmulatorSettings(state_file=tmp_path, api_key="canary"))
