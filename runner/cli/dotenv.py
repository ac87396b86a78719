"""Read `.env` of the working directory; what the environment already has wins."""

from __future__ import annotations

import io
import os
from pathlib import Path

from runner.errors import ConfigError


def load_dotenv(directory: Path | None = None) -> None:
    """Add the variables of `.env`, if there is one, without overriding any."""
    path = (directory or Path.cwd()) / ".env"
    if not path.is_file():
        return
    from dotenv import dotenv_values  # most runs have no .env

    from runner.text_file import read_text

    try:
        text = read_text(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="fix or remove it") from error
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    for name, value in values.items():
        if value is not None:
            os.environ.setdefault(name, value)
