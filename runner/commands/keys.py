"""List every key of the config with its type, its default and what it does."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from runner.config.problem import did_you_mean
from runner.config.reference import GROUPS, Key, Section, keys
from runner.errors import ConfigError

from .catalog import Parser

LISTED: tuple[Section, ...] = ("config", *GROUPS, "judge")


def main(arguments: Sequence[str]) -> int:
    """Print the keys that are asked for, or the reference page; returns 0."""
    parsed = _parser().parse_args(arguments)
    if parsed.md:
        print("\n".join(_page()))
        return 0
    for key in _wanted(parsed.what):
        _print(key)
    return 0


def _wanted(what: str | None) -> list[Key]:
    """Return the keys of a section, or those whose name has the text in it; all without either."""
    if what in LISTED:
        return keys(what)
    everything = list(chain.from_iterable(map(keys, LISTED)))
    found = [key for key in everything if what is None or what in key.path]
    if not found:
        names = [*LISTED, *(key.path for key in everything), *(key.path.rpartition(".")[2] for key in everything)]
        near = did_you_mean(what or "", names)
        hint = f"python -m runner keys {near}" if near else f"python -m runner keys [{'|'.join(LISTED)}]"
        raise ConfigError(f"no key has {what!r} in its name", hint=hint)
    return found


def _print(key: Key) -> None:
    only = f"; {', '.join(key.kinds)} only" if key.kinds else ""
    print(f"{key.path}={_value(key.default)}  ({key.type}{only})")
    print(textwrap.fill(key.comment, 100, initial_indent="    ", subsequent_indent="    "))


def _value(default: object) -> str:
    if isinstance(default, str):
        return default
    return json.dumps(default, ensure_ascii=False, default=str)


_HEADS: Mapping[Section, tuple[str, str]] = {
    "config": ("Top level", "Keys of an invocation, as in `dry_run=true` or `budget.max_usd=10`."),
    "provider": ("Provider", "`provider=NAME` chooses where requests go: see [providers and models](providers.md)."),
    "model": ("Model", "`model=NAME` chooses what generates. `python -m runner models` lists them with their prices."),
    "request": ("Request", "`request=NAME` chooses what to generate: a preset, whose keys can be changed."),
    "tracking": ("Tracking", "`tracking=NAME` records runs elsewhere as well: see [tracking](tracking.md)."),
    "judge": (
        "Judge",
        "What `score DIR metrics=[judge]` reads beside `provider`, `budget`: see [metrics](metrics.md#a-judge).",
    ),
}


_OPENING = """\
# Configuration

Every key, made from `conf/` by `make reference`. In a terminal: `python -m runner keys`, `keys request`, or a part of a
name, as in `keys duration`. Every key can stand on the command line (`request.duration_seconds=8`) and in a file of
your own ([sweeps](sweeps.md#experiments)). `python -m runner --cfg job` prints the config as it would be used.

Every file of `conf/` names a JSON Schema at its top, so that editors complete and check it. For files of your own:
`python -m runner schema model > team/model/schema.json`, and `# yaml-language-server: $schema=schema.json` as the first
line. Defaults and comments are those of the first option that has the key."""


def _page() -> Iterator[str]:
    """Yield the lines of `docs/configuration.md`."""
    yield _OPENING
    for section in LISTED:
        title, opening = _HEADS[section]
        listed = keys(section)
        yield from ("", f"## {title}", "", opening, "", "| key | default | type | meaning |", "|---|---|---|---|")
        yield from map(_row, listed)


def _row(key: Key) -> str:
    value = _value(key.default)
    shown = f"`{value}`" if len(value) <= 60 else "see its file"
    only = f" ({', '.join(key.kinds)} only)" if key.kinds else ""
    cells = (f"`{key.path}`", shown, key.type, key.comment + only)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _parser() -> Parser:
    parser = Parser(
        prog="python -m runner keys",
        description=__doc__,
        epilog="examples: python -m runner keys request; python -m runner keys budget; python -m runner keys duration",
    )
    parser.add_argument(
        "what", nargs="?", help="config, provider, model, request, tracking, judge, or a part of a key's name"
    )
    parser.add_argument("--md", action="store_true", help="the whole reference as a page of Markdown")
    return parser
