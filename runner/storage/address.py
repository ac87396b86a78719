"""Judge the address of a storage before anything is asked: its form, its protocol, and what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from urllib.parse import urlsplit

from runner.config.problem import Problem, did_you_mean
from runner.config.run import NoTracking, RunConfig
from runner.errors import ConfigError

_EXTRAS = {
    "s3": ("s3", "s3fs"), "s3a": ("s3", "s3fs"), "gs": ("gcs", "gcsfs"), "gcs": ("gcs", "gcsfs"),
    "az": ("azure_blob", "adlfs"), "abfs": ("azure_blob", "adlfs"), "abfss": ("azure_blob", "adlfs"),
}  # fmt: skip
"""Our extra, and the package that it brings, by protocol."""

_READ_ONLY = frozenset({"data", "git", "github", "http", "https", "libarchive", "reference", "tar", "zip"})
_FORM = "s3://bucket/prefix, gs://bucket/prefix, abfs://container/prefix or file:///directory"


class StorageError(ConfigError):
    """Raised when a storage cannot be used as it is configured."""


def is_address(text: str) -> bool:
    """Return whether a text is the address of a storage, and no directory here."""
    return "://" in text


def check_storage(config: RunConfig) -> Iterator[Problem]:
    """Yield what keeps a run's storage from being used; nothing is asked of it."""
    storage, tracking = config.storage, config.tracking
    yield from address_problems(storage.url or "", "storage.url")
    if storage.keep_local is not True and not isinstance(tracking, NoTracking) and tracking.files != "none":
        message = f"removes files that {tracking.kind} may not have taken yet"
        yield Problem("storage.keep_local", message, "storage.keep_local=true, or tracking.files=none")


def address_problems(url: str, key: str = "", *, writing: bool = True) -> Iterator[Problem]:
    """Yield what keeps an address from being used."""
    protocol, found, rest = url.partition("://")
    host = _host(url)
    if not found or not protocol.isalnum() or not rest.strip("/") or host is None:
        yield Problem(key, f"{url!r} is no address of a storage", _FORM)
    elif "@" in host or "?" in rest or "#" in rest:
        hint = "keys belong into the environment: see docs/storage.md"
        yield Problem(key, "holds a user, a key or a query, which would be written down", hint)
    elif writing and protocol in _READ_ONLY:
        yield Problem(key, f"{protocol}:// cannot be written to", _FORM)
    else:
        yield from _missing(protocol, key)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:  # as of a bracket that is not closed
        return None


def _missing(protocol: str, key: str) -> Iterator[Problem]:
    extra, package = _EXTRAS.get(protocol, ("s3", "fsspec"))
    if any(find_spec(name) is None for name in ("fsspec", package)):
        message = f"{protocol}:// needs what is not installed here: {package}"
        yield Problem(key, message, f"pip install 'mediarunner[{extra}]'")
        return
    import fsspec

    known = fsspec.available_protocols()
    if protocol not in known:
        near = did_you_mean(protocol, known)
        hint = f"did you mean {near}://?" if near else _FORM
        yield Problem(key, f"{protocol}:// is no protocol that fsspec knows", hint)
        return
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        yield Problem(key, f"{protocol}:// needs what is not installed here", str(error))
