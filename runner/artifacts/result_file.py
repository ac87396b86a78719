"""`result.json` in a run's directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ConfigError

from .atomic import disk_errors, write_bytes

if TYPE_CHECKING:
    from .result import Result

NAME = "result.json"


def result_bytes(result: Result) -> bytes:
    """The file's content: indented JSON, as people read it."""
    return result.model_dump_json(indent=2).encode() + b"\n"


def write_result(directory: Path, result: Result, *, durable: bool = True) -> None:
    """Replace the directory's `result.json` in one step; raises `DiskError`."""
    write_bytes(directory / NAME, result_bytes(result), durable=durable)


def restore_result(directory: Path, result: Result) -> None:
    """Write the directory's `result.json` again if it is not there or tells otherwise; raises `DiskError`."""
    path, content = directory / NAME, result_bytes(result)
    with disk_errors(path):
        same = path.is_file() and path.read_bytes() == content
    if not same:
        write_bytes(path, content, durable=False)


def read_result(directory: Path) -> Result:
    """The run that `directory` holds; raises `ConfigError` if there is none or it cannot be read."""
    from pydantic import ValidationError

    from .result import Result

    path = directory / NAME
    try:
        return Result.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(f"{directory} is no run's directory: it has no {NAME}") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{path} is not a result of this version of runner") from error
