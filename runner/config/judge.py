"""Describe a vision model that judges files: what it is asked, and what an answer costs."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from .dialect import OPENAI
from .frozen import Frozen
from .price import Price
from .problem import Problem, did_you_mean, from_validation_error
from .provider import CompatibleConfig, EmulatorConfig, ProviderConfig, dialect_of
from .run import Budget, Usd

JUDGE = "judge"
"""The metric's name."""

FOLDER = "judge"
"""Where votes are kept, below the directory of a sweep, or of a run that is of none."""

OVERALL = "overall"
"""What is asked beside the criteria: how good the file is as a whole."""

LOWEST, HIGHEST = 1, 5
"""The scale, as that of people's ratings."""

_CHARACTERS_PER_TOKEN = 3
_FEWEST_IMAGE_TOKENS = 300
"""What the smallest image takes with models that count tiles."""

_PIXELS = 1024 * 1024
"""Those of the image that `image_tokens` is about."""

TokenLimit = Literal["max_completion_tokens", "max_tokens"]
AnswerForm = Literal["json_schema", "json_object", "text"]


class Criterion(Frozen):
    """Describe one thing that is judged: what its column is called, and what the judge is asked."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    question: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class ChatPrice(Frozen):
    """Hold US dollars per million tokens; those that come from the provider's cache may be cheaper."""

    text_in: Usd
    text_out: Usd
    cached_in: Usd | None = None

    def cost(self, tokens_in: int, tokens_out: int, cached: int = 0) -> float:
        """Return the US dollars of an answer; `cached` of the tokens that went in came from the cache."""
        known = min(cached, tokens_in)
        kept = known * (self.text_in if self.cached_in is None else self.cached_in)
        return ((tokens_in - known) * self.text_in + kept + tokens_out * self.text_out) / 1e6


class JudgeConfig(Frozen):
    """Describe who judges, by which rubric and how often; see `conf/judge/default.yaml`."""

    model: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    deployment: str | None = None
    rubric: Annotated[tuple[Criterion, ...], Field(min_length=1, max_length=20)]
    instructions: Annotated[str, StringConstraints(max_length=20_000)] | None = None
    votes: int = Field(1, strict=True, ge=1, le=25)
    temperature: float | None = Field(None, ge=0, le=2)
    seed: int | None = Field(None, strict=True)
    answer_form: AnswerForm = "json_schema"
    frames: int = Field(4, strict=True, ge=1, le=32)
    max_side: int = Field(1024, strict=True, ge=64, le=4096)
    pairs: str | None = None
    max_pairs: int = Field(200, strict=True, ge=1)
    pairs_seed: int = Field(0, strict=True)
    max_tokens: int = Field(4000, strict=True, ge=16)
    max_tokens_name: TokenLimit = "max_completion_tokens"
    extra_params: Mapping[str, Any] = Field(default_factory=dict)  # Any: what the server takes
    usd_per_million_tokens: ChatPrice | None = None
    image_tokens: int = Field(2600, strict=True, ge=1)
    prices: Mapping[str, ChatPrice] = Field(default_factory=dict)
    source: str = ""
    read: dt.date | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [each.name for each in self.rubric]
        twice = next((name for name in names if names.count(name) > 1 or name == OVERALL), None)
        if twice is not None:
            said = "is asked in any case" if twice == OVERALL else "stands there twice"
            raise ValueError(f"the criterion {twice} of the rubric {said}")
        return self

    @property
    def sent_model(self) -> str:
        """Return what is sent as the model."""
        return self.deployment or self.model


class ScoreConfig(Frozen):
    """Describe all that asking a judge is configured by."""

    provider: ProviderConfig
    judge: JudgeConfig
    budget: Budget = Budget()
    dry_run: bool = False
    yes: bool = False


def load_score(resolved: Mapping[str, Any]) -> tuple[ScoreConfig | None, list[Problem]]:  # Any: not yet validated
    """Return the config, None if it is not valid, and what is wrong with it."""
    try:
        return ScoreConfig.model_validate(resolved), []
    except ValidationError as error:
        return None, [_suggest(problem) for problem in from_validation_error(error)]


def _suggest(problem: Problem) -> Problem:
    if problem.message != "is no key here":
        return problem
    parent, _, name = problem.key.rpartition(".")
    models: dict[str, type[Frozen]] = {"judge": JudgeConfig, "budget": Budget, "": ScoreConfig}
    known = models.get(parent)
    near = did_you_mean(name, known.model_fields) if known else None
    hint = f"did you mean {parent + '.' if parent else ''}{near}?" if near else "python -m runner keys judge"
    return Problem(problem.key, problem.message, hint)


def price_of(config: ScoreConfig) -> ChatPrice | None:
    """Return what tokens cost where the judge is asked; None where no source tells."""
    judge, provider = config.judge, config.provider
    if judge.usd_per_million_tokens is not None:
        return judge.usd_per_million_tokens
    if isinstance(provider, CompatibleConfig | EmulatorConfig):
        dialect = dialect_of(provider)
        maker = isinstance(provider, EmulatorConfig) and dialect is OPENAI
        if not maker and not dialect.gateway:
            return None  # the maker's price list does not tell what a host, or a server of one's own, costs
    return judge.prices.get(judge.model)


def most_usd(config: ScoreConfig, characters: int, images: list[tuple[int, int]]) -> Price | None:
    """Return what a request costs at most, of so many characters and images (width and height in pixels).

    None where no source tells a price.
    """
    price = price_of(config)
    if price is None:
        return None
    judge = config.judge
    pictures = sum(max(_FEWEST_IMAGE_TOKENS, math.ceil(judge.image_tokens * w * h / _PIXELS)) for w, h in images)
    return Price(price.cost(math.ceil(characters / _CHARACTERS_PER_TOKEN) + pictures, judge.max_tokens), "list")
