"""Find and read the file of a table, or what is piped in, and refuse what cannot be one."""

from __future__ import annotations

import codecs
import functools
import re
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runner.errors import ConfigError
from runner.text_file import decoded

from .problem import did_you_mean

LIMIT = 50_000_000
"""Bytes that a table may have: many times what a sweep can run."""

STDIN = "standard input"

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".yaml", ".yml", ".txt")
_WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")
_DOCUMENTS = (".docx", ".doc", ".odt", ".rtf", ".pdf", ".pages")
_PLAIN_TEXT = re.compile(r"[\w ,.-]+")


@dataclass(frozen=True, slots=True)
class TableFile:
    """Hold what a table is read from.

    Attributes:
        name: as it was typed, `standard input` for `-`; for messages.
        content: its bytes.
        ending: of its name, in lower case; None for what is piped in, whose kind its text has to tell.
        directory: where it lies.
    """

    name: str
    content: bytes
    ending: str | None
    directory: Path

    def text(self, *, exact: bool) -> str:
        """Return its text, with its own line ends if `exact`; raises `ConfigError` for other encodings."""
        content = self.content
        utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        if utf16 and not content.startswith(codecs.BOM_UTF32_LE):
            try:
                content = content.decode("utf-16").encode()
            except UnicodeDecodeError as error:
                raise ConfigError(
                    f"{self.name} is no UTF-16 text, though it begins as one: byte {error.start} is wrong",
                    hint="save it as UTF-8",
                ) from error
        return decoded(content, self.name, exact=exact)


def read(source: str, directory: Path) -> TableFile:
    """Return the file `source`, relative to `directory`; what is piped in is read once in a process.

    Raises `ConfigError` if it is missing, too large, or nothing that can be a table.
    """
    if source == "-":
        if getattr(sys.stdin, "buffer", None) is None or sys.stdin.isatty():
            raise ConfigError(
                "nothing is piped into standard input", hint="cat shots.csv | python -m runner -m prompts=-"
            )
        return TableFile(STDIN, _within_limit(STDIN, _piped(source)), None, directory)
    try:
        path = directory / Path(source).expanduser()
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _is_directory(source, path)
        _refuse_other_programs(source, path.suffix.lower())
        if not stat.S_ISREG(status.st_mode):
            return TableFile(source, _within_limit(source, _piped(str(path))), None, directory)
        if status.st_size > LIMIT:
            raise _too_large(source, f"has {status.st_size / 1e6:,.0f} MB")
        return TableFile(source, path.read_bytes(), path.suffix.lower(), path.parent)
    except FileNotFoundError:
        raise _missing(source, directory) from None
    except (OSError, ValueError, RuntimeError) as error:  # a name with a zero in it, a user without a home
        if _is_prompt(source):
            raise _missing(source, directory) from None
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{_short(source)} cannot be read: {reason}", hint="prompts= names a file") from error


@functools.cache
def _piped(path: str) -> bytes:
    """Return what a pipe gives, which nobody can read twice."""
    if path == "-":
        return sys.stdin.buffer.read(LIMIT + 1)
    with Path(path).open("rb") as pipe:
        return pipe.read(LIMIT + 1)


def _within_limit(name: str, content: bytes) -> bytes:
    if len(content) > LIMIT:
        raise _too_large(name, f"has more than {LIMIT // 1_000_000} MB")
    return content


def _too_large(name: str, size: str) -> ConfigError:
    return ConfigError(
        f"{name} {size}, and a table of prompts has at most {LIMIT // 1_000_000} MB",
        hint="name the file of the prompts, or split it into several",
    )


def _refuse_other_programs(name: str, ending: str) -> None:
    if ending in _WORKBOOKS:
        raise ConfigError(
            f"{name} is a workbook, which is not read", hint="save the sheet as CSV in UTF-8, with commas"
        )
    if ending in _DOCUMENTS:
        raise ConfigError(f"{name} is a document, which is not read", hint="save it as plain text, in UTF-8")


def _is_directory(source: str, path: Path) -> ConfigError:
    within = sorted(each.name for each in _files(path) if each.suffix.lower() in ENDINGS)
    return ConfigError(
        f"{source} is a directory, and a table is one file",
        hint=f"prompts={Path(source) / within[0]}" if within else "name a .csv, .jsonl, .yaml or .txt file",
    )


def _missing(source: str, directory: Path) -> ConfigError:
    if _is_prompt(source):
        typed = f"\"request.prompt='{source}'\"" if _PLAIN_TEXT.fullmatch(source) else "\"request.prompt='A red fox'\""
        return ConfigError(
            f"prompts= names a file of prompts, and {_short(source)!r} is no file", hint=f"for one prompt type {typed}"
        )
    path = directory / Path(source).expanduser()
    near = did_you_mean(path.name, [each.name for each in _files(path.parent)])
    return ConfigError(
        f"there is no file {source} in {directory}",
        hint=f"did you mean {Path(source).with_name(near)}?" if near else "prompts= names a file, as in shots.csv",
    )


def _is_prompt(source: str) -> bool:
    """Tell whether what is no file reads as a prompt: words, and no ending of a table."""
    return len(source.split()) > 1 and not source.lower().endswith(ENDINGS)


def _files(directory: Path) -> Iterable[Path]:
    try:
        return [each for each in directory.iterdir() if each.is_file()]
    except OSError:
        return []


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
