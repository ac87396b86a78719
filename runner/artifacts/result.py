"""Describe `result.json`: everything known about one run, in a versioned schema."""

from __future__ import annotations

import datetime as dt
import functools
import math
import platform
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationInfo,
    computed_field,
    model_validator,
)

import runner
from runner.config.run import RunConfig

from .run_status import RunStatus

SCHEMA_VERSION: Literal[1] = 1


class StoredModel(BaseModel):
    """Base what is written to disk on one model; unknown keys of later versions are ignored."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def made(cls, **values: Any) -> Self:  # Any: what the fields hold
        """Return one of our own values, unchecked, whose set of given fields is the same object for all.

        A set for each takes as much memory as the values, of which a large sweep has tens of thousands.
        """
        return cls.model_construct(_names(cls), **values)


@functools.cache
def _names(model: type[StoredModel]) -> set[str]:
    return {*model.model_fields}


_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?", re.IGNORECASE)
"""Names that Windows takes for devices, whatever their extension is."""

_LONGEST_NAME = 255


@functools.lru_cache(4096)
def own_name(name: str) -> bool:
    """Return whether `name` is a file's in a run's own directory, on any system: a record may come from anyone."""
    plain = name.isprintable() and not {*name} & {*'/\\:*?"<>|'} and name.strip(". ") and name == name.strip()
    return bool(plain) and not _RESERVED.fullmatch(name) and len(name.encode(errors="replace")) <= _LONGEST_NAME


def _usd(value: float | None) -> float | None:
    """Take an amount that cannot be one for unknown: it must not raise what a budget allows."""
    return value if value is not None and 0 <= value < math.inf else None


Usd = Annotated[float | None, AfterValidator(_usd)]
"""US dollars, None where nobody knows."""


class Artifact(StoredModel):
    """Describe a file that the run produced; `path` is its name in the run's directory."""

    path: str
    bytes: int
    sha256: str
    media_type: str
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    fps: float | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    revised_prompt: str | None = None
    """The prompt that the provider made of the run's, where it says so."""


class ErrorRecord(StoredModel):
    """Describe why a run did not succeed."""

    type: str
    code: str | None
    message: str
    hint: str | None
    retryable: bool


class Cost(StoredModel):
    """Hold US dollars: as expected before, and by the usage that the provider reported after; null is unknown."""

    estimated_usd: Usd = None
    estimated_from: Literal["list", "tokens"] | None = None
    """The maker's price list, or an estimate of the tokens that will be used."""
    actual_usd: Usd = None

    @property
    def usd(self) -> float | None:
        """Return what it actually was, else what was expected."""
        return self.estimated_usd if self.actual_usd is None else self.actual_usd


class Usage(StoredModel):
    """Count the tokens that an image request used, partial images included."""

    text_in: int
    image_in: int
    image_out: int
    """All tokens of the output."""
    text_out: int = 0
    """Those of the output that are text."""
    cached_in: int = 0
    """Those of the input that were sent before."""


class Attempt(StoredModel):
    """Describe one paid request and what came of it."""

    number: int
    provider: str = ""
    model: str = ""
    """What was sent as `model`."""
    choice: int = 0
    """0: the run as configured; n: its nth fallback."""
    started_at: dt.datetime
    ended_at: dt.datetime | None = None
    job_id: str | None = None
    adopted: bool = False
    """Whether the job was found in the provider's list, or named by the user, after the answer had been lost."""
    server_ahead: float | None = None
    """Seconds by which the server's clock was ahead of this machine's, None if it was not known."""
    error: ErrorRecord | None = None
    answer: str | None = None
    """The file in the run's directory with what came in place of an answer that can be used."""
    usd: Usd = None
    """What it counts in US dollars: its price while it may be charged, 0 once it provably created nothing."""
    credential: str = ""
    """What signed it: the variable that holds the key, and a short mark by which another key is noticed."""
    batch: str | None = None
    """Our mark of the batch that it went out in, None where it went alone."""
    inherited: bool = False
    """Whether a later process took the run up after this request, which was or may have been paid."""


class Absence(StoredModel):
    """Describe how long a paid job has not been found by its server, with one credential."""

    since: dt.datetime
    """When it was not found first, by this machine's clock, for people."""
    looks: int = 1
    """How many processes looked for it in vain."""
    seconds: float = 0.0
    """What has passed since then by clocks that a change of this machine's time does not move."""
    endpoint: str = ""
    credential: str = ""
    server_time: float | None = None
    """The first answer's own time in Unix seconds."""
    boot: str | None = None
    """Which start of the machine `elapsed` counts from."""
    elapsed: float = 0.0


class Pending(StoredModel):
    """Describe a paid file without its final name: complete at `path`, or still to be fetched from `url`."""

    path: str
    """Where it lies or is to lie, relative to the run's directory, until it is checked."""
    bytes: int = 0
    sha256: str | None = None
    """None while it is not here."""
    url: str | None = None
    revised_prompt: str | None = None
    lost: str | None = None
    """Why it will not come."""


class Environment(StoredModel):
    """Describe what ran: versions and, inside a checkout, the commit of the working directory."""

    runner: str
    openai: str
    python: str
    git_commit: str | None = None


def _known_config(value: object, info: ValidationInfo) -> object:
    """Take the config that is known to whoever reads a record without one, for null."""
    return info.context["config"] if value is None and info.context else value


class Result(StoredModel):
    """Describe one run as `result.json` does; written before its paid request, with the job's id, and at its end."""

    schema_version: Literal[1] = SCHEMA_VERSION
    index: int
    revision: int = 0
    """How many changes of the run were recorded; the ledger has each one before this file does."""
    status: RunStatus
    provider: str
    endpoint: str
    model: str
    deployment: str | None
    """What was sent as `model` when that is not the model's name."""
    config: Annotated[RunConfig, BeforeValidator(_known_config)]
    """The resolved config: all that `repeat` needs."""
    choice: int = 0
    """Which of the config's choices this is about: 0 as configured, n its nth fallback."""
    overrides: list[str]
    request_sent: dict[str, Any]  # Any: the request's JSON
    job_id: str | None = None
    request_id: str | None = None
    artifacts: list[Artifact] = []
    pending: list[Pending] = []
    """What has arrived and is not checked yet."""
    reused_from: str | None = None
    """The directory of the run whose files these are, where nothing was paid."""
    saved_usd: Usd = None
    """What the run would have cost had it not been reused."""
    absence: Absence | None = None
    """Set while the job was not found when it was asked for last."""
    resumed: int = 0
    """How often a later process took the run up where an earlier one had paid, or may have paid, for it."""
    remote_deleted: bool = False
    """Whether the job was deleted at the provider, as `delete_remote` asks."""
    partial_images: list[Artifact] = []
    """What came before the finished image, where it was asked for."""
    usage: Usage | None = None
    cost: Cost = Cost()
    timestamps: dict[str, dt.datetime] = {}
    """When each status was reached (UTC)."""
    attempts: list[Attempt] = []
    polls: int = 0
    error: ErrorRecord | None = None
    warnings: list[str] = []
    environment: Environment
    raw_response: dict[str, Any] | None = None  # Any: the server's last JSON about the job

    @model_validator(mode="after")
    def _keep_to_what_is_there(self) -> Self:
        """Leave out what is no file of the run's own, as a record may come from anyone, and take a choice that is."""
        if not 0 <= self.choice <= len(self.config.fallbacks):
            self.choice = 0
        for name in ("artifacts", "pending", "partial_images"):
            found = getattr(self, name)
            if strange := [each for each in found if not own_name(each.path)]:
                setattr(self, name, [each for each in found if own_name(each.path)])
                ignored = [f"ignored, as it is no file of this run's directory: {each.path[:80]!r}" for each in strange]
                self.warnings = [*self.warnings, *ignored]
        return self

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def spent_usd(self) -> float | None:
        """Return what all attempts together count in US dollars; None if that of one is unknown."""
        counted = [attempt.usd for attempt in self.attempts]
        return None if None in counted else round(sum(usd or 0.0 for usd in counted), 6)

    @property
    def begun(self) -> float:
        """Return when the run was planned, in Unix seconds."""
        planned = self.timestamps.get(RunStatus.PLANNED.value)
        return planned.timestamp() if planned else 0.0

    @property
    def span(self) -> tuple[dt.datetime | None, dt.datetime | None]:
        """Return when its request left, and when it ended; None for what has not come."""
        ended = None if self.status.unfinished else max(self.timestamps.values(), default=None)
        return self.timestamps.get(RunStatus.SUBMITTING.value), ended

    @property
    def latency_seconds(self) -> float | None:
        """Return seconds from the request that counts to the checked file or the failure; None before its end.

        Downloading and checking are in it, and the time in which nobody looked; none of a run that sent nothing.
        """
        begin, end = self.span
        return round((end - begin).total_seconds(), 3) if begin and end else None

    @property
    def collected(self) -> Attempt | None:
        """Return the request of an earlier process whose work a later one collected instead of paying for it again."""
        made = [attempt for attempt in self.attempts if attempt.job_id == self.job_id] or self.attempts
        return made[-1] if made and made[-1].inherited and self.status is RunStatus.VERIFIED else None

    @property
    def requested(self) -> bool:
        """Return whether it has ever come to a paid request, or was finished without one."""
        return self.status is not RunStatus.PLANNED or bool(self.attempts)

    @property
    def last_change(self) -> float:
        """Return when it last changed, in Unix seconds."""
        times = [each for attempt in self.attempts for each in (attempt.started_at, attempt.ended_at) if each]
        return max((each.timestamp() for each in (*self.timestamps.values(), *times)), default=0.0)

    @property
    def adopted(self) -> bool:
        """Return whether the run's job is one whose creation nobody saw answered."""
        return any(attempt.adopted for attempt in self.attempts if attempt.job_id == self.job_id)

    @property
    def job_ids(self) -> set[str]:
        """Return the job that the run has, and those it had before."""
        return {job_id for job_id in (self.job_id, *(each.job_id for each in self.attempts)) if job_id}


_COMMIT = re.compile(r"^[0-9a-f]{40}([0-9a-f]{24})?$")


@functools.cache
def environment(directory: Path | None = None) -> Environment:
    """Return the versions in use, and the commit of the checkout that `directory` (default: where we are) lies in."""
    return Environment(
        runner=runner.__version__,
        openai=_version("openai"),
        python=platform.python_version(),
        git_commit=git_commit((directory or Path.cwd()).absolute()),
    )


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def git_commit(directory: Path) -> str | None:
    """Return the commit checked out in `directory` or above it; None outside a checkout."""
    git = next((folder / ".git" for folder in (directory, *directory.parents) if (folder / ".git").exists()), None)
    try:
        return None if git is None else next(filter(_COMMIT.match, _heads(git)), None)
    except (OSError, UnicodeDecodeError):
        return None


def _heads(git: Path) -> Iterator[str]:
    """Yield what the HEAD of `.git` stands for, in each of the places where git keeps it."""
    if not git.is_dir():  # in a worktree or submodule it is a file that names the repository
        git = git.parent / git.read_text().removeprefix("gitdir:").strip()
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        yield head
        return
    name = head.removeprefix("ref:").strip()
    common = git / "commondir"
    roots = [git, git / common.read_text().strip()] if common.exists() else [git]
    yield from ((root / name).read_text().strip() for root in roots if (root / name).is_file())
    packed = [root / "packed-refs" for root in roots if (root / "packed-refs").is_file()]
    lines = (line.partition(" ") for path in packed for line in path.read_text().splitlines())
    yield from (commit for commit, _, ref in lines if ref == name)
