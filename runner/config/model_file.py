"""Write a model that was read from a host's list as an option of Hydra's, and tell whether its user changed it."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from runner.errors import ConfigError
from runner.text_file import read_text

from .host_catalogue import Read
from .model import ImageModel, ModelConfig, VideoModel
from .shipped import REFRESHED

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
