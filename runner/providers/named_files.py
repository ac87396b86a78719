"""Where a server's JSON says that a finished file is, or the file as text: every gateway has its own place for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from runner.artifacts.download import begins_like_a_file

_MOST = 5
"""Addresses of one answer that are tried."""
_DEEPEST = 12

_WORD = re.compile(r"b64|base64|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_VIDEO = frozenset({"video", "videos", "movie", "clip", "animation", "mp4", "webm"})
_IMAGE = frozenset({"image", "images", "img", "picture", "png", "webp"})
_FILE = frozenset(
    {
        "url",
        "urls",
        "uri",
        "uris",
        "href",
        "link",
        "address",
        "download",
        "file",
        "files",
        "output",
        "outputs",
        "result",
    }
    | {"results", "content", "contents", "asset", "assets", "artifact", "artifacts", "media", "generation"}
    | {"generations", "b64", "base64", "data"}
)
_OTHER = frozenset(
    {"thumbnail", "thumbnails", "thumb", "thumbs", "cover", "covers", "poster", "posters", "preview", "spritesheet"}
    | {"sprite", "frame", "frames", "input", "inputs", "source", "reference", "references", "init", "mask", "prompt"}
    | {"webhook", "callback", "notify", "status", "cancel", "get", "self", "next", "previous", "poll", "polling", "log"}
    | {"logs", "stream", "web", "page", "docs", "help", "error", "errors", "audio", "subtitle", "subtitles", "caption"}
    | {"avatar", "icon", "logo", "user", "request", "param", "params", "parameters", "delete"}
)
"""Words of keys whose address is another file, or a route of the API."""
_VIDEO_ENDINGS = frozenset(["mp4", "m4v", "mov", "webm", "mkv", "avi", "ts", "mpg", "mpeg", "flv", "ogv", "gif"])
_IMAGE_ENDINGS = frozenset(["png", "jpg", "jpeg", "webp", "avif", "gif", "svg", "heic", "bmp", "tif", "tiff"])
_OTHER_ENDINGS = frozenset(
    ["json", "html", "htm", "txt", "srt", "vtt", "mp3", "wav", "m4a", "aac", "zip", "md", "pdf", "css", "js"]
)
_SHORTEST_FILE = 64


def named_files(raw: object, *, picture: bool = False) -> list[str]:
    """Return the addresses of a finished video (or `picture`) that JSON names, or files that it holds as text.

    The likeliest comes first; what is named as a thumbnail, an input, or a route of the API is left out.
    """
    scored = [(score, text) for keys, text in _texts(raw, (), 0) if (score := _score(keys, text, picture=picture))]
    best = sorted(scored, key=lambda found: -found[0])
    return list(dict.fromkeys(text for _, text in best))[:_MOST]


def holds_file(text: str) -> bool:
    """Return whether `text` is a file itself, as a data URL or base64."""
    return text[:5].lower() == "data:" or (len(text) > _SHORTEST_FILE and begins_like_a_file(text))


def _texts(value: Any, keys: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], str]]:  # Any: JSON
    if isinstance(value, str):
        inner = _json_in(value) if depth < _DEEPEST else None
        yield from _texts(inner, keys, depth + 1) if inner is not None else [(keys, value.strip())]
    elif depth < _DEEPEST and isinstance(value, list):
        for child in value:
            yield from _texts(child, keys, depth + 1)
    elif depth < _DEEPEST and isinstance(value, dict):
        for key, child in value.items():
            yield from _texts(child, (*keys, str(key)), depth + 1)


def _json_in(text: str) -> Any:  # Any: JSON
    """Return what a text holds that is JSON itself, as some servers write a job's metadata; None for any other text."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _score(keys: tuple[str, ...], text: str, *, picture: bool) -> int:
    """Return how much `text`, which stands below `keys`, looks like the file's address; 0: not at all."""
    words = [{word.lower() for word in _WORD.findall(key)} for key in keys]
    everything = frozenset[str]().union(*words)
    wanted, unwanted = (_IMAGE, _VIDEO) if picture else (_VIDEO, _IMAGE)
    if everything & _OTHER or not text:
        return 0
    last = words[-1] if words else set()
    said = 4 * bool(last & wanted) + 2 * bool(everything & wanted) + bool(last & _FILE) + bool(everything & _FILE)
    if holds_file(text):
        return max(said, 1)
    plain = keys == ("url",)
    if not _is_address(text, relative=bool(last & (_FILE | wanted)), anyhow=plain):
        return 0
    ending = PurePosixPath(unquote(urlsplit(text).path)).suffix[1:].lower()
    if ending in (_IMAGE_ENDINGS if picture else _VIDEO_ENDINGS):
        return said + 8
    if ending in _OTHER_ENDINGS | _VIDEO_ENDINGS | _IMAGE_ENDINGS or everything & unwanted:
        return int(plain)  # the one key that a server documents
    return said


def _is_address(text: str, *, relative: bool, anyhow: bool) -> bool:
    if any(char.isspace() for char in text) or len(text) > 16_384:
        return False
    try:
        scheme = urlsplit(text).scheme.lower()
    except ValueError:
        return False
    return scheme in ("http", "https") or (not scheme and (anyhow or (relative and text[:1] == "/" and len(text) > 1)))
