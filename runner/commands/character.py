"""Make a character of a video, for later videos to show again, or look one up."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from runner.config.provider import dialect_of
from runner.config.run import RunConfig
from runner.display.line import clean, one_line
from runner.errors import ConfigError

from .catalog import Parser, named_path

if TYPE_CHECKING:
    from pathlib import Path

    from runner.providers.base import Character, Provider


_LONGEST_NAME = 80


def main(arguments: Sequence[str]) -> int:
    """Print the character's id, name and, if known, day; returns 0. What is refused or fails raises."""
    options, overrides = _parser().parse_known_args(arguments)
    from runner.cli.composed import composed_run

    config, _ = composed_run(overrides)
    _check(config, options)
    if options.action == "create":
        character = asyncio.run(_with_provider(config, lambda p: p.create_character(options.video, options.name)))
    else:
        character = asyncio.run(_with_provider(config, lambda p: p.character(options.id)))
    print("  ".join(filter(None, [character.id, clean(one_line(character.name)), _day(character.created_at)])))
    return 0


def _day(created_at: float | None) -> str:
    return "" if created_at is None else f"{dt.datetime.fromtimestamp(created_at).astimezone():%Y-%m-%d %H:%M}"


def _check(config: RunConfig, options: argparse.Namespace) -> None:
    from runner.display.output import print_problems
    from runner.providers.preflight import check_endpoint

    problems = check_endpoint(config.provider, os.environ)
    print_problems([problem for problem in problems if problem.severity == "warning"])
    for problem in problems:
        if problem.severity == "error":
            raise ConfigError(f"{problem.key}: {problem.message}", hint=problem.hint)
    if "character" not in dialect_of(config.provider).video_operations:
        raise ConfigError(f"{config.provider.kind} servers of this dialect have no characters", hint="provider=openai")
    if options.action == "create":
        _check_video(options.video)


def _check_video(video: Path) -> None:
    if not video.is_file():
        raise ConfigError(f"there is no video {video}", hint="paths are relative to where you stand")
    if video.stat().st_size == 0:
        raise ConfigError(f"{video} is empty; nothing was sent", hint="a video file has more than 0 bytes")


def _name(text: str) -> str:
    if not text.strip() or len(text) > _LONGEST_NAME or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text[:_LONGEST_NAME]!r} is no name of 1 to {_LONGEST_NAME} characters")
    return text


def _id(text: str) -> str:
    from runner.providers.job import is_id

    if not is_id(text):
        raise argparse.ArgumentTypeError(f"{text[:_LONGEST_NAME]!r} is no character's id")
    return text


async def _with_provider(config: RunConfig, work: Callable[[Provider], Awaitable[Character]]) -> Character:
    from runner.providers.registry import create

    provider = create(config.provider)
    try:
        return await work(provider)
    finally:
        await provider.close()


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner character",
        description=__doc__,
        epilog="example: python -m runner character create otto.mp4 --name Otto provider=openai. "
        "Overrides choose the endpoint. OpenAI's published description does not say how a video's request names its "
        "characters: +request.extra_params.characters=… passes on what you know.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="upload a local video; sent once, never repeated by itself")
    create.add_argument("video", type=named_path)
    create.add_argument("--name", type=_name, required=True, help="what to call it, 1 to 80 characters")
    show = actions.add_parser("show", help="look one up")
    show.add_argument("id", type=_id)
    return parser
