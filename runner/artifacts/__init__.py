"""Files that a run leaves: written atomically, checked, recorded."""

from .result import Artifact, Result, RunStatus
from .result_file import read_result, write_result

__all__ = ["Artifact", "Result", "RunStatus", "read_result", "write_result"]
