"""Describe what an emulator can be told: a frozen model, checked before anything listens."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from runner.loopback import HOST

Dialect = Literal[
    "plain", "vllm_omni", "sglang", "litellm", "openrouter", "xai", "new_api", "edenai", "together", "aquiles"
]


class EmulatorSettings(BaseModel):
    """Configure one emulator; durations are emulated seconds, divided by `time_scale` to get real ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialect: Dialect = "plain"
    """Whose manners `/v1` has: OpenAI's own, or those of a compatible server or host."""
    uploads: bool = False
    """sglang: finished videos lie elsewhere; `/content` refuses them and the job names their address."""
    state_file: Path
    """SQLite file that keeps the jobs; several emulators may share it."""
    host: Literal["127.0.0.1"] = HOST
    """Loopback only: there is no way to expose the emulator to a network."""
    port: int = Field(default=0, ge=0, le=65535)
    """0 takes any free port."""
    latency: float = Field(default=2.0, ge=0, allow_inf_nan=False)
    """Seconds from creating a video job until it is completed."""
    time_scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Emulated seconds per real second."""
    retention: float = Field(default=86_400.0, gt=0, allow_inf_nan=False)
    """Seconds from creating a job until its files are gone (`expires_at`)."""
    poll_after: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Seconds that `openai-poll-after-ms` asks clients to wait before they look at an unfinished job again."""
    max_running_jobs: int | None = Field(default=None, ge=1)
    """Jobs that may run at once; another one is refused with 429. None means no limit."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Paid requests in an emulated minute; more are refused with 429. None: no limit, and no x-ratelimit headers."""
    api_key: str | None = Field(default=None, repr=False)
    """The one key that is accepted; None accepts any that is not empty."""
    deployments: tuple[str, ...] | None = None
    """Azure deployment names that exist; None accepts any."""
    models: tuple[str, ...] | None = None
    """Model names that exist on `/v1`; None means the catalogue."""
    video_bytes: int = Field(default=0, ge=0, le=10**12)
    """Pad every MP4 to at least this many bytes; it stays playable."""
    shared_clips: bool = False
    """Render one clip per size and duration, without the prompt: for load tests."""
    media_dir: Path | None = None
    """Cache of rendered files; None puts it beside the state file."""
    faults: Path | None = None
    """YAML file of fault rules."""
    seed: int = 0
    """Decides the faults that have a probability."""

    @property
    def media(self) -> Path:
        """Return the folder that rendered files are cached in."""
        return self.media_dir or self.state_file.with_name(f"{self.state_file.stem}-media")

    @property
    def files(self) -> Path:
        """Return the folder of uploaded files and of what batches made."""
        return self.state_file.with_name(f"{self.state_file.stem}-files")

    def real(self, emulated: float) -> float:
        """Turn emulated seconds into real seconds."""
        return emulated / self.time_scale
