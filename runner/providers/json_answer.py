"""Make a server's JSON plain data that can be kept, without secrets, and its words fit for one line."""

from __future__ import annotations

import codecs
import html
import json
import math
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

_DEEPEST = 64
"""Far deeper than any API nests; writers of JSON give up at a few hundred."""

_TOO_DEEP = "…"
_IMAGES = frozenset({"b64_json", "b64", "base64", "image_base64", "bytesBase64Encoded", "imageBytes"})
"""Megabytes that are only ever decoded, never shown: searching them would hold up everything else."""

_NESTING = (dict, list)

_LARGEST = 2**63
"""Whole numbers from here on become text: not everything that reads JSON can hold them."""

_LONGEST_NUMBER = 4000
"""Digits that Python makes a number of; more stay text."""

_LONGEST_KEY = 200
"""Letters of a key or code that are looked at."""

_LINES = re.compile(r"\r\n|\n|\r")
_GAP = re.compile(r"[\s\x1e]*")
_TOKENS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}\[\],]', re.DOTALL)
_EVENT_FIELDS = frozenset({"event", "id", "retry", ""})
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read_json(text: str, redact: Callable[[str], str]) -> Any:  # Any: JSON
    """Return the JSON that `text` is, every string redacted after its escapes are resolved; None if it is none."""
    return _clean(parsed(text), redact)


def parsed(text: str) -> Any:  # Any: JSON
    """Return the JSON that `text` is, as it stands; None if it is none."""
    try:
        return _loaded(text)
    except (ValueError, RecursionError):
        return None


def _loaded(text: str) -> Any:  # Any: JSON
    """Return the JSON that `text` is; raises `ValueError` or `RecursionError` where it is none."""
    try:
        return from_json(text)  # an eighth of the time for an image of megabytes
    except ValueError:
        return json.loads(text)  # which takes half of a surrogate pair, too


def parsed_body(body: bytes) -> Any:  # Any: JSON
    """Return the JSON that a body is, or the address that it is; None if it is neither."""
    text = body.decode("utf-8-sig", "replace").strip()
    return text if text.startswith("http") else parsed(text)


def read_documents(content: bytes, redact: Callable[[str], str]) -> list[Any]:  # Any: JSON
    """Return every JSON value in a body, each as `read_json` gives it: one as a rule.

    There are more in a stream of events and in JSON lines. Byte order marks and text around events are passed over;
    of a body that breaks off, what came whole of its last value is returned.
    """
    text = text_of(content)
    try:
        values = [_loaded(text)]
    except (ValueError, RecursionError):
        values = [value for part in _parts(text) for value in _values(part)]
    return [_clean(value, redact) for value in values]


async def stream_documents(
    chunks: AsyncIterable[bytes], redact: Callable[[str], str], limit: int
) -> AsyncIterator[Any]:  # Any: JSON
    """Yield the JSON values of a body while it comes, event by event; what is no event, at its end.

    Raises `ValueError` where one of them takes more than `limit` characters.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    events, line, size = _Events(), [], 0
    async for chunk in chunks:
        *ended, last = decoder.decode(chunk).split("\n")
        size += len(chunk)
        if size + events.size > limit:
            raise ValueError(f"one event had more than {limit:,} characters")
        for part in ended:
            line.append(part)
            for text in events.take("".join(line).removesuffix("\r")):
                for value in _values(text):
                    yield _clean(value, redact)
            line.clear()
            size = 0
        line.append(last)
    for text in (*events.take("".join(line)), *events.end()):
        for value in _values(text):
            yield _clean(value, redact)


@lru_cache(4096)
def plain(key: str) -> str:
    """Return a key without its separators and capitals: task_id, taskId and TaskID are one."""
    return "".join(letter for letter in key[:_LONGEST_KEY].lower() if letter.isalnum())


def text_of(content: bytes) -> str:
    """Return a body as text, by its byte order mark, else as UTF-8 with question marks for what is none."""
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    return content.decode(encoding, errors="replace")


def _clean(value: Any, redact: Callable[[str], str]) -> Any:  # Any: JSON
    return value if _harmless(value, redact) else kept(value, redact)


def _parts(text: str) -> Iterator[str]:
    """Yield the data of each event in `text`, and whatever stands between events."""
    if text.lstrip()[:1] in ("{", "["):
        yield text
        return
    events = _Events()
    for line in _LINES.split(text):
        yield from events.take(line)
    yield from events.end()


class _Events:
    """Gather lines of a stream into whole events."""

    def __init__(self) -> None:
        self._data: list[str] = []
        self._rest: list[str] = []
        self.size = 0
        """Characters that are held."""

    def take(self, line: str) -> Iterator[str]:
        """Yield the data of the event that ends with this line, if one does."""
        name, _, value = line.partition(":")
        if not line or line.isspace():
            yield "\n".join(self._data)
            self.size -= sum(map(len, self._data))
            self._data.clear()
        elif name == "data":
            self._data.append(value)
            self.size += len(value)
        elif name not in _EVENT_FIELDS:
            self._rest.append(line)
            self.size += len(line)

    def end(self) -> Iterator[str]:
        """Yield the data of the last event, and whatever stands between events."""
        yield "\n".join(self._data)
        yield "\n".join(self._rest)


def _values(text: str) -> Iterator[Any]:  # Any: JSON
    """Yield the JSON values that follow one another in `text`."""
    decoder = json.JSONDecoder(parse_int=_whole_number)
    place = _end_of_gap(text, 0)
    while place < len(text):
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            yield from _begun(text[place:], decoder)
            return
        yield value
        place = _end_of_gap(text, place)


def _end_of_gap(text: str, place: int) -> int:
    gap = _GAP.match(text, place)
    return place if gap is None else gap.end()


def _begun(text: str, decoder: json.JSONDecoder) -> Iterator[Any]:  # Any: JSON
    """Yield what came whole of the value that `text` begins and does not end."""
    owed: list[str] = []
    cut, closing, end = 0, "", len(text.rstrip())
    for token in _TOKENS.finditer(text) if text[:1] in ("{", "[") else ():
        letter = token[0]
        if letter in ("{", "["):
            owed.append("}" if letter == "{" else "]")
        elif letter in ("}", "]"):
            if not owed or owed.pop() != letter:
                return
            cut, closing = token.end(), "".join(reversed(owed))
        elif letter == ",":
            cut, closing = token.start(), "".join(reversed(owed))
        elif letter == '"':
            break  # the text that was cut
        elif token.end() == end and (value := _decoded(text + "".join(reversed(owed)), decoder)) is not None:
            # A text at the very end is whole, and was a value.
            yield value
            return
    if cut and (value := _decoded(text[:cut] + closing, decoder)) is not None:
        yield value


def _decoded(text: str, decoder: json.JSONDecoder) -> Any:  # Any: JSON
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError):
        return None


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) < _LONGEST_NUMBER else digits[:_LONGEST_NUMBER]


def _harmless(value: Any, redact: Callable[[str], str]) -> bool:  # Any: JSON
    """Return whether `kept` would change nothing, by one search of all strings: lists of jobs hold thousands."""
    strings: list[str] = []
    if not _gather(value, strings, 0):
        return False
    joined = "\n".join(strings)
    return whole(joined) == joined == redact(joined)


def _gather(value: Any, strings: list[str], depth: int) -> bool:  # Any: JSON
    """Collect what is to be searched; whether the rest can be kept as it is."""
    if isinstance(value, dict):
        strings += value
        children: Iterable[Any] = value.values() if _IMAGES.isdisjoint(value) else _searched(value)
    elif isinstance(value, list):
        children = value
    else:
        children = [value]
    for child in children:
        if isinstance(child, str):
            strings.append(child)
        elif isinstance(child, float):
            if not math.isfinite(child):
                return False
        elif isinstance(child, int):
            if not -_LARGEST < child < _LARGEST:
                return False
        elif isinstance(child, _NESTING) and not (depth + 1 < _DEEPEST and _gather(child, strings, depth + 1)):
            return False
    return True


def _searched(value: dict[str, Any]) -> list[Any]:  # Any: JSON
    return [child for key, child in value.items() if key not in _IMAGES or not isinstance(child, str)]


def kept(value: Any, redact: Callable[[str], str], depth: int = 0) -> Any:  # Any: JSON
    """Return the same JSON, redacted.

    Numbers that JSON does not have become null, those too large for 64 bits text, halves of characters question marks.
    """
    if isinstance(value, str):
        return redact(whole(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if -_LARGEST < value < _LARGEST else _digits(value)
    if not isinstance(value, dict | list):
        return value
    if depth >= _DEEPEST:
        return _TOO_DEEP
    if isinstance(value, list):
        return [kept(child, redact, depth + 1) for child in value]
    return {
        redact(whole(key)): child if key in _IMAGES and isinstance(child, str) else kept(child, redact, depth + 1)
        for key, child in value.items()
    }


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # more digits than Python writes
        return "…"


def whole(text: str) -> str:
    """Return `text` as it can be written as UTF-8: JSON's escapes may spell half a character."""
    return text if text.isascii() else text.encode(errors="replace").decode()


_MARKUP = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_LONGEST_PAGE = 20_000


def excerpt(page: str) -> str:
    """Return the title and first words of a page, without markup."""
    page = page[:_LONGEST_PAGE]
    title = _TITLE.search(page)
    heading = f"{title.group(1)}: " if title else ""
    return one_line(html.unescape(heading + _MARKUP.sub(" ", page)), 160).removesuffix(":")


def one_line(text: str, limit: int = 600) -> str:
    """Return `text` without line breaks and control characters, cut to `limit` characters."""
    printable = text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)
    joined = " ".join(printable.split())
    return joined if len(joined) <= limit else joined[: limit - 1].rstrip() + "…"
