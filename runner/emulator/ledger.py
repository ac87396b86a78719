"""Reading a running emulator's ledger."""

from __future__ import annotations

import json
from typing import cast

PATH = "/_emulator/ledger"
TIMEOUT = 10.0


def read_ledger(base_url: str) -> dict[str, object]:
    """The ledger of the emulator at `base_url` (with or without `/v1`)."""
    from urllib.request import urlopen

    with urlopen(base_url.rstrip("/").removesuffix("/v1") + PATH, timeout=TIMEOUT) as answer:  # noqa: S310
        return cast("dict[str, object]", json.load(answer))
