"""`make drift`: compare the prices and last days in `conf/model/` with those that LiteLLM and genai-prices publish.

    python tests/config/drift.py

Says each difference on one line and ends with 1 where there is one. A package that is not installed is named and left
out: `pip install litellm genai-prices`.
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

from pydantic import TypeAdapter

from runner.config.model import ModelConfig, Offer, VideoModel
from runner.config.shipped import names, option

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

_PREFIX = {"openai": "", "azure_openai": "azure/", "xai": "xai/", "openrouter": "openrouter/"}
"""How LiteLLM's names of a host's models begin."""

_PRICE = TypeAdapter[ModelConfig](ModelConfig)


@dataclass(frozen=True, slots=True)
class Fact:
    """Describe one figure or date of `conf/model/`.

    Attributes:
        host: who offers the model, as in its `offers`.
        called: the model's name there.
        what: `retires`, a kind of tokens, `batch KIND` of tokens, `second`, `second NAME` of a resolution or size,
            `input image`, or `image QUALITY SIZE`.
        ours: US dollars (a million tokens', a second's, an image's) or an ISO date; None: unknown here.
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
            called = offer.id or model.name
            yield Fact(model.name, host, called, "retires", None if offer.retires is None else str(offer.retires))
            prices = _of_maker(model) if host == "openai" else _of_host(offer)
            yield from (Fact(model.name, host, called, what, usd) for what, usd in prices)


def _of_maker(model: ModelConfig) -> Iterator[tuple[str, float | None]]:
    if isinstance(model, VideoModel):
        yield "second", min((model.usd_per_second or {}).values(), default=None)
        return
    tokens = model.usd_per_million_tokens
    yield from ((kind, getattr(tokens, kind)) for kind in _TOKENS if tokens is not None)
    share = None if model.batch_discount is None else 1 - model.batch_discount
    for kind in _TOKENS if tokens is not None else ():
        usd = getattr(tokens, kind)
        yield f"batch {kind}", None if share is None or usd is None else usd * share
    yield from _of_images(model.usd_per_image or {})


def _of_host(offer: Offer) -> Iterator[tuple[str, float | None]]:
    yield from ((f"second {name}", usd) for name, usd in (offer.usd_per_second or {}).items())
    yield from _of_images(offer.usd_per_image or {})
    # Of a model that makes images, LiteLLM calls the price of an image so that comes out.
    if offer.usd_per_input_image is not None and offer.usd_per_second is not None:
        yield "input image", offer.usd_per_input_image


def _of_images(prices: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, float]]:
    for quality, sizes in prices.items():
        yield from ((f"image {quality} {size}", usd) for size, usd in sizes.items())


def from_litellm(listed: Mapping[str, Mapping[str, Any]]) -> Source:
    """Return what LiteLLM's price file says."""

    def said(fact: Fact) -> float | str | None:
        prefix = _PREFIX.get(fact.host)
        entry = listed.get(f"{prefix}{fact.called}") if prefix is not None else None
        kind, _, rest = fact.what.partition(" ")
        if kind == "image":
            quality, _, size = rest.partition(" ")
            entry = listed.get(f"{prefix}{quality}/{size.replace('x', '-x-')}/{fact.called}")
            return None if entry is None else entry.get("input_cost_per_image")
        if entry is None:
            return None
        match kind:
            case "retires":
                return entry.get("deprecation_date")
            case "second":
                names = [f"output_cost_per_second_{rest.lower()}"] if rest else []
                plain = ["output_cost_per_video_per_second"] if rest in ("", "default") else []
                return next((entry[name] for name in [*names, *plain] if name in entry), None)
            case "input":
                return entry.get("input_cost_per_image")
        price = entry.get(f"{_TOKENS[rest]}_batches" if kind == "batch" else _TOKENS[kind])
        return None if price is None else price * 1e6

    return said


def from_genai_prices(fact: Fact) -> float | None:
    """Return what genai-prices says of the price of tokens."""
    from genai_prices import Usage, calc_price

    million = 1_000_000
    used = {
        "text_in": {"input_tokens": million},
        "image_in": {"input_tokens": million, "input_image_tokens": million},
        "image_out": {"output_tokens": million, "output_image_tokens": million},
        "cached_text_in": {"input_tokens": million, "cache_read_tokens": million},
    }.get(fact.what)
    if used is None or fact.host != "openai":
        return None
    try:
        found = calc_price(Usage(**used), model_ref=fact.called, provider_id="openai")
    except LookupError:
        return None
    # A model that begins like another is taken for it.
    return float(found.total_price) if found.model.id == fact.called else None


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
    return found


def main() -> int:
    """Print what differs, and with what nothing was compared."""
    sources = installed()
    for package in ("litellm", "genai-prices"):
        if not any(name.startswith(package) for name in sources):
            _say(f"nothing was compared with {package}, which is not installed here: pip install {package}")
    found = [*differences(facts(models()), sources)]
    for line in found or [f"no difference to {name}" for name in sources]:
        _say(line)
    return 1 if found else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
