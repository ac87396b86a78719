"""Run EmulatorProcess's child: read settings from stdin, print an address, end when stdin ends."""

from __future__ import annotations

import json
import os
import sys
import threading

from .faults import FaultFileError
from .server import Server, serve
from .settings import EmulatorSettings

GRACE = 2.0


def _watch(server: Server) -> None:
    sys.stdin.buffer.read()
    server.stop()
    # A rendering that does not end must not outlive the parent by long.
    timer = threading.Timer(GRACE, os._exit, (0,))
    timer.daemon = True
    timer.start()


def run_child() -> int:
    """Serve until stdin ends; prints one JSON line, `{"base_url": ...}` or `{"error": ...}`."""
    settings = EmulatorSettings.model_validate_json(sys.stdin.buffer.readline())

    def started(server: Server) -> None:
        threading.Thread(target=_watch, args=(server,), daemon=True).start()

    try:
        serve(settings, started=started)
    except (OSError, FaultFileError) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(run_child())
