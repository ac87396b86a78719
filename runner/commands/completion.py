"""Complete what is typed before TAB: commands and their directories, groups, options and keys; never an error.

Most lines are completed from the config files alone, where Hydra would find nothing else in them: importing Hydra takes
longer than a user wants to wait after TAB.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.config.shipped import CONF, GROUPS, REFRESHED, below, files_tell_all
from runner.errors import ConfigError

from .catalog import COMMANDS

Tree = Mapping[str, Any]
"""Any: a config, as YAML has it."""

_PLAIN = re.compile(r"[\w./-]*")
_WORD = re.compile(r"(?!-)[\w./-]*(=[\w./-]*)?")
_SWEEP = frozenset({"-m", "--multirun"})
_FIRST = ("provider", "model", "request", "tracking")
"""Groups whose options are sections of the same name."""


_GIVEN = object()
"""Stands for a value that was typed, of which Hydra knows what it means."""


class _UnknownError(Exception):
    """Tell that only Hydra knows."""


def plain_suggestions(words: Sequence[str], word: str) -> list[str] | None:
    """Return what `word` may become after other words; None where only Hydra can tell."""
    if not _WORD.fullmatch(word) or not files_tell_all():
        return None
    try:
        config = _composed(dict(_assigned(words)))
        return [*_groups(word), *_keys(config, word)]
    except _UnknownError:
        return None


def _assigned(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield keys with what the words assign to them."""
    for each in words:
        key, found, value = each.partition("=")
        if each in _SWEEP:
            continue
        if not found or not key or not _PLAIN.fullmatch(key) or not _PLAIN.fullmatch(value):
            raise _UnknownError
        yield key, value


def _composed(given: Mapping[str, str]) -> Tree:
    """Return the config without Hydra's own section, and with what is given at its keys."""
    config, chosen = _main()
    sections = {group: _option(group, given.get(group, name)) for group, name in chosen.items()}
    whole = _merged(config, sections)
    for key in given:
        if key not in chosen:
            *above, last = key.split(".")
            node = _node(whole, above)
            if last not in node or isinstance(node[last], dict | list):
                raise _UnknownError
            node[last] = _GIVEN
    return whole


def _main() -> tuple[dict[str, Any], dict[str, str]]:
    """Return the primary config, and which option of which group it chooses."""
    config = _read("config")
    chosen: dict[str, str] = {}
    for each in config.pop("defaults"):
        chosen |= each if isinstance(each, dict) else {}
    chosen.pop("hydra")
    if set(chosen) != {*_FIRST}:
        raise _UnknownError
    return config, chosen


def _option(group: str, name: str) -> dict[str, Any]:
    content = _read(f"{group}/{name}")
    merged: dict[str, Any] = {}
    for each in content.pop("defaults", ()):
        if not isinstance(each, str):
            raise _UnknownError
        merged = _merged(merged, {} if each == "_self_" else _option(group, each))
    return _merged(merged, content)


def _read(name: str) -> dict[str, Any]:
    import yaml

    path = next((path for root in (CONF, REFRESHED) if (path := root / f"{name}.yaml").is_file()), None)
    if path is None:
        raise _UnknownError
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (OSError, ValueError, yaml.YAMLError):
        raise _UnknownError from None
    if not isinstance(content, dict) or "@package" in text:
        raise _UnknownError
    return content


def _merged(one: Tree, other: Tree) -> dict[str, Any]:
    both = {key: _merged(one[key], other[key]) for key in one.keys() & other.keys() if _are_trees(one[key], other[key])}
    return {**one, **other, **both}


def _are_trees(*values: object) -> bool:
    return all(isinstance(value, dict) for value in values)


def _node(tree: Any, names: Sequence[str]) -> dict[str, Any]:
    for name in names:
        tree = tree.get(name) if isinstance(tree, dict) else None
    if not isinstance(tree, dict):
        raise _UnknownError
    return tree


def _groups(word: str) -> Iterator[str]:
    """Yield the groups, or a group's options, that begin so."""
    group, found, begun = word.partition("=")
    if found:
        if begun.startswith((".", "/")) or group.startswith("hydra") or ".." in group:
            raise _UnknownError
        yield from (f"{group}={option}" for option in below(group)[1] if option.startswith(begun))
        return
    if "/" in word:
        raise _UnknownError
    for name in below()[0]:
        if name.startswith(word):
            groups, options = below(name)
            # Hydra's own group has groups of other sources below it.
            ends = {(True, False): "/", (False, True): "="}
            yield name + ("" if name == "hydra" else ends.get((bool(groups), bool(options)), ""))


def _keys(config: Tree, word: str) -> Iterator[str]:
    """Yield the keys, or a key's value, that begin so."""
    key, found, begun = word.partition("=")
    *above, last = key.split(".")
    if above[:1] == ["hydra"]:
        raise _UnknownError
    if found and key in (*_FIRST, "experiment", "hydra"):
        return
    node = _node(config, above)
    if found:
        value = node.get(last)
        if begun or not (
            value is None or isinstance(value, int) or (isinstance(value, str) and _PLAIN.fullmatch(value))
        ):
            raise _UnknownError
        if value is not None:
            yield f"{word}{str(value).lower() if isinstance(value, bool) else value}"
        return
    before = "".join(f"{name}." for name in above)
    names = {name: "." if isinstance(value, dict | list) else "=" for name, value in node.items()}
    if not above:
        names["hydra"] = "."
    yield from (f"{before}{name}{end}" for name, end in names.items() if str(name).startswith(last))


_NAMES = ("runner", "mediarunner")
_OF_DIRECTORIES = frozenset({"ls", "repeat", "report", "resume", "show"})
_ARGUMENTS_BEFORE_OVERRIDES = {"doctor": 0, "character": 2, "repeat": 1, "resume": 1}
"""How many words come before the overrides of a command that takes some."""
_OF_SAVED_RUNS = frozenset({"repeat", "resume"})
_CHARACTER_ACTIONS = ("create", "show")
_DIRECTORY_FLAGS = ("--config-dir", "-cd", "--config-path", "-cp")

# A word may hold = and :, which bash takes for ends of words: what stands before them is cut from what it is offered.
_BASH = """\
_runner_complete() {
    local line="${COMP_LINE:0:$COMP_POINT}" current="${COMP_WORDS[$COMP_CWORD]}" word before reply
    case "${COMP_WORDS[0]##*/}" in
        python*) [ "${COMP_WORDS[1]} ${COMP_WORDS[2]}" = "-m runner" ] || return 0
            set -- "${COMP_WORDS[0]}" -m runner ;;
        *) set -- "${COMP_WORDS[0]}" ;;
    esac
    word="${line##* }"
    case "$current" in =|:) current="" ;; esac
    before="${word%"$current"}"
    COMPREPLY=()
    while IFS= read -r reply; do
        case "$reply" in "") continue ;; *=|*.|*/) ;; *) reply="$reply " ;; esac
        COMPREPLY+=("${reply#"$before"}")
    done < <(COMP_LINE="$line" COMP_POINT="$COMP_POINT" "$@" -sc query=bash 2>/dev/null)
}
complete -o nospace -o default -F _runner_complete """


def complete(parsed: argparse.Namespace) -> int:
    """Print what `-sc` with `install=SHELL`, `uninstall=SHELL` or `query=SHELL` asks for; returns 0.

    Raises `ConfigError` for anything else.
    """
    asked = dict(override.partition("=")[::2] for override in parsed.overrides)
    shells = ("bash", "zsh", "fish")
    if len(asked) != 1 or not set(asked) <= {"install", "uninstall", "query"} or not set(asked.values()) <= set(shells):
        raise ConfigError("-sc takes one of install=SHELL, uninstall=SHELL and query=SHELL, for bash, zsh or fish",
                          hint='eval "$(runner -sc install=bash)"')  # fmt: skip
    action, shell = next(iter(asked.items()))
    if action == "query":
        answer()
    elif shell == "fish":
        from runner.compose.app import opened

        with opened(parsed) as app:
            app.complete(*parsed.overrides)
    elif action == "install":
        print(_BASH + " ".join(_completed()))
    else:
        print(f"complete -r {' '.join(_completed())}; unset -f _runner_complete")
    return 0


def answer() -> None:
    """Print what the line that a shell has put into COMP_LINE may become."""
    print("\n".join(sorted(set(suggestions(os.environ.get("COMP_LINE", ""))))))


def suggestions(line: str) -> Iterator[str]:
    """Yield what the last word of a command line up to the cursor may become."""
    words = line.split()
    words = words[3:] if words[:1] and Path(words[0]).name.startswith("python") else words[1:]
    word = words.pop() if words and not line.endswith(" ") else ""
    if not words:
        yield from (command for command in COMMANDS if command.startswith(word))
    elif words[0] in COMMANDS:
        yield from _of_command(words[0], words[1:], word)
        return
    yield from _of_config(words, word)


def _of_command(command: str, words: Sequence[str], word: str) -> Iterator[str]:
    given = [each for each in words if not each.startswith("-")]
    if len(given) >= _ARGUMENTS_BEFORE_OVERRIDES.get(command, sys.maxsize):
        saved = command in _OF_SAVED_RUNS
        if command != "doctor":
            words = [*itertools.dropwhile(lambda each: "=" not in each and each not in _DIRECTORY_FLAGS, words)]
        found = _of_config(words, word)
        # What is saved was made of groups and has none to choose from.
        yield from (each for each in found if not saved or each.partition("=")[0] not in GROUPS)
    elif command in _OF_DIRECTORIES:
        yield from _directories(word)
    elif command == "character" and not given:
        yield from (action for action in _CHARACTER_ACTIONS if action.startswith(word))


def _of_config(words: Sequence[str], word: str) -> Iterator[str]:
    if words[-1:] and words[-1] in _DIRECTORY_FLAGS:
        yield from _directories(word)
    else:
        yield from _of_hydra(words, word)
        yield from _refreshed(word)


def _refreshed(word: str) -> Iterator[str]:
    """Yield the models that were read from hosts' lists: Hydra completes no option below a folder of its group."""
    key, _, begun = word.partition("=")
    if key == "model" and begun:
        for path in (REFRESHED / key).glob("*/*/*.yaml"):
            name = path.relative_to(REFRESHED / key).with_suffix("").as_posix()
            if name.startswith(begun):
                yield f"{key}={name}"


def _completed() -> list[str]:
    """Return the words whose arguments are completed: Python's, too, if that is how the program is called."""
    called = Path(sys.argv[0]).name
    return [*_NAMES, *(("python", "python3") if called.startswith("__main__") else ())]


def _directories(word: str) -> Iterator[str]:
    above, _, begun = word.rpartition("/")
    root = Path(above or ("/" if word.startswith("/") else ".")).expanduser()
    with contextlib.suppress(OSError):
        for path in root.iterdir():
            if path.is_dir() and path.name.startswith(begun) and (begun or not path.name.startswith(".")):
                yield f"{word[: len(word) - len(begun)]}{path.name}/"


def _of_hydra(words: Sequence[str], word: str) -> list[str]:
    """Return what Hydra suggests; if what was typed before cannot be composed, what it suggests without it."""
    whole = [each for each in words if "'" not in each and '"' not in each]
    for before in (whole, [each for each in whole if each.startswith("-")], []):
        plain = plain_suggestions(before, word)
        if found := asked(before, word) if plain is None else plain:
            return found
    return []


def asked(words: Sequence[str], word: str) -> list[str]:
    """Return Hydra's own suggestions; none where what was typed before cannot be composed."""
    from runner.compose.app import opened, parse  # Hydra, which most lines need not wait for

    told = io.StringIO()
    earlier = os.environ.get("COMP_LINE")
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(io.StringIO()):
            parsed = parse(words)
            line = " ".join(["runner", *["-m"] * parsed.multirun, *parsed.overrides, word])
            os.environ["COMP_LINE"] = line if word else f"{line.rstrip()} "
            with opened(parsed) as app:
                app.complete("query=bash")
    except (Exception, SystemExit):  # noqa: BLE001 - whatever is wrong with the line is said when it is run
        return []
    finally:
        if earlier is not None:
            os.environ["COMP_LINE"] = earlier
    return told.getvalue().split()
