from __future__ import annotations

import asyncio
import gc

import pytest

from runner.config.provider import EmulatorConfig
from runner.errors import ConfigError, DiskError
from runner.providers.base import JobStatus
from runner.providers.emulator_process import start
from runner.providers.registry import create


@pytest.fixture
def emulated(config_of, tmp_path):
    def build(**keys):
        return config_of(
            {"kind": "emulator", "state_file": str(tmp_path / "deep" / "state.sqlite3"), "latency": 0.05, **keys}
        )

    return build


async def test_it_starts_by_itself_is_shared_and_finds_its_jobs_again(emulated):
    config = emulated()
    first, second = create(config.provider), create(config.provider)
    try:
        # All at once: whoever waits first for the address must not take it from the others.
        jobs = await asyncio.gather(*(provider.submit(config) for provider in [first, second] * 4))
        assert len({job.id for job in jobs}) == 8
        assert (await second.retrieve(jobs[0].id)).id == jobs[0].id
        start(config.provider).stop()
        restarted = start(config.provider).start()
        third = create(config.provider)
        assert (await third.retrieve(jobs[0].id)).status in (
            JobStatus.COMPLETED,
            JobStatus.IN_PROGRESS,
            JobStatus.QUEUED,
        )
        await third.close()
        assert first.endpoint == third.endpoint
        restarted.stop()
    finally:
        await first.close()
        await second.close()
        start(config.provider).stop()
    gc.collect()


def test_a_state_file_that_cannot_be_made_is_a_disk_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DiskError, match="cannot be made"):
        start(EmulatorConfig(kind="emulator", state_file=tmp_path / "file" / "state.sqlite3"))


async def test_an_emulator_that_does_not_start_says_why(emulated, tmp_path):
    config = emulated(state_file=str(tmp_path))
    provider = create(config.provider)
    with pytest.raises(ConfigError, match="the emulator did not start"):
        await provider.submit(config)
    await provider.close()
    start(config.provider).stop()


async def test_it_can_have_the_manners_of_a_compatible_server(loaded, tmp_path):
    config = loaded("provider=emulator", "provider.dialect=vllm_omni", "provider.latency=0.01", "model=wan2.2-t2v",
                    f"provider.state_file={tmp_path / 'state.sqlite3'}", "request.size=128x96", "request.fps=8",
                    "request.duration_seconds=1")  # fmt: skip
    provider = create(config.provider)
    job = await provider.submit(config)
    assert job.id.startswith("video_gen_")
    assert job.raw["model"] == "Wan-AI/Wan2.2-T2V-A14B-Diffusers"
    await provider.close()
