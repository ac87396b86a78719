"""How many files a reader must open who follows a sweep from what is typed to its first request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

WAY = Path(__file__).with_name("way.py")


TRIES = 4
"""On a busy machine the second run comes nearly as far before the first byte leaves, and is counted too."""


def test_the_way_to_the_first_request_leads_through_few_files(here, small_server):
    typed = ["-m", "request.duration_seconds=4,8", "provider=openai", f"provider.base_url={small_server.base_url}"]
    usual = ["yes=true", "provider.retired_models=off", "progress=off"]
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = {**kept, "OPENAI_API_KEY": "an-emulated-key", "PYTHONPATH": str(WAY.parents[2])}
    moves = []
    while len(moves) < TRIES and not (moves and moves[-1] <= 450):
        done = subprocess.run(
            [sys.executable, str(WAY), *typed, *usual],
            cwd=here,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(done.stdout)
        assert len(found["files"]) <= 60, found["files"]
        moves.append(found["moves"])

    # The second is not sent where the answer to the first, that nothing is here, comes before.
    assert {*small_server.paths("POST")} == {"/v1/videos"}
    assert min(moves) <= 450, moves
