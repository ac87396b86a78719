"""What the emulator does as xAI."""

from __future__ import annotations

import httpx2
import pytest

BODY = {"model": "grok-imagine-video", "prompt": "A paper boat", "duration": 1, "resolution": "480p"}
KEY = {"authorization": "Bearer xai-1"}


@pytest.fixture
def http(make_emulator):
    server = make_emulator(dialect="xai", latency=0)
    with httpx2.Client(base_url=server.base_url, headers=KEY) as client:
        yield client


def test_a_request_has_an_id_and_its_file_an_address_alone(http):
    job = http.post("/videos/generations", json=BODY).json()
    assert job.keys() == {"request_id"}
    told = http.get(f"/videos/{job['request_id']}").json()
    assert (told["status"], told["usage"]) == ("done", {"cost_in_usd_ticks": 500_000_000})
    assert httpx2.get(told["video"]["url"]).content[4:8] == b"ftyp"
    assert http.get(f"/videos/{job['request_id']}/content").status_code in (404, 405)
    assert http.get("/videos").status_code in (404, 405)


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"size": "1280x720"}, 400, "Unknown parameter: 'size'"),
        ({"seed": 1}, 400, "Unknown parameter: 'seed'"),
        ({"model": "sora-2"}, 404, "does not exist"),
        ({"resolution": "1080p"}, 400, "Invalid value"),
        ({"duration": 16}, 400, "Invalid value"),
        ({"prompt": None}, 400, "prompt is required"),
        ({"image": {"url": "https://a.example/b.png"}}, 400, "fetches nothing"),
    ],
)
def test_what_is_wrong_is_refused_in_its_own_envelope(http, changed, status, said):
    answer = http.post("/videos/generations", json={**BODY, **changed})
    assert answer.status_code == status
    assert answer.json().keys() == {"code", "error"}
    assert said in answer.json()["error"]


def test_edits_take_json_only_and_need_an_image(http):
    body = {"model": "grok-imagine-image-2.0", "prompt": "At night"}
    assert http.post("/images/edits", json=body).status_code == 400
    files = {name: (None, value) for name, value in body.items()}
    assert http.post("/images/edits", files=files).status_code == 415
