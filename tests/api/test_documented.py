"""What the documentation shows runs: the seed system's own example, and our page's on Python."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

import runner

DOCS = Path(__file__).parents[2] / "docs"

# The Azure page's quick example of tarash-gateway; `from tarash.tarash_gateway[.models]` became `from runner`.
QUICK_EXAMPLE = """
from runner import generate_video
from runner import VideoGenerationConfig, VideoGenerationRequest

config = VideoGenerationConfig(
    provider="azure_openai",
    model="my-sora-deployment",   # Your deployment name in Azure
    api_key="a-key",
    base_url="BASE_URL",
    api_version="2024-05-01-preview",
)

request = VideoGenerationRequest(
    prompt="A timelapse of a city skyline from dawn to dusk",
    duration_seconds=8,
    aspect_ratio="16:9",
)

response = generate_video(config, request)
print(response.video)
"""


@pytest.fixture
def azure(make_emulator):
    # The examples keep the default poll interval of five seconds; the server asks them to come back sooner.
    return make_emulator(latency=0, poll_after=0.01, deployments=("my-sora-deployment", "my-sora"), api_key="a-key")


def test_the_quick_example_runs_with_only_imports_key_and_base_url_changed(azure):
    names, said = {}, io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(QUICK_EXAMPLE.replace("BASE_URL", f"{azure.azure_url}/"), "example", "exec"), names)
    response = names["response"]
    assert said.getvalue() == f"<video/mp4, {len(response.video):,} bytes, {response.path}>\n"
    assert response.video[4:8] == b"ftyp"
    assert (response.duration, response.resolution) == (8.0, "1280x720")
    assert azure.ledger()["jobs"] == 1


def test_the_example_of_the_page_on_python_runs(azure, tmp_path, monkeypatch, caplog, capsys):
    page = DOCS / "python-api.md"
    if not page.exists():
        pytest.skip("there is no documentation beside the tests")
    found = re.search(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found, "the page has no example"
    monkeypatch.chdir(tmp_path)
    program = found[1].replace("https://RESOURCE.openai.azure.com", azure.azure_url).replace("…", "a-key")
    exec(compile(program, "python-api.md", "exec"), {})
    assert (tmp_path / "skyline.mp4").read_bytes()[4:8] == b"ftyp"
    assert caplog.text == ""
    assert capsys.readouterr().out.splitlines()[-1] == "0.8"


def test_what_the_page_for_tarashs_users_names_is_public():
    page = DOCS / "tarash.md"
    if not page.exists():
        pytest.skip("there is no documentation beside the tests")
    same, _, table = page.read_text(encoding="utf-8").partition("What differs on purpose:")
    here = same + "".join(row.split("|")[2] for row in table.splitlines() if row.count("|") > 3)
    words = r"[A-Z][A-Za-z]+(?:Error|Response|Metadata|Type|Content|Callback|Handler|Config)"
    named = set(re.findall(rf"`({words}|(?:generate|register)_\w+|Resolution|AspectRatio)\b", here))
    assert named <= {*runner.__all__, "TimeoutError", "ValidationError"}
    assert {"RunnerError", "JobTimeoutError", "register_provider", "AspectRatio"} <= named
