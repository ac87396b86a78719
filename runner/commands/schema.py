"""Print the JSON Schema of the config files, by which editors complete and check them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from runner.config.reference import SECTIONS, schema

from .catalog import Parser


def main(arguments: Sequence[str]) -> int:
    """Print one schema; returns 0."""
    parsed = _parser().parse_args(arguments)
    print(json.dumps(schema(parsed.group), indent=2, ensure_ascii=False))
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner schema",
        description=__doc__,
        epilog="example: python -m runner schema model > team/model/schema.json, "
        "and in each file beside it the first line # yaml-language-server: $schema=schema.json",
    )
    parser.add_argument(
        "group", nargs="?", choices=SECTIONS, default="config", help="whose files are described (default: config)"
    )
    return parser
