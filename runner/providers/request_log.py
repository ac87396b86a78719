"""What the HTTP client writes into the log about each request."""

from __future__ import annotations

import logging

import httpx2


def _without_query(record: logging.LogRecord) -> bool:
    """Cut the query off every address in a log line: where a server signs an address, the signature is in there."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            value.copy_with(query=None) if isinstance(value, httpx2.URL) else value for value in record.args
        )
    return True


def hide_queries() -> None:
    """Keep signatures out of `httpx2`'s log lines; calling it again changes nothing."""
    logging.getLogger("httpx2").addFilter(_without_query)
