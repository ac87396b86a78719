"""The emulator's answers against OpenAI's published contract."""

from __future__ import annotations

import json

import httpx2
import pytest

PROMPT = "A timelapse of a city skyline from dawn to dusk"


@pytest.fixture
def http(emulator):
    with httpx2.Client(base_url=emulator.base_url, headers={"authorization": "Bearer key"}) as client:
        yield client


def test_jobs_in_every_state(check, make_emulator, clock):
    emulator = make_emulator(now=clock, latency=100, time_scale=1)
    with httpx2.Client(base_url=emulator.base_url, headers={"authorization": "Bearer key"}) as http:
        job = http.post("/videos", json={"prompt": PROMPT}).json()
        failed = http.post("/videos", json={"prompt": PROMPT}, headers={"x-emulator-fault": "moderation"}).json()
        for elapsed in (0, 50, 100):
            clock.time = job["created_at"] + elapsed
            for made in (job, failed):
                check("VideoResource", http.get(f"/videos/{made['id']}").json())
        check("VideoResource", http.post(f"/videos/{job['id']}/remix", json={"prompt": "x"}).json())
        check("VideoListResource", http.get("/videos").json())
        check("DeletedVideoResource", http.delete(f"/videos/{job['id']}").json())


def test_an_empty_list(check, http):
    check("VideoListResource", http.get("/videos").json())
    check("VideoListResource", http.get("/videos?limit=0").json())


def test_images(check, http):
    body = {"model": "gpt-image-1.5", "prompt": PROMPT, "size": "1536x1024"}
    check("ImagesResponse", http.post("/images/generations", json=body).json())


def test_image_events(check, http):
    body = {"model": "gpt-image-2", "prompt": PROMPT, "stream": True, "partial_images": 1}
    lines = http.post("/images/generations", json=body).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert len(events) == 2
    for event in events:
        check("ImageGenStreamEvent", event)


def test_every_path_of_the_contract_is_served(contract, http):
    for path, methods in contract["paths"].items():
        for method in set(methods) & {"get", "post", "delete"}:
            answer = http.request(method, path.replace("{video_id}", "v").replace("{character_id}", "c"))
            assert "Invalid URL" not in answer.text or path == "/images/variations", (method, path)
