"""List every model that `conf/` describes, who offers it, what it costs, and until when."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from runner.config.capability import SOON
from runner.config.model import ModelConfig, Offer, VideoModel
from runner.config.shipped import names, option
from runner.errors import ConfigError
from runner.shell import word

from .catalog import Parser


def main(arguments: Sequence[str]) -> int:
    """Print the table, or with `--json` everything that is known; `--refresh` writes model files instead; returns 0."""
    parsed = _parser().parse_args(arguments)
    if parsed.refresh is not None:
        return _refresh(parsed.refresh, parsed.into or Path(f"models-{parsed.refresh}"))
    models = load_models()
    if parsed.json:
        print(json.dumps({name: model.model_dump(mode="json") for name, model in models.items()}, indent=2))
    else:
        _print_table(models, dt.datetime.now().astimezone().date())
    return 0


def _refresh(host: str, folder: Path) -> int:
    """Write a file for each model that a host lists; what is there already is replaced, and nothing is deleted."""
    import asyncio

    from runner.config.openrouter_models import image_model, video_model
    from runner.config.provider import CompatibleConfig
    from runner.providers.model_list import listed_models

    described = option("provider", host) or {}
    if described.get("kind") != "compatible":
        raise ConfigError(f"{host} publishes no list of its models", hint="openrouter does")
    videos, images = asyncio.run(listed_models(CompatibleConfig.model_validate(described)))
    today, written, left = dt.datetime.now().astimezone().date(), [], []
    for entry, made in (
        *((entry, partial(video_model, entry, today)) for entry in videos),
        *((entry, partial(image_model, entry, served, today)) for entry, served in images),
    ):
        try:
            written.append(_write(folder / "model", made()))
        except (ValueError, TypeError, KeyError) as error:
            left.append(f"{entry.get('id')}: {error}")
    print(f"{len(written)} models of {host}, read {today}: {folder}{os.sep}model")
    for text in left:
        print(f"left out: {text}")
    if written:
        print(f"python -m runner --config-dir {word(str(folder))} provider={host} model={written[0]} dry_run=true")
    return 0


def _write(folder: Path, data: dict[str, Any]) -> str:  # Any: values of a model's keys
    import yaml

    from runner.artifacts.atomic import write_text

    name = str(data["name"])
    folder.mkdir(parents=True, exist_ok=True)
    head = f"# {data['source']}, read {data['read']}: python -m runner models --refresh writes it anew.\n"
    write_text(folder / f"{name}.yaml", head + yaml.safe_dump(data, sort_keys=False, allow_unicode=True), durable=False)
    return name


def load_models() -> dict[str, ModelConfig]:
    """Return each option of the model group, validated."""
    adapter = TypeAdapter[Any](ModelConfig)  # Any: a union is no class
    return {name: adapter.validate_python(option("model", name)) for name in names("model")}


def state(offer: Offer, today: dt.date) -> str:
    """Return what one offer's end means today."""
    if offer.retires is None:
        return "no end announced"
    follows = f", then {offer.successor}" if offer.successor else ""
    if offer.retires <= today:
        return f"RETIRED {offer.retires}{follows}"
    near = " SOON" if offer.retires - today <= SOON else ""
    return f"until {offer.retires}{near}{follows}"


def price(model: ModelConfig) -> str:
    """Return the list price in words; unknown where no source gives one."""
    if isinstance(model, VideoModel):
        return _ends((model.usd_per_second or {}).values(), "a second") or _at_hosts(model)
    per_image = sorted(usd for row in (model.usd_per_image or {}).values() for usd in row.values())
    if per_image:
        return f"${per_image[0]:g} to ${per_image[-1]:g} an image"
    tokens = model.usd_per_million_tokens
    return f"${tokens.image_out:g} a million output tokens" if tokens else _at_hosts(model)


def _ends(prices: Iterable[float], unit: str) -> str:
    """Return the lowest and the highest price; empty for none."""
    known = sorted({*prices})
    ends = dict.fromkeys(known[:1] + known[-1:])
    return " to ".join(f"${max(f'{usd:.2f}', f'{usd:g}', key=len)}" for usd in ends) + f" {unit}" if known else ""


def _at_hosts(model: ModelConfig) -> str:
    """Return what hosts take for the model, in words; unknown where no source gives a price."""
    return "\n".join(text for offer in model.offers.values() if (text := _hosted(offer))) or "unknown"


def _hosted(offer: Offer) -> str:
    seconds = [*(offer.usd_per_second or {}).values(), *(offer.usd_per_silent_second or {}).values()]
    images = [usd for row in (offer.usd_per_image or {}).values() for usd in row.values()]
    megapixel = [] if offer.usd_per_megapixel is None else [offer.usd_per_megapixel]
    tokens = (offer.usd_per_million_video_tokens or {}).values()
    texts = (
        _ends(seconds, "a second"), _ends(images, "an image"), _ends(megapixel, "a megapixel"),
        _ends(tokens, "a million video tokens"),
    )  # fmt: skip
    return next(filter(None, texts), "")


def _print_table(models: dict[str, ModelConfig], today: dt.date) -> None:
    from runner.display.table import Head, print_grid

    heads = [Head(name) for name in ("model", "makes", "sizes", "list price", "offered by")]
    rows = []
    for name, model in models.items():
        offers = [f"{provider}: {state(offer, today)}" for provider, offer in model.offers.items()]
        gone = bool(offers) and all("RETIRED" in text for text in offers)
        cells = [name, _makes(model), _sizes(model), price(model), "\n".join(offers) or "nobody known"]
        rows.append((cells, "dim" if gone else ""))
    print_grid(heads, rows)


def _makes(model: ModelConfig) -> str:
    if not isinstance(model, VideoModel):
        return f"image, up to {model.max_images}"
    if not model.durations:
        return "video, any length"
    first, last = model.durations[0], model.durations[-1]
    every = len(model.durations) > 3 and [*model.durations] == [*range(first, last + 1)]
    return f"video, {f'{first} to {last}' if every else ', '.join(map(str, model.durations))} s"


def _sizes(model: ModelConfig) -> str:
    if model.resolutions:
        return " ".join(model.resolutions)
    if model.sizes is None:
        return f"any, in steps of {model.size_rules.multiple_of}" if model.size_rules else "any"
    return " ".join(model.sizes)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner models",
        description=__doc__,
        epilog="example: python -m runner models, then python -m runner model=NAME dry_run=true",
    )
    parser.add_argument("--refresh", metavar="HOST", help="write a model file for each model that a host lists")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where to (default: models-HOST)")
    parser.add_argument("--json", action="store_true", help="everything that is known, for programs")
    return parser
