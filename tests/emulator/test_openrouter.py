"""What the emulator does as OpenRouter."""

from __future__ import annotations

import httpx2
import pytest

BODY = {"model": "google/veo-3.1", "prompt": "A paper boat", "duration": 4, "size": "128x96"}
KEY = {"authorization": "Bearer sk-or-v1-1"}


@pytest.fixture
def http(make_emulator):
    server = make_emulator(dialect="openrouter", latency=0)
    with httpx2.Client(base_url=server.base_url, headers=KEY) as client:
        yield client


def test_a_job_is_accepted_with_202_and_a_relative_address(http):
    answer = http.post("/videos", json=BODY)
    assert answer.status_code == 202
    told = answer.json()
    assert told["id"].startswith("gen-vid-")
    assert told["polling_url"] == f"/api/v1/videos/{told['id']}"


def test_the_file_wants_the_key_and_its_signed_address_does_not(http):
    job = http.post("/videos", json={**BODY, "generate_audio": True}).json()["id"]
    told = http.get(f"/videos/{job}").json()
    assert told["usage"] == {"cost": 1.6, "is_byok": False}
    address = told["unsigned_urls"][0]
    assert address.endswith(f"/videos/{job}/content?index=0")
    assert httpx2.get(address).status_code == 401
    assert httpx2.get(address, headers=KEY).content[4:8] == b"ftyp"
    assert httpx2.get(told["urls"][0]).content[4:8] == b"ftyp"


def test_there_is_no_list_no_deletion_and_no_form(http):
    assert http.get("/videos").status_code in (404, 405)
    job = http.post("/videos", json=BODY).json()["id"]
    assert http.delete(f"/videos/{job}").status_code in (404, 405)
    assert http.post("/videos/edits", json=BODY).status_code in (404, 405)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "veo"}, "veo is not a valid model ID"),
        ({"prompt": None}, "prompt: Required"),
        ({"duration": "4"}, "Invalid type for 'duration'"),
        ({"size": None, "resolution": "720"}, "resolution 720 or its aspect_ratio is not supported"),
        ({"resolution": "720p"}, "does not go with resolution"),
        ({"frame_images": [{"type": "image_url", "image_url": "https://a.example"}]}, "frame_images: Expected parts"),
        ({"frame_images": [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]}, "fetches nothing"),
    ],
)
def test_what_is_wrong_is_a_400_with_its_kind_among_the_metadata(http, changed, said):
    answer = http.post("/videos", json={**BODY, **changed})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["metadata"]) == (400, 400, {"error_type": "invalid_request"})
    assert said in error["message"]


def test_a_failed_job_says_why_in_a_text(make_emulator):
    server = make_emulator(dialect="openrouter", latency=0, rules=[{"fault": "moderation"}])
    with httpx2.Client(base_url=server.base_url, headers=KEY) as http:
        told = http.get(f"/videos/{http.post('/videos', json=BODY).json()['id']}").json()
    assert (told["status"], told["error"]) == ("failed", "Your request was blocked by our moderation system.")
    assert "usage" not in told


def test_images_tell_their_cost_and_count_as_made(make_emulator):
    server = make_emulator(dialect="openrouter")
    body = {"model": "qwen/qwen-image-3", "prompt": "A boat", "n": 2, "size": "64x48", "output_format": "webp"}
    with httpx2.Client(base_url=server.base_url, headers=KEY) as http:
        told = http.post("/images", json=body).json()
    assert [item["media_type"] for item in told["data"]] == ["image/webp"] * 2
    assert told["usage"]["cost"] == server.ledger()["image_usd"] == 0.06
