"""Decode files in `Decoder`'s child: read a line of JSON for each on stdin, write one on stdout, in any order."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runner.errors import ArtifactError

from .probe import Video, probe

Message = dict[str, Any]  # Any: JSON


def run_child(at_once: int) -> None:
    """Check files, `at_once` at a time, until stdin ends: then whoever asked is gone, however that went."""
    import av  # noqa: F401 - what the first file would otherwise wait for

    answers, writing = os.fdopen(os.dup(1), "wb"), threading.Lock()
    os.dup2(2, 1)  # no library can write between the answers

    def say(message: Message) -> None:
        with writing:
            answers.write(json.dumps(message).encode() + b"\n")
            answers.flush()

    def answer(order: Message) -> None:
        say({"number": order.pop("number"), **_found(Path(order.pop("path")), **order)})

    pool = ThreadPoolExecutor(at_once)
    say({})
    for line in sys.stdin.buffer:
        pool.submit(answer, json.loads(line))
    os._exit(0)


def _found(path: Path, **wanted: bool) -> Message:
    try:
        return {"video": _plain(probe(path, **wanted))}
    except ArtifactError as error:
        return {"error": {"message": error.message, "code": error.code}}
    except Exception:  # noqa: BLE001 - told to whoever asked, as a bug
        return {"bug": traceback.format_exc()}


def _plain(video: Video) -> Message:
    plain = asdict(video)
    if video.thumbnail is not None:
        plain["thumbnail"]["content"] = base64.b64encode(video.thumbnail.content).decode()
    return plain


if __name__ == "__main__":
    run_child(int(sys.argv[1]))
