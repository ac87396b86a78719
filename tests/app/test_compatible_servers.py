"""A compatible server as its user meets it: started by one command, used by another."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest


@pytest.fixture
def served(tmp_path):
    """`python -m runner emulator --dialect …` on a free port; gives its base URL."""
    started = []

    def start(dialect: str) -> str:
        command = [sys.executable, "-m", "runner", "emulator", "--dialect", dialect, "--port", "0", "--latency", "0.05"]
        process = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "COLUMNS": "120"}, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        lines = iter(process.stdout.readline, "")
        return next(found[0] for line in lines if (found := re.findall(r"http://\S+/v1", line)))

    yield start
    for process in started:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def test_an_open_model_on_a_vllm_omni_server_is_one_command(cli, served):
    url = served("vllm_omni")
    done = cli("provider=vllm_omni", "provider.poll_interval=0.05", "model=wan2.2-t2v", "request.duration_seconds=1",
               "request.size=256x144", "request.seed=7", "request.fps=16", "request.negative_prompt=rain",
               "+request.extra_params.sample_solver=euler", VLLM_OMNI_BASE_URL=url)  # fmt: skip
    assert done.code == 0, done.err
    (result,) = done.results()
    assert result["status"] == "verified"
    assert result["artifacts"][0]["width"] == 256
    assert result["artifacts"][0]["fps"] == 16
    assert result["cost"] == {"estimated_usd": None, "actual_usd": None, "estimated_from": None}
    assert json.loads(result["request_sent"]["extra_params"]) == {"sample_solver": "euler"}


def test_what_the_server_has_no_field_for_is_refused_with_where_it_can_be_had(cli):
    done = cli("provider=sglang", "model=wan2.2-t2v", "request.boundary_ratio=0.9")
    done.refused("request.boundary_ratio", "provider=vllm_omni")
