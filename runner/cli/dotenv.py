"""Reads `.env` of the working directory; what the environment already has wins."""

from __future__ import annotations

import os
from pathlib import Path


def load_dotenv(directory: Path | None = None) -> None:
    """Add the variables of `.env`, if there is one, without overriding any."""
    path = (directory or Path.cwd()) / ".env"
    if not path.is_file():
        return
    from dotenv import dotenv_values  # most runs have no .env

    for name, value in dotenv_values(path, interpolate=False).items():
        if value is not None:
            os.environ.setdefault(name, value)
