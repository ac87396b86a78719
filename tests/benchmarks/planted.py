"""Sweeps that nobody ran: ledgers as they are after their last run, written by the ledger's own writer."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from hydra import compose
from omegaconf import OmegaConf

from runner.artifacts.result import Artifact, Attempt, Cost, Result
from runner.artifacts.run_status import RunStatus
from runner.compose.app import initialize
from runner.config.loading import load, without_own_keys
from runner.config.run import RunConfig
from runner.config.shipped import CONF
from runner.engine.recorder import planned
from runner.engine.run import Run
from runner.ledger.ledger import Ledger

BEGAN = dt.datetime(2025, 6, 1, 9, 30, tzinfo=dt.UTC)
DAY = 86_400.0
_PROMPT = "Shot {}: a red fox crosses a frozen lake at dawn, mist above the ice, the camera glides along at its height"
_SECONDS = (4, 8, 12)
_FILES = ("video.mp4", "thumbnail.webp")
_CONTENT = bytes(1000)


_SHA256 = hashlib.sha256(_CONTENT).hexdigest()
_ARTIFACTS = [
    Artifact(path=_FILES[0], bytes=1000, sha256=_SHA256, media_type="video/mp4", width=1280, height=720,
             duration_seconds=4.0, fps=24.0, video_codec="h264", audio_codec="aac"),
    Artifact(path=_FILES[1], bytes=1000, sha256=_SHA256, media_type="image/webp", width=320, height=180),
]  # fmt: skip


def shipped_config(*overrides: str) -> RunConfig:
    """A run's config, as the shipped files and these overrides compose it."""
    with initialize(CONF):
        container = OmegaConf.to_container(compose("config", overrides=[*overrides]), resolve=True)
    config, problems = load(without_own_keys(dict(container)) if isinstance(container, dict) else {})
    if config is None:
        raise SystemExit(f"the shipped config is wrong: {problems}")
    return config


def plant_archive(outputs: Path, sweeps: int, runs: int) -> list[Path]:
    """Make finished sweeps of so many runs each, fifty a day; no two runs are the same work. Returns their places."""
    config = shipped_config("provider=openai")
    places = []
    for number in range(sweeps):
        day = dt.date(2025, 6, 1) + dt.timedelta(days=number // 50)
        place = outputs / "multirun" / day.isoformat() / f"09-{number % 50:02}-00-x{number:03}"
        plant_sweep(place, config, runs, first=number * runs)
        changed = BEGAN.timestamp() + DAY * (number // 50)
        os.utime(place / "ledger.sqlite3", (changed, changed))
        places.append(place)
    return places


def plant_sweep(place: Path, config: RunConfig, count: int, first: int = 0) -> None:
    """Make one finished sweep, with its runs' directories and none of their files; `first` is its first work."""
    place.mkdir(parents=True)
    planted = [_run(place, config, index, first + index) for index in range(count)]
    with Ledger(place) as ledger:
        ledger.add(planted)
        ledger.save_all([(run.index, _finished(run)) for run in planted])
    for run in planted:
        run.directory.mkdir()


def plant_files(place: Path, index: int) -> None:
    """Make the files of a planted run, as its record describes them."""
    for name in _FILES:
        (place / str(index) / name).write_bytes(_CONTENT)


def work_of(number: int) -> str:
    """The fingerprint of a planted work."""
    return hashlib.sha256(b"%d" % number).hexdigest()


def _run(place: Path, config: RunConfig, index: int, number: int) -> Run:
    seconds = _SECONDS[index % len(_SECONDS)]
    prompt = _PROMPT.format(number)
    request = config.request.model_copy(update={"prompt": prompt, "duration_seconds": seconds})
    own = config.model_copy(update={"request": request})
    typed = (f"request.prompt='{prompt}'", f"request.duration_seconds={seconds}")
    return Run(index, own, place / str(index), typed, fingerprint=work_of(number))


def _finished(run: Run) -> Result:
    job = f"video_{run.fingerprint[:48]}"
    times = _times(("planned", "submitting", "submitted", "completed", "downloaded", "verified"))
    attempt = Attempt(number=1, provider="openai", model="sora-2", started_at=times["submitting"],
                      ended_at=times["submitted"], job_id=job, usd=0.4, credential="OPENAI_API_KEY 5f2c")  # fmt: skip
    update = {
        "status": RunStatus.VERIFIED,
        "revision": 6,
        "job_id": job,
        "request_id": f"req_{run.fingerprint[:32]}",
        "endpoint": "https://api.openai.com/v1",
        "request_sent": {"model": "sora-2", "prompt": run.config.request.prompt, "seconds": "4", "size": "1280x720"},
        "artifacts": _ARTIFACTS,
        "attempts": [attempt],
        "cost": Cost(estimated_usd=0.4, estimated_from="list"),
        "timestamps": times,
        "polls": 9,
        "raw_response": {"id": job, "object": "video", "status": "completed", "model": "sora-2", "progress": 100,
                         "created_at": 1_748_770_200, "completed_at": 1_748_770_290, "expires_at": 1_748_856_690,
                         "seconds": "4", "size": "1280x720", "error": None},
    }  # fmt: skip
    return planned(run, BEGAN.timestamp()).model_copy(update=update)


def _times(names: Sequence[str]) -> dict[str, dt.datetime]:
    return {name: BEGAN + dt.timedelta(seconds=10 * number) for number, name in enumerate(names)}
