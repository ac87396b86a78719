"""List every model that `conf/` describes, who offers it, what it costs, and until when; read a host's own list."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from runner.config.dialect import REFRESHABLE
from runner.config.model import ImageModel, ModelConfig, Offer, VideoModel
from runner.config.problem import Problem
from runner.config.restrictions import FRESH, SOON
from runner.config.shipped import REFRESHED, names, option
from runner.errors import ConfigError

from .catalog import Parser

if TYPE_CHECKING:
    from .models_refresh import Refreshed

_MOST_LINES = 40


def main(arguments: Sequence[str]) -> int:
    """Print the table, or with `--json` everything that is known, or what a refresh wrote; returns 0."""
    parser = _parser()
    parsed, overrides = parser.parse_known_args(arguments)
    today = dt.datetime.now().astimezone().date()
    if parsed.refresh is not None:
        from .models_refresh import refresh

        print("\n".join(_report(refresh(parsed.refresh, overrides, today), today)))
        return 0
    if overrides:
        parser.error(f"unrecognized arguments: {' '.join(overrides)}")
    models, refreshed = load_models(), dict(_refreshed())
    if parsed.json:
        told = {name: model.model_dump(mode="json") for name, model in {**models, **refreshed}.items()}
        print(json.dumps(told, indent=2))
    else:
        _print_table(models, today)
        _print_refreshed(refreshed, today)
    return 0


def _refreshed() -> Iterator[tuple[str, VideoModel | ImageModel]]:
    """Yield what hosts listed when they were asked last; says which files cannot be read."""
    from runner.config.host_catalogue import read_all
    from runner.display.output import print_problems

    for name, found in read_all():
        if isinstance(found, ConfigError):
            print_problems([Problem("", found.message, found.hint, "warning")])
        else:
            yield name, found


def _print_refreshed(models: Mapping[str, VideoModel | ImageModel], today: dt.date) -> None:
    """Print them apart, by the day on which they were read."""
    days: dict[tuple[str, dt.date], dict[str, ModelConfig]] = {}
    for name, model in models.items():
        days.setdefault((model.refreshed_from or "files of your own", model.read), {})[name] = model
    for (host, day), those in days.items():
        old = f", {(today - day).days} days ago: --refresh {host} reads it anew" if today - day > FRESH else ""
        print(f"\nAs {host} listed on {day} ({REFRESHED.as_posix()}/model){old}\n")
        _print_table(those)


def _report(told: Refreshed, today: dt.date) -> Iterator[str]:
    """Yield what a refresh did, in lines."""
    kinds = {kind: [read for read in told.read if read.model.kind == kind] for kind in ("video", "image")}
    counts = " and ".join(f"{len(reads)} {kind} models" for kind, reads in kinds.items())
    yield f"{told.address} lists {counts} (read on {today})"
    written = len(told.read) - len(told.changed)
    yield f"written: {written} files below {REFRESHED.as_posix()}/model/, {told.new} of them new"
    for path in told.changed:
        yield f"kept: {path.as_posix()}, which you changed; delete it to have it written anew"
    yield from _paragraph("left out", told.left_out)
    yield from _paragraph("listed no more, the files stay", told.gone)
    yield from _paragraph("different from conf/model/", told.differences or ["nothing"])
    unknown = [f"{read.id}: {read.unknown_price}" for read in told.read if read.unknown_price is not None]
    yield from _paragraph("price unknown", unknown)
    yield f"choose one: python -m runner provider={told.host} model={told.read[0].model.name}"


def _paragraph(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"{title}:"
        yield from (f"  {line}" for line in lines[:_MOST_LINES])
        if len(lines) > _MOST_LINES:
            yield f"  and {len(lines) - _MOST_LINES} more"


def load_models() -> dict[str, ModelConfig]:
    """Return each option of the model group, validated."""
    adapter = TypeAdapter[Any](ModelConfig)  # Any: a union is no class
    return {name: adapter.validate_python(option("model", name)) for name in names("model")}


def state(offer: Offer, today: dt.date) -> str:
    """Return what one offer's end means today."""
    if offer.retires is None:
        return "no end announced"
    follows = f", then {offer.successor}" if offer.successor else ""
    if offer.retires < today:
        return f"RETIRED {offer.retires}{follows}"
    if offer.retires == today:
        return f"ENDS TODAY {offer.retires}{follows}"
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
    by_second = (offer.usd_per_second, offer.usd_per_silent_second, offer.usd_per_second_from_frames,
                 offer.usd_per_second_from_references)  # fmt: skip
    seconds = [usd for prices in by_second for usd in (prices or {}).values()]
    images = [usd for row in (offer.usd_per_image or {}).values() for usd in row.values()]
    megapixel = [] if offer.usd_per_megapixel is None else [offer.usd_per_megapixel]
    tokens = [
        *(offer.usd_per_million_video_tokens or {}).values(),
        *(offer.usd_per_million_silent_video_tokens or {}).values(),
    ]
    texts = (
        _ends(seconds, "a second"), _ends(images, "an image"), _ends(megapixel, "a megapixel"),
        _ends(tokens, "a million video tokens"),
    )  # fmt: skip
    return next(filter(None, texts), "")


def _print_table(models: Mapping[str, ModelConfig], today: dt.date | None = None) -> None:
    """Print a line for each model; without a day, of whom it is clear who offers them."""
    from runner.display.grid import Head, print_grid

    heads = [Head(name) for name in ("model", "makes", "sizes", "list price", *(["offered by"] if today else []))]
    rows = []
    for name, model in models.items():
        offers = [f"{provider}: {state(offer, today)}" for provider, offer in model.offers.items()] if today else []
        gone = bool(offers) and all("RETIRED" in text for text in offers)
        cells = [name, _makes(model), _sizes(model), price(model)]
        rows.append(([*cells, *(["\n".join(offers) or "nobody known"] if today else [])], "dim" if gone else ""))
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
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--json", action="store_true", help="everything that is known, for programs")
    only.add_argument("--refresh", metavar="HOST", choices=sorted(REFRESHABLE), help="read what a host lists now into "
                      f"{REFRESHED.as_posix()}/, from where model=HOST/AUTHOR/NAME is chosen: openrouter. Overrides of "
                      "the provider may follow")  # fmt: skip
    return parser
