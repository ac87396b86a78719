"""Read what OpenRouter lists of a model as data of `conf/model/`, and write it as an option of the user's own."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import TypeAdapter, ValidationError

from runner.errors import ConfigError
from runner.text_file import read_text

from .host_price import SkuPrices as Prices
from .host_price import amount, prices
from .model import ImageModel, ModelConfig, VideoModel
from .shipped import REFRESHED

Kind = Literal["video", "image"]

# Names that are no path, no interpolation and nothing else to YAML, Hydra or a file system, whatever they hold.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}/[A-Za-z0-9](?:[._-]?[A-Za-z0-9]){0,79}")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_RESOLUTION = re.compile(r"\d{3,4}p|\d{1,2}(?:\.\d)?K|\d{3,4}", re.ASCII)
_RATIO = re.compile(r"\d{1,2}(?:\.\d{1,2})?:\d{1,2}(?:\.\d{1,2})?", re.ASCII)
_SIZE = re.compile(r"[1-9]\d{1,4}x[1-9]\d{1,4}", re.ASCII)
_QUALITY = re.compile(r"[a-z]{1,16}")
_MOST = 200
"""Entries of a list, of which no model has a tenth."""
_LONGEST_VIDEO = 3600
_USUAL_SECONDS = 5
_USUAL_RESOLUTIONS = ("720p", "768p")
_UNSAID = 16
"""Images that go in at most, where the host does not say; it refuses more."""
_IMAGE_KEYS = ("resolution", "seed", "background", "output_format", "output_compression")


@dataclass(frozen=True, slots=True)
class Read:
    """Hold a model as it was read, and why its price is unknown, if it is."""

    id: str
    model: VideoModel | ImageModel
    unknown_price: str | None


def read_entry(
    entry: object,
    kind: Kind,
    host: str,
    source: str,
    today: str,
    shipped: Mapping[str, Any] | None = None,  # Any: an option of conf/model
    served: Sequence[object] = (),
) -> Read | str:
    """Return the model that an entry of a host's list describes, or why it describes none.

    `shipped` is what `conf/model/` says of the model: what the list does not tell is taken from there. `served`: who
    serves a model of images, with prices.
    """
    name = id_of(entry)
    if name is None or not isinstance(entry, Mapping):
        return "an entry has no id that is a name"
    shared = {"name": f"{host}/{name}", "deployment": None, "validation": "strict", "source": source, "read": today,
              "refreshed_from": host, "max_prompt_length": None}  # fmt: skip
    offer: dict[str, object] = {"id": name, "retires": None, "successor": None}
    if kind == "video":
        own, told, unknown = _video(entry, shipped or {})
    else:
        found = _image_prices(served)
        own, told, unknown = _image(entry), dict(found.offer), found.unknown
    data = {"kind": kind, **shared, **own, "offers": {host: {**offer, **told}}}
    try:
        model = cast("VideoModel | ImageModel", _ADAPTER.validate_python(data))
    except ValidationError as error:
        first = error.errors()[0]
        return f"{name}: {'.'.join(map(str, first['loc'][1:]))} is not usable"
    return Read(name, model, unknown)


_ADAPTER = TypeAdapter[Any](ModelConfig)  # Any: a union is no class


def id_of(entry: object) -> str | None:
    """Return AUTHOR/NAME of an entry; None where it is not the name of a file on every system."""
    name = entry.get("id") if isinstance(entry, Mapping) else None
    if not isinstance(name, str) or not _ID.fullmatch(name):
        return None
    return None if any(_RESERVED.fullmatch(part) for part in name.split("/")) else name


def _video(
    entry: Mapping[str, object],
    shipped: Mapping[str, Any],  # Any: an option of conf/model
) -> tuple[dict[str, object], dict[str, object], str | None]:
    """Return the model's own keys, those of its offer, and why its price is unknown."""
    resolutions = _matching(entry.get("supported_resolutions"), _RESOLUTION)
    durations = _durations(entry.get("supported_durations"))
    sizes = _matching(entry.get("supported_sizes"), _SIZE)
    found = prices(entry.get("pricing_skus"), resolutions or (), timed=durations is not None)
    told = dict(found.offer)
    frames = [role for role in ("first_frame", "last_frame") if role in _texts(entry.get("supported_frame_images"))]
    # The list has no word for references but where they are charged for.
    refers = "reference" in (shipped.get("image_roles") or ()) or bool(
        {"usd_per_reference_image", "usd_per_second_from_references"} & told.keys()
    )
    most = shipped.get("max_reference_images") if refers else None
    sound, seed = entry.get("generate_audio") is True, entry.get("seed") is True
    own: dict[str, object] = {
        "durations": durations,
        "default_duration": _USUAL_SECONDS if durations is None or _USUAL_SECONDS in durations else durations[0],
        # Where there are resolutions and no sizes, the host takes no size.
        "sizes": sizes if sizes or not resolutions else [],
        "default_size": None,
        "size_rules": None,
        "aspect_ratios": dict.fromkeys(_matching(entry.get("supported_aspect_ratios"), _RATIO) or ()),
        "resolutions": resolutions,
        "default_resolution": _usual(resolutions),
        "max_reference_images": (most or _UNSAID) if refers else len(frames),
        "min_reference_images": shipped.get("min_reference_images") or 0,
        "image_roles": [*frames, *(["reference"] if refers else [])],
        "default_audio": True if sound else None,
        "parameters": ["resolution", *(["generate_audio"] if sound else []), *(["seed"] if seed else [])],
        "usd_per_second": None,
    }
    return own, told, found.unknown


def _image(entry: Mapping[str, object]) -> dict[str, object]:
    given = entry.get("supported_parameters")
    offered: Mapping[str, object] = given if isinstance(given, Mapping) else {}
    architecture = entry.get("architecture")
    inputs = _texts(architecture.get("input_modalities")) if isinstance(architecture, Mapping) else []
    edits = "image" in inputs or "input_references" in offered
    return {
        "sizes": _values(offered, "size", _SIZE),
        "size_rules": None,
        "aspect_ratios": dict.fromkeys(_values(offered, "aspect_ratio", _RATIO) or ()),
        "resolutions": _values(offered, "resolution", _RESOLUTION),
        "default_resolution": None,
        "qualities": _values(offered, "quality", _QUALITY) or [],
        "max_images": _most(offered, "n", 10) or 1,
        "max_reference_images": (_most(offered, "input_references", 100) or _UNSAID) if edits else 0,
        "parameters": [key for key in _IMAGE_KEYS if key in offered],
        "usd_per_image": None,
        "usd_per_million_tokens": None,
        "batch_discount": None,
        "output_tokens": None,
        "input_image_tokens": None,
    }


def _image_prices(served: Sequence[object]) -> Prices:
    """Return the prices of images where there is one server with one price for each thing."""
    only = served[0] if len(served) == 1 else None
    lines = only.get("pricing") if isinstance(only, Mapping) else None
    if not isinstance(lines, list) or not lines:
        return Prices({}, "several serve it" if len(served) > 1 else "it is not told who serves it at which price")
    found: dict[str, float] = {}
    for line in lines[:_MOST]:
        told: Mapping[str, object] = line if isinstance(line, Mapping) else {}
        name, usd = f"{told.get('billable')} by {told.get('unit')}", amount(told.get("cost_usd"))
        if name not in _IMAGE_PRICES or name in found or usd is None or told.get("variant"):
            return Prices({}, "not all that it charges for is understood")
        found[name] = usd
    made, pixels = found.get("output_image by image"), found.get("output_image by megapixel")
    if (made is None) is (pixels is None):
        return Prices({}, "it charges for pixels and images at once, or for neither")
    own = {"usd_per_megapixel": pixels} if made is None else {"usd_per_image": {"default": {"default": made}}}
    inputs = [usd for name, usd in found.items() if name.startswith("input")]
    return Prices({**own, **({"usd_per_input_image": max(inputs)} if inputs else {})})


_IMAGE_PRICES = frozenset(
    {"output_image by image", "output_image by megapixel", "input_image by image", "input_reference by image"}
)


def _usual(resolutions: list[str] | None) -> str | None:
    if not resolutions:
        return None
    return next((name for name in _USUAL_RESOLUTIONS if name in resolutions), resolutions[0])


def _durations(given: object) -> list[int] | None:
    whole = _listed(given, lambda each: isinstance(each, int) and not isinstance(each, bool))
    return sorted({each for each in whole if 0 < each <= _LONGEST_VIDEO}) or None


def _values(offered: Mapping[str, object], key: str, pattern: re.Pattern[str]) -> list[str] | None:
    described = offered.get(key)
    return _matching(described.get("values"), pattern) if isinstance(described, Mapping) else None


def _most(offered: Mapping[str, object], key: str, limit: int) -> int | None:
    described = offered.get(key)
    most = described.get("max") if isinstance(described, Mapping) else None
    return min(int(most), limit) if isinstance(most, int | float) and 1 <= most < 10**9 else None


def _matching(given: object, pattern: re.Pattern[str]) -> list[str] | None:
    """Return the texts of a list that look as they must, each once; None where there are none."""
    return [*dict.fromkeys(text for text in _texts(given) if pattern.fullmatch(text))] or None


def _texts(given: object) -> list[str]:
    return _listed(given, lambda each: isinstance(each, str))


def _listed(given: object, fits: Callable[[object], bool]) -> list[Any]:  # Any: of the kind that `fits` knows
    entries: Iterable[object] = given[:_MOST] if isinstance(given, list) else ()
    return [each for each in entries if fits(each)]


FOLDER = REFRESHED / "model"

_OPENING = """\
# Written by `python -m runner models --refresh {host}` on {read}, of what the host listed then.
# Yours to read and change: a file that was changed is never overwritten. Delete it to have it written anew.
# sha256 of the lines below: {sha256}
"""
_MARK = re.compile(r"# sha256 of the lines below: ([0-9a-f]{64})\n")
_COMMENTS = {
    "name": "The name of this option; what is sent is the offer's id.",
    "deployment": "What is sent in place of the offer's id; null: that.",
    "validation": "What happens when a request asks for more than the data below offers: strict (refused), warn, off.",
    "durations": "Seconds on offer, null: not told; and what the host is asked for where a request names none.",
    "sizes": "WIDTHxHEIGHT on offer; null: not told, and the host refuses what it does not make; []: none.",
    "aspect_ratios": "What each aspect ratio is sent as; null: as itself.",
    "resolutions": "Resolutions on offer, null: not told; and which one is asked for where a request names none.",
    "qualities": "Qualities on offer.",
    "max_images": "Images that one request may ask for.",
    "max_reference_images": "Images that may go in.",
    "image_roles": "What an image can be to it.",
    "default_audio": "Whether the host is asked for sound where a request leaves that open; null: it is not told.",
    "parameters": "Optional request keys that the model honours.",
    "offers": "What the host calls it, and its prices in USD.",
    "source": "Where all this was read, and when.",
}


def place(name: str, root: Path = Path()) -> Path:
    """Return where the file of a model lies, by the name of its option; `root` is the directory that has `.env`."""
    return root / FOLDER / f"{name}.yaml"


def render(read: Read) -> str:
    """Return the file of a model, with comments; each text is quoted and made of letters, digits and `.:/_-` alone."""
    body = "".join(_lines(read))
    digest = hashlib.sha256(body.encode()).hexdigest()
    return _OPENING.format(host=read.model.refreshed_from, read=read.model.read, sha256=digest) + body


def is_unchanged(text: str) -> bool:
    """Return whether a file is as it was written."""
    found = _MARK.search(text)
    return found is not None and hashlib.sha256(text[found.end() :].encode()).hexdigest() == found[1]


def _lines(read: Read) -> Iterator[str]:
    data = read.model.model_dump(mode="json", exclude_defaults=False)
    offers = data.pop("offers")
    data = {"kind": data.pop("kind"), "name": data.pop("name"), **data, "offers": offers}
    for key in ("source", "read", "refreshed_from"):
        data[key] = data.pop(key)
    data["parameters"] = sorted(data["parameters"])
    for key, value in data.items():
        if key in _COMMENTS:
            yield f"# {_COMMENTS[key]}\n"
        if key == "offers":
            yield from _offers(offers, read.unknown_price)
        elif key != "read":
            yield f"{key}: {_flow(value)}\n"
        else:
            yield f"{key}: {value}\n"


def _offers(offers: Mapping[str, Mapping[str, object]], unknown: str | None) -> Iterator[str]:
    yield "offers:\n"
    for host, offer in offers.items():
        yield f"  {host}:\n"
        if unknown is not None:
            yield f"    # The price is unknown: {unknown}.\n"
        for key, value in offer.items():
            if value is not None or key in ("retires", "successor"):
                yield f"    {key}: {_flow(value)}\n"


def _flow(value: object) -> str:
    """Return a value on one line of YAML; raises `ValueError` for a text that is more than a name."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").removesuffix(".") or "0"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_flow(key)}: {_flow(each)}' for key, each in value.items())}}}"
    text = str(value)
    if not re.fullmatch(r"[\w .:/?&=%-]*", text, re.ASCII) or "\n" in text:
        raise ValueError(f"{text[:40]!r} is no text that a file may hold")
    return f'"{text}"'


def read_all(root: Path = Path()) -> Iterator[tuple[str, VideoModel | ImageModel | ConfigError]]:
    """Yield each file's option with its model, or with what is wrong with it."""
    for path in sorted((root / FOLDER).glob("*/*/*.yaml")):
        name = path.relative_to(root / FOLDER).with_suffix("").as_posix()
        try:
            yield name, _model(path)
        except ConfigError as error:
            yield name, error


def _model(path: Path) -> VideoModel | ImageModel:
    import yaml

    try:
        content = yaml.safe_load(read_text(path))
        model: VideoModel | ImageModel = _adapter().validate_python(content)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path} cannot be read as a model", hint="correct it, or delete it and refresh") from error
    return model


@functools.cache
def _adapter() -> TypeAdapter[Any]:  # Any: a union is no class
    return TypeAdapter(ModelConfig)
