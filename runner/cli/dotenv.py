"""Reads `.env` of the working directory; what the environment already has wins."""

from __future__ import annotations

import os
from pathlib import Path

from runner.errors import ConfigError


def load_dotenv(directory: Path | None = None) -> None:
    """Add the variables of `.env`, if there is one, without overriding any."""
    path = (directory or Path.cwd()) / ".env"
    if not path.is_file():
        return
    from dotenv import dotenv_values  # most runs have no .env

    try:
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ConfigError(f"{path} cannot be read: {reason}", hint="mend or remove it") from error
    for name, value in values.items():
        if value is not None:
            os.environ.setdefault(name, value)
