"""Define what the engine asks of a provider, and the provider's job in words that are the same everywhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from runner.artifacts.download import ByteSource, Stored
from runner.artifacts.result import Usage
from runner.config.run import RunConfig
from runner.errors import RunnerError

if TYPE_CHECKING:
    from .batch_api import BatchAPI
    from .chat import ChatAPI

Variant = Literal["video", "thumbnail", "spritesheet"]


class JobStatus(StrEnum):
    """Describe a remote job's state, whatever words its server uses; `UNKNOWN` is polled on."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def terminal(self) -> bool:
        """Return whether the provider will change nothing any more."""
        return self in _TERMINAL


_TERMINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED})


PAGE = "unexpected_page"
"""The code of an `UncertainError` for a paid request that was answered with success and a page instead of JSON."""


FORBIDDEN = "forbidden_address"
"""The code of an `UnexpectedAnswerError` for an address that a server named and that is never asked."""


@dataclass(frozen=True, slots=True)
class Job:
    """Describe one answer about a remote unit of work; times are Unix seconds, `progress` is 0 to 100."""

    id: str
    status: JobStatus
    raw_status: str
    progress: float = 0
    error_code: str | None = None
    error_message: str | None = None
    created_at: float | None = None
    expires_at: float | None = None
    poll_after: float | None = None
    """Seconds after which the server would like to be asked again."""
    submit_after: float | None = None
    """Seconds until another paid request may be sent, where nothing remains of what is allowed in a time."""
    request_id: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)  # Any: the server's JSON as it came
    usd: float | None = None
    """What it has cost, where its server tells."""
    signed: tuple[str, ...] = field(default=(), repr=False)
    """Addresses of its file that open without a key: asked last, and never written down."""


BEFORE_ALL_JOBS = 1_577_836_800.0
"""The year 2020 in Unix seconds: no job was made, and none has expired, before."""


def outlived(job: Job, server_time: float | None) -> bool:
    """Return whether the time for which its server keeps `job` is over, by the server's own clock.

    An expiry that is 0 or lies before the job's creation is none, and without the server's time nothing is said.
    """
    if job.expires_at is None or server_time is None:
        return False
    return (job.created_at or BEFORE_ALL_JOBS) < job.expires_at <= server_time


@dataclass(frozen=True, slots=True)
class JobPage:
    """Describe a part of the list of an endpoint's jobs, newest first.

    Attributes:
        jobs: what was listed; the `raw` of each holds its prompt, model, size and seconds where the server tells them.
        more: whether older jobs may follow.
        last: the job after which the next page begins.
    """

    jobs: tuple[Job, ...]
    more: bool
    last: str | None


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """Describe one image as it came: base64 text, or an address to fetch it from."""

    b64: str | None
    url: str | None
    revised_prompt: str | None = None
    write: Callable[[Path], Stored] | None = None
    """Writes the image to a path, where its text is in no memory."""


@dataclass(frozen=True, slots=True)
class PartialImage:
    """Describe a sketch of an image that is still being made; `index` counts from 0, `b64` is base64 text."""

    index: int
    b64: str


OnPartial = Callable[[PartialImage], Awaitable[None]]
"""Awaited for each partial image before the stream is read on; must not raise."""


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """Describe the answer to one image request; `raw` is the JSON without the image data."""

    images: tuple[GeneratedImage, ...]
    usage: Usage | None = None
    request_id: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)  # Any: the server's JSON as it came
    submit_after: float | None = None
    """As of a `Job`."""
    implausible_usage: bool = False
    """Whether the answer tells of a use that cannot be true."""
    usd: float | None = None
    """What it has cost, where its server tells."""
    answer: bytes | None = None
    """The answer as it came, where it holds far more images than were asked for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Describe an answer to a free question; `error` is what it would be as the answer to a run's request."""

    status: int
    headers: Mapping[str, str]
    raw: Any = None  # Any: the server's JSON as it came, None if it is none
    said: str = ""
    """The server's own words, if it refused."""
    error: RunnerError | None = None


@dataclass(frozen=True, slots=True)
class Character:
    """Describe a character that videos can show again, made of a video.

    `created_at` is in Unix seconds, None where the server does not say.
    """

    id: str
    name: str
    created_at: float | None


class Provider(Protocol):
    """Reach one endpoint with one client; every method raises only `runner.errors.RunnerError`s.

    Paid calls (`submit`, `generate`) send exactly one request, never two. They raise `UncertainError` when the
    request may have been received and no usable answer came (dropped, timed out, 5xx), `HTTPConnectionError` when
    it provably was not sent, `RateLimitError` on 429.
    """

    name: str
    """The provider's kind, as in the config."""

    endpoint: str
    """The canonical identity of where the requests go, independent of its spelling."""

    server_ahead: float | None
    """Seconds by which the server's clock is ahead of this machine's, by its latest answer; None before one told."""

    credential: str
    """What signs the requests, as `credential_mark` tells it; empty where nothing does."""

    credential_source: str | None
    """Where the credential comes from, for people; None if there is none."""

    def body(self, config: RunConfig) -> dict[str, Any]:  # Any: JSON
        """Return the request as sent, without file contents: what `result.json` records."""

    async def source_address(self, config: RunConfig) -> str:
        """Return where the finished video that a request starts from lies now, for a host that takes its address.

        It opens for everybody: it is sent, and neither kept nor shown. Whatever this raises, nothing was paid.
        """

    async def submit(self, config: RunConfig, source: str | None = None) -> Job:
        """Create one video job (paid); `source` is the address of the video that it starts from, as just told."""

    async def retrieve(self, job_id: str) -> Job:
        """Ask for a job's state; a failed job that a server delivers as an HTTP error is still a `Job`."""

    async def jobs(self, after: str | None = None, limit: int = 100) -> JobPage:
        """List up to `limit` (at most 100) of the endpoint's jobs, newest first, beginning behind the job `after`."""

    def content(self, job: Job, variant: Variant = "video") -> AbstractAsyncContextManager[ByteSource]:
        """Open the download of a completed job's file; `ExpiredError` if it is no longer kept."""

    async def generate(self, config: RunConfig, on_partial: OnPartial | None = None) -> ImageBatch:
        """Generate or edit images (paid); `on_partial` hears of partial images where the request asks for them."""

    async def delete(self, job_id: str) -> None:
        """Delete a finished job and its files at the provider."""

    def fetch(self, url: str, *, by_user: bool = False) -> AbstractAsyncContextManager[ByteSource]:
        """Open a download from an address that the server named, or the user (`by_user`); relative to the endpoint.

        The endpoint alone gets our credentials. A server's address that leads into this machine or its private network
        is an `UnexpectedAnswerError`, unless the endpoint is there too.
        """

    def batches(self) -> BatchAPI:
        """Return what sends image requests in batches; what has none is refused before."""

    def chat(self) -> ChatAPI:
        """Return what asks chat models (paid)."""

    async def create_character(self, video: Path, name: str) -> Character:
        """Make a character of a local video file; sent once, as if paid, since no source gives its price."""

    async def character(self, character_id: str) -> Character:
        """Look a character up."""

    async def ask(self, path: str, action: str, **query: str) -> Reply:
        """Send GET `path` below the API's root; raises only if nothing was answered or signing failed."""

    async def close(self) -> None:
        """Close the client's connections."""
