"""What an endpoint says to questions that cost nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from runner.config import RunConfig, dialect_of
from runner.providers import Examinable, Reply
from runner.providers.header import server_time

NO_JOB = "video_" + "0" * 48
"""An id that no job has: who knows that has accepted the key."""

_NO_ROUTE = re.compile(
    r"(resource not found|not found|method not allowed|invalid url.*|unrecognized request url.*|404 .*)\.?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Answers:
    """The replies of one endpoint; what was not asked, as images have no jobs, is None.

    Attributes:
        name: what is sent as the model.
        skew: seconds by which the server's clock is ahead; None if it tells no time.
        seconds: how long the first reply took.
    """

    name: str
    models: Reply
    model: Reply
    job: Reply | None
    listed: Reply | None
    skew: float | None
    seconds: float

    @property
    def replies(self) -> list[Reply]:
        """All there are."""
        return [reply for reply in (self.models, self.model, self.job, self.listed) if reply is not None]

    @property
    def names(self) -> list[str]:
        """The models that the endpoint lists."""
        data = self.models.raw.get("data") if isinstance(self.models.raw, dict) else None
        return [str(item["id"]) for item in data if isinstance(item, dict) and "id" in item
                ] if isinstance(data, list) else []  # fmt: skip


async def ask(provider: Examinable, config: RunConfig, clock: Callable[[], float]) -> Answers:
    """Ask everything; raises the `RunnerError` of a question that got no answer at all."""
    name = provider.model_id(config)
    before = clock()
    models = await provider.ask("/models", "list the models")
    after = clock()
    video = config.request.kind == "video"
    listing = {"limit": "1", **_backend(config)}
    return Answers(
        name=name,
        models=models,
        model=await provider.ask(f"/models/{quote(name, safe='')}", "describe the model"),
        job=await provider.ask(f"/videos/{NO_JOB}", "look for a job") if video else None,
        listed=await provider.ask("/videos", "list the jobs", **listing) if _lists(config) else None,
        skew=_skew(models, (before + after) / 2),
        seconds=after - before,
    )


def no_route(reply: Reply) -> bool:
    """Whether the endpoint has nothing at this path, rather than not what was asked for there."""
    return reply.status in (404, 405) and (reply.raw is None or _NO_ROUTE.fullmatch(reply.said) is not None)


def _lists(config: RunConfig) -> bool:
    named = not dialect_of(config.provider).lists_by_backend or bool(_backend(config))
    return config.request.kind == "video" and named


def _backend(config: RunConfig) -> dict[str, str]:
    name = getattr(config.provider, "custom_llm_provider", None)
    return {} if name is None else {"custom_llm_provider": name}


def _skew(reply: Reply, now: float) -> float | None:
    told = server_time(reply.headers)
    return None if told is None else told - now
