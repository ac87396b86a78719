"""How many files a reader must open who follows a sweep from what is typed to its first request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

WAY = Path(__file__).with_name("way.py")


def test_the_way_to_the_first_request_leads_through_few_files(here, small_server):
    typed = ["-m", "request.duration_seconds=4,8", "provider=openai", f"provider.base_url={small_server.base_url}"]
    # One job at a time: else the second run is on its way before the first byte leaves, and how far is chance.
    usual = ["yes=true", "provider.retired_models=off", "progress=off", "provider.max_concurrent_jobs=1"]
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = {**kept, "OPENAI_API_KEY": "an-emulated-key", "PYTHONPATH": str(WAY.parents[2])}
    done = subprocess.run(
        [sys.executable, str(WAY), *typed, *usual],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    # The second is not sent where the answer to the first, that nothing is here, comes before.
    assert {*small_server.paths("POST")} == {"/v1/videos"}
    found = json.loads(done.stdout)
    assert len(found["files"]) <= 60, found["files"]
    assert found["moves"] <= 400
