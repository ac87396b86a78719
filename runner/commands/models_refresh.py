"""Read which models a host lists into options of the user's own, beside `.env`, and tell what was written."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.artifacts.atomic import ROOM, disk_errors, write_text
from runner.cli.composed import composed_run
from runner.config.host_catalogue import FOLDER, Kind, Read, id_of, is_unchanged, place, read_entry, render
from runner.config.host_price import rates
from runner.config.model import VideoModel
from runner.config.provider import CompatibleConfig, ProviderConfig, dialect_of, offerer
from runner.config.shipped import names, option
from runner.errors import ConfigError, RunnerError, UnexpectedAnswerError
from runner.text_file import read_text

if TYPE_CHECKING:
    from runner.providers.base import Provider

_MOST_MODELS = 2000
_MOST_SERVED = 200
"""Models of images whose prices are asked for, one by one."""
_KINDS: tuple[Kind, ...] = ("video", "image")


@dataclass
class Refreshed:
    """Hold what came of it.

    Attributes:
        read: the models, with why their prices are unknown.
        changed: files that their user has changed, and that stay as they are.
        gone: options that the host lists no more, whose files stay.
        left_out: why entries of the list are no models.
        differences: of models that `conf/model/` has, too, in words.
    """

    host: str
    address: str
    read: list[Read] = field(default_factory=list)
    new: int = 0
    changed: list[Path] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def refresh(host: str, overrides: Sequence[str], today: dt.date) -> Refreshed:
    """Read the lists of a host and write a file for each model; raises `RunnerError`, and then nothing has changed."""
    provider = _endpoint(host, overrides)
    lists, served = asyncio.run(_lists(provider))
    address = re.sub(r"[^\w .:/-]", "", provider.base_url or "", flags=re.ASCII)
    told = Refreshed(host, address)
    shipped = dict(_shipped(host))
    seen: set[str] = set()
    for kind, entries in lists.items():
        source = address.rstrip("/") + dialect_of(provider).catalogues[kind]
        for entry in entries:
            name = id_of(entry) or ""
            data = shipped.get(name, (None, None))[1]
            read = read_entry(entry, kind, host, source, today.isoformat(), data, served.get(name, ()))
            if isinstance(read, str):
                told.left_out.append(read)
            elif read.id.casefold() in seen:
                told.left_out.append(f"{read.id} is listed twice")
            else:
                seen.add(read.id.casefold())
                told.read.append(read)
    if not told.read:
        raise UnexpectedAnswerError(f"{host} lists no model that can be read; nothing was written")
    told.differences += [line for read in told.read for line in _differences(read, *shipped.get(read.id, ("", None)))]
    _write(told)
    return told


def _endpoint(host: str, overrides: Sequence[str]) -> CompatibleConfig:
    """Return the host's endpoint as runs reach it, but without a key: its lists are public."""
    from runner.display.output import print_problems
    from runner.providers.preflight import check_endpoint

    given = any(line.startswith("provider=") for line in overrides)
    model = next((name for name, data in _shipped(host).values() if data["kind"] == "video"), None)
    chosen = [*([] if given else [f"provider={host}"]), *([f"model={model}"] if model else [])]
    config, _ = composed_run([*chosen, *overrides])
    provider = config.provider
    if not isinstance(provider, CompatibleConfig) or offerer(provider) != host:
        raise ConfigError(f"the provider that is chosen does not speak as {host} does", hint=f"provider={host}")
    provider = provider.model_copy(update={"api_key_env": None})
    problems = check_endpoint(provider, os.environ)
    print_problems([problem for problem in problems if problem.severity == "warning"])
    for problem in problems:
        if problem.severity == "error":
            raise ConfigError(f"{problem.key}: {problem.message}", hint=problem.hint)
    return provider


def _shipped(host: str) -> dict[str, tuple[str, dict[str, Any]]]:  # Any: not validated
    """Return the options of `conf/model/` that the host offers, with their names, by what the host calls them."""
    described = {name: option("model", name) or {} for name in names("model")}
    offered = {name: data for name, data in described.items() if host in data["offers"]}
    return {data["offers"][host].get("id") or name: (name, data) for name, data in offered.items()}


async def _lists(config: ProviderConfig) -> tuple[dict[Kind, list[object]], dict[str, list[object]]]:
    """Return the entries of each kind, and who serves each model of images, which tells their prices."""
    from runner.providers.registry import create

    paths = dialect_of(config).catalogues
    provider = create(config)
    try:
        lists: dict[Kind, list[object]] = {kind: await _list(provider, paths[kind]) for kind in _KINDS}
        images = [*filter(None, map(id_of, lists["image"]))][:_MOST_SERVED]
        served = {name: await _served(provider, f"{paths['image']}/{name}/endpoints") for name in images}
    except RunnerError as error:
        error.reword(f"{error.message}; nothing was written")
        raise
    finally:
        await provider.close()
    return lists, served


async def _served(provider: Provider, path: str) -> list[object]:
    """Return who serves a model; nobody where that is not told, which leaves its price unknown."""
    reply = await provider.ask(path, "tell who serves the model")
    found = reply.raw.get("endpoints") if reply.error is None and isinstance(reply.raw, dict) else None
    return found if isinstance(found, list) else []


async def _list(provider: Provider, path: str) -> list[object]:
    reply = await provider.ask(path, "list the models")
    if reply.error is not None:
        raise reply.error
    entries = reply.raw.get("data") if isinstance(reply.raw, dict) else None
    if not isinstance(entries, list):
        raise UnexpectedAnswerError(f"the answer of {path} is no list of models")
    if len(entries) > _MOST_MODELS:
        raise UnexpectedAnswerError(f"{path} lists more than {_MOST_MODELS:,} models")
    return entries


_UNWRITTEN = f"{ROOM}, and give the command again; each file is there as a whole or as it was"


def _write(told: Refreshed) -> None:
    """Write the files, each as a whole; those that their user has changed stay."""
    texts = {read.model.name: render(read) for read in told.read}
    for name, text in texts.items():
        path = place(name)
        with disk_errors(path, _UNWRITTEN):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and not _is_ours(path):
                told.changed.append(path)
                continue
            told.new += not path.exists()
        write_text(path, text, durable=False, hint=_UNWRITTEN)
    found = (path.relative_to(FOLDER).with_suffix("").as_posix() for path in (FOLDER / told.host).glob("*/*.yaml"))
    told.gone += sorted(name for name in found if name not in texts)


def _is_ours(path: Path) -> bool:
    try:
        return is_unchanged(read_text(path))
    except ConfigError:
        return False


def _differences(
    read: Read,
    name: str,
    data: Mapping[str, Any] | None,  # Any: an option of conf/model
) -> Iterator[str]:
    """Yield what the host tells otherwise than the shipped model of this name."""
    if data is None:
        return
    model, offer = read.model, data["offers"][read.model.refreshed_from]
    resolutions = [*(model.resolutions or ())]
    keys = ("durations", "resolutions") if isinstance(model, VideoModel) else ("resolutions",)
    for key in keys:
        was, now = data.get(key), getattr(model, key)
        if now is not None and {*(was or ())} != {*now}:
            yield f"{name}: {key} {_shown(was)}; {read.id} now has {_shown(now)}"
    if read.unknown_price is None:
        told = model.offers[str(model.refreshed_from)].model_dump()
        before, after = dict(rates(offer, resolutions)), dict(rates(told, resolutions))
        said = set()
        for words in {**before, **after}:
            change = (words.partition(" at ")[2], before.get(words), after.get(words))
            if change[1] != change[2] and change not in said:
                said.add(change)
                yield f"{name}: {_usd(change[1])} {words}; {read.id} now costs {_usd(change[2])}"


def _shown(values: Sequence[object] | None) -> str:
    return ", ".join(map(str, values or ())) or "unknown"


def _usd(amount: float | None) -> str:
    return "an unknown sum" if amount is None else f"${amount:g}"
