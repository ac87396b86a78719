"""Write, check and record the files that a run leaves; every write is atomic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lazy import names_from

if TYPE_CHECKING:
    from .result import Artifact, Result, RunStatus
    from .result_file import read_result, write_result

__all__ = ["Artifact", "Result", "RunStatus", "read_result", "write_result"]

# The models of a result are made only where there is one.
__getattr__ = names_from(
    __name__,
    {
        "result": ("Artifact", "Result", "RunStatus"),
        "result_file": ("read_result", "write_result"),
    },
)
