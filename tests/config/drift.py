"""`make drift`: compare prices, last days and successors in `conf/model/` and `conf/judge/` with what others publish.

    python tests/config/drift.py

Others are LiteLLM and genai-prices (`pip install litellm genai-prices`), and the host's own list, where
`python -m runner models --refresh openrouter` has read it: of silent seconds, only that has prices. Says each
difference on one line and ends with 1 where there is one. What is not here is named and left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from runner.config.dialect import REFRESHABLE
from runner.config.host_catalogue import read_all
from runner.config.host_price import rates
from runner.config.model import ModelConfig, Offer, VideoModel
from runner.config.shipped import CONF, names, option
from runner.errors import ConfigError

_SAME = 0.01
"""Relative difference up to which two prices are the same: some are rounded."""

_TOKENS = {
    "text_in": "input_cost_per_token",
    "image_in": "input_cost_per_image_token",
    "image_out": "output_cost_per_image_token",
    "cached_text_in": "cache_read_input_token_cost",
    "cached_image_in": "cache_read_input_image_token_cost",
}
"""LiteLLM's names of the prices of tokens."""

_ANSWERS = {"text_out": "output_cost_per_token"}
"""The same of what chat models answer."""

_MILLIONS = {
    "a million video tokens": "output_cost_per_video_token",
    "a megapixel": "output_cost_per_pixel",
}
"""LiteLLM's names of prices that are told for one, by ours, which are for a million."""

_INPUTS = frozenset({"an input image", "a reference image"})
_SECOND = "output_cost_per_second"

_PREFIX = {"openai": "", "azure_openai": "azure/", "xai": "xai/", "openrouter": "openrouter/"}
"""How LiteLLM's names of a host's models begin."""

_PRICE = TypeAdapter[ModelConfig](ModelConfig)


@dataclass(frozen=True, slots=True)
class Fact:
    """Describe one figure or date of `conf/model/`.

    Attributes:
        host: who offers the model, as in its `offers`.
        called: the model's name there.
        what: `retires`, `successor`, a kind of tokens, `batch KIND` of tokens, `image QUALITY SIZE`, or a
            price in the words of `runner.config.host_price.rates`, as in `a silent second at 720p`.
        ours: US dollars (a million tokens', a second's, an image's), an ISO date, or a name; None: unknown.
    """

    model: str
    host: str
    called: str
    what: str
    ours: float | str | None


Source = Callable[[Fact], float | str | None]
"""Tells what somebody else says of a fact; None for nothing."""


def models() -> Iterator[ModelConfig]:
    """Yield the models of `conf/model/`."""
    for name in names("model"):
        yield _PRICE.validate_python(option("model", name))


def facts(known: Iterable[ModelConfig]) -> Iterator[Fact]:
    """Yield what can be compared of models."""
    for model in known:
        for host, offer in model.offers.items():
            prices = _of_maker(model) if host == "openai" else _of_host(offer, model)
            for what, ours in (*_of_end(offer), *prices):
                yield Fact(model.name, host, offer.id or model.name, what, ours)


def judge_facts() -> Iterator[Fact]:
    """Yield the prices of models that judge."""
    told = yaml.safe_load((CONF / "judge" / "default.yaml").read_text(encoding="utf-8"))
    for model, price in told["prices"].items():
        kinds = {"text_in": price["text_in"], "cached_text_in": price["cached_in"], "text_out": price["text_out"]}
        yield from (Fact(model, "openai", model, kind, usd) for kind, usd in kinds.items())


def _of_end(offer: Offer) -> Iterator[tuple[str, str | None]]:
    yield "retires", None if offer.retires is None else str(offer.retires)
    yield "successor", offer.successor


def _of_maker(model: ModelConfig) -> Iterator[tuple[str, float | None]]:
    if isinstance(model, VideoModel):
        yield "a second", min((model.usd_per_second or {}).values(), default=None)
        return
    tokens = model.usd_per_million_tokens
    yield from ((kind, getattr(tokens, kind)) for kind in _TOKENS if tokens is not None)
    share = None if model.batch_discount is None else 1 - model.batch_discount
    for kind in _TOKENS if tokens is not None else ():
        usd = getattr(tokens, kind)
        yield f"batch {kind}", None if share is None or usd is None else usd * share
    yield from _of_images(model.usd_per_image or {})


def _of_host(offer: Offer, model: ModelConfig) -> Iterator[tuple[str, float | None]]:
    yield from _of_images(offer.usd_per_image or {})
    told = dict(rates(offer.model_dump(), model.resolutions or ()))
    if isinstance(model, VideoModel):
        # What is not told costs nothing. LiteLLM has one name for images of both kinds.
        told.setdefault("a video at least", 0)
        told.setdefault("a reference image", 0)
        if not told["a reference image"]:
            told.setdefault("an input image", 0)
    # Of a model that makes images, LiteLLM calls the price of an image so that comes out.
    yield from (each for each in told.items() if isinstance(model, VideoModel) or each[0] not in _INPUTS)


def _of_images(prices: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, float]]:
    for quality, sizes in prices.items():
        yield from ((f"image {quality} {size}", usd) for size, usd in sizes.items())


def from_litellm(listed: Mapping[str, Mapping[str, Any]]) -> Source:
    """Return what LiteLLM's price file says."""

    def said(fact: Fact) -> float | str | None:
        prefix = _PREFIX.get(fact.host)
        if prefix is None:
            return None
        if fact.what.startswith("image "):
            _, quality, size = fact.what.split(" ")
            sized = listed.get(f"{prefix}{quality}/{size.replace('x', '-x-')}/{fact.called}", {})
            return sized.get("input_cost_per_image")
        entry = listed.get(f"{prefix}{fact.called}", {})
        if fact.what == "retires":
            return entry.get("deprecation_date")
        if fact.what == "successor":
            follows = entry.get("successor_model")
            return None if follows is None else follows.removeprefix(prefix)
        free_references = fact.what == "a reference image" and not fact.ours
        return None if free_references else _usd_by_litellm(entry, fact.what)

    return said


def _usd_by_litellm(entry: Mapping[str, Any], what: str) -> float | None:
    """Return a price of LiteLLM's, in our unit; None where it tells none."""
    unit, _, resolution = what.partition(" at ")
    if unit == "a second":
        by_name = any(key.startswith(f"{_SECOND}_") for key in entry)
        named = entry.get(f"{_SECOND}_{resolution.lower()}")
        return named if by_name else entry.get(_SECOND, entry.get("output_cost_per_video_per_second"))
    if unit in _INPUTS:
        return entry.get("input_cost_per_image")
    kind = unit.removeprefix("batch ")
    tokens = _TOKENS | _ANSWERS
    name = _MILLIONS.get(unit) or (f"{tokens[kind]}_batches" if kind != unit else tokens.get(kind, ""))
    price = entry.get(name)
    return None if price is None else round(price * 1e6, 9)


def from_host_list(listed: Iterable[ModelConfig]) -> Source:
    """Return what a host told in its own list, as it was read last."""
    told = {(fact.host, fact.called, fact.what): fact.ours for fact in facts(listed)}
    return lambda fact: told.get((fact.host, fact.called, fact.what))


def from_genai_prices(fact: Fact) -> float | None:
    """Return what genai-prices says of the price of tokens; it knows no other price of these models, and no end."""
    from genai_prices import Usage, calc_price

    few = 1_000  # of very many in one request, some models cost more
    used = {
        "text_in": {"input_tokens": few},
        "image_in": {"input_tokens": few, "input_image_tokens": few},
        "image_out": {"output_tokens": few, "output_image_tokens": few},
        "text_out": {"output_tokens": few},
        "cached_text_in": {"input_tokens": few, "cache_read_tokens": few},
    }.get(fact.what)
    if used is None or fact.host != "openai":
        return None
    try:
        found = calc_price(Usage(**used), model_ref=fact.called, provider_id="openai")
    except LookupError:
        return None
    # A model that begins like another is taken for it.
    return float(found.total_price * 1_000_000 / few) if found.model.id == fact.called else None


def differences(told: Iterable[Fact], sources: Mapping[str, Source]) -> Iterator[str]:
    """Yield a line for each fact of which a source says something else; what it does not know is no difference."""
    for fact in told:
        for name, source in sources.items():
            theirs = source(fact)
            if theirs is not None and not _same(fact.ours, theirs):
                ours = "unknown" if fact.ours is None else fact.ours
                yield f"{fact.model} at {fact.host}, {fact.what}: {ours} here, {theirs} in {name}"


def _same(ours: float | str | None, theirs: float | str) -> bool:
    if isinstance(ours, str) or isinstance(theirs, str) or ours is None:
        return ours == theirs
    return abs(ours - theirs) <= _SAME * max(abs(ours), abs(theirs))


def installed() -> dict[str, Source]:
    """Return the sources that are here, by their names and versions."""
    found: dict[str, Source] = {}
    package = find_spec("litellm")
    for place in (package.submodule_search_locations or []) if package else []:
        text = (Path(place) / "model_prices_and_context_window_backup.json").read_text(encoding="utf-8")
        found[f"litellm {metadata.version('litellm')}"] = from_litellm(json.loads(text))
    if find_spec("genai_prices"):
        found[f"genai-prices {metadata.version('genai-prices')}"] = from_genai_prices
    listed = [model for _, model in read_all() if not isinstance(model, ConfigError)]
    for host in sorted(REFRESHABLE):
        if its := [model for model in listed if model.refreshed_from == host]:
            found[f"the list of {host} of {max(model.read for model in its)}"] = from_host_list(its)
    return found


def main() -> int:
    """Print what differs, and with what nothing was compared."""
    sources = installed()
    for package in ("litellm", "genai-prices"):
        if not any(name.startswith(package) for name in sources):
            _say(f"nothing was compared with {package}, which is not installed here: pip install {package}")
    for host in sorted(REFRESHABLE):
        if not any(name.startswith(f"the list of {host}") for name in sources):
            _say(f"nothing was compared with the list of {host}: python -m runner models --refresh {host} reads it")
    found = [*differences([*facts(models()), *judge_facts()], sources)]
    for line in found or [f"no difference to {name}" for name in sources]:
        _say(line)
    return 1 if found else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
