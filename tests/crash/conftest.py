"""Makes this room's own modules (`oracle`, `witness`, `zygotes`, …) importable."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

# Windows cannot fork, and has no SIGKILL.
collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []


@pytest.fixture(scope="session")
def zygotes() -> Iterator[object]:
    """Two processes that fork runners, which is as many as this suite keeps busy."""
    from zygotes import Zygotes

    with Zygotes(2) as pool:
        yield pool
