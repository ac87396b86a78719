"""Run a command line in this process; print as JSON which files of `runner/` it enters until the first POST leaves."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import runner
import tests.preloaded  # noqa: F401 - what is imported before it is watched takes half the time
from runner.app import run

HOME = str(Path(runner.__file__).parent)


class Way:
    """Notes each call of a function of `runner/`, in every thread; what importing executes does not count."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.moves = 0
        self._open = True
        self._last: dict[int, str] = {}

    def __call__(self, frame: FrameType, event: str, _: object) -> Way | None:
        """Take what `sys.settrace` gives; of other packages' functions only their calls are heard, which is cheap."""
        if not self._open:
            sys.settrace(None)
            return None
        file, thread = frame.f_code.co_filename, threading.get_ident()
        if not file.startswith(HOME) or frame.f_code.co_name == "<module>":
            return None
        frame.f_trace_lines = False
        if event == "return":
            caller = next((each for each in _callers(frame) if each.f_code.co_filename.startswith(HOME)), None)
            if caller is not None:
                self._last[thread] = caller.f_code.co_filename
        elif event == "call" and not any(each.f_code.co_name == "<module>" for each in _callers(frame) if _ours(each)):
            self.files.add(file)
            self.moves += self._last.get(thread) != file
            self._last[thread] = file
        return self

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Close when the first connection is made: the first byte follows."""
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            self._open = False


def _callers(frame: FrameType) -> Iterator[FrameType]:
    while frame.f_back is not None:
        frame = frame.f_back
        yield frame


def _ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(HOME)


def main() -> None:
    """Run what is typed; its own output goes to standard error."""
    way = Way()
    sys.addaudithook(way.audit)
    threading.settrace(way)
    sys.settrace(way)
    out, sys.stdout = sys.stdout, sys.stderr
    run(sys.argv[1:])
    sys.settrace(None)
    json.dump({"files": sorted(str(Path(file).relative_to(HOME)) for file in way.files), "moves": way.moves}, out)


if __name__ == "__main__":
    main()
