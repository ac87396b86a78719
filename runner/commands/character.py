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
from runner.errors import ConfigError

from .catalog import Parser, named_path

if TYPE_CHECKING:
    from runner.providers.base import Character, Provider


def main(arguments: Sequence[str]) -> int:
    """Print the character's id, name and day; returns 0. What is refused or fails raises."""
    options, overrides = _parser().parse_known_args(arguments)
    from runner.cli.composed import composed_run

    config, _ = composed_run(overrides)
    _check(config, options)
    if options.action == "create":
        character = asyncio.run(_with_provider(config, lambda p: p.create_character(options.video, options.name)))
    else:
        character = asyncio.run(_with_provider(config, lambda p: p.character(options.id)))
    day = dt.datetime.fromtimestamp(character.created_at).astimezone()
    print(f"{character.id}  {character.name}  {day:%Y-%m-%d %H:%M}")
    return 0


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
    if options.action == "create" and not options.video.is_file():
        raise ConfigError(f"there is no video {options.video}", hint="paths are relative to where you stand")


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
    create.add_argument("--name", required=True, help="what to call it, 1 to 80 characters")
    show = actions.add_parser("show", help="look one up")
    show.add_argument("id")
    return parser
