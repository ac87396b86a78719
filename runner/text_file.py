"""Read a user's text files, `.env` among them: UTF-8 without a byte order mark, or the first wrong byte is named."""

from __future__ import annotations

import codecs
import io
import os
from pathlib import Path

from runner.errors import ConfigError

MARK = "\ufeff"
"""The byte order mark, which editors put before a text and which is no part of it."""

# UTF-32's marks begin with UTF-16's: they are looked for first.
_OTHERS = (
    (codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"),
)  # fmt: skip
_HINT = "save it as UTF-8"


def read_text(path: Path) -> str:
    """Return a file's text with plain line ends; raises `ConfigError` for other encodings, `OSError` as it comes."""
    return decoded(path.read_bytes(), str(path))


def decoded(content: bytes, name: str, *, exact: bool = False) -> str:
    """Return the text that the bytes of the file `name` spell; raises `ConfigError` naming the first byte at fault.

    Its line ends become plain ones, unless it is to be `exact`.
    """
    for mark, encoding in _OTHERS:
        if content.startswith(mark):
            raise ConfigError(f"{name} is saved as {encoding}, and only UTF-8 is read", hint=_HINT)
    if b"\0" in content:
        place = _place(content, content.index(b"\0"))
        raise ConfigError(f"{name} is no UTF-8 text: {place} is zero, as in UTF-16 or in no text at all", hint=_HINT)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        wrong = f"{_place(content, error.start)} is 0x{content[error.start]:02x}"
        raise ConfigError(f"{name} is no UTF-8 text: {wrong}", hint=_HINT) from error
    plain = text if exact else io.IncrementalNewlineDecoder(None, translate=True).decode(text, final=True)
    return plain.lstrip(MARK)


def _place(content: bytes, offset: int) -> str:
    return f"byte {offset} (counted from 0, in line {content.count(10, 0, offset) + 1})"


def add_environment(directory: Path) -> None:
    """Add the variables of `directory`'s `.env`, if there is one, without overriding any; raises `ConfigError`."""
    path = directory / ".env"
    if not path.is_file():
        return
    from dotenv import dotenv_values  # few texts are such

    try:
        text = read_text(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="fix or remove it") from error
    for name, value in dotenv_values(stream=io.StringIO(text), interpolate=False).items():
        if value is not None:
            os.environ.setdefault(name, value)
