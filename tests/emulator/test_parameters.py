from __future__ import annotations

import io

import httpx2
import openai
import pytest
from PIL import Image

PROMPT = "A timelapse of a city skyline from dawn to dusk"


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "prompt", "missing_required_parameter"),
        ({"prompt": ""}, "prompt", "empty_string"),
        ({"prompt": "x" * 32_001}, "prompt", "string_above_max_length"),
        ({"prompt": 7}, "prompt", "invalid_type"),
        ({"prompt": "x", "seconds": "5"}, "seconds", "invalid_value"),
        ({"prompt": "x", "seconds": 8}, "seconds", "invalid_type"),
        ({"prompt": "x", "size": "1x1"}, "size", "invalid_value"),
        ({"prompt": "x", "size": "1792x1024"}, "size", "invalid_value"),
        ({"prompt": "x", "seed": 1}, "seed", "unknown_parameter"),
        ({"prompt": "x", "input_reference": {"image_url": "https://example.com/a.png"}}, "input_reference", None),
        ({"prompt": "x", "input_reference": {"image_url": "data:image/png;base64,AAAA"}}, "input_reference", None),
    ],
)
def test_bad_video_parameters_are_named(emulator, client, body, param, code):
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/videos", body=body, cast_to=dict)
    assert caught.value.param == param
    assert code is None or caught.value.code == code
    assert emulator.ledger()["jobs"] == 0


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.videos.create(prompt=PROMPT, model="veo-9")
    assert caught.value.code == "model_not_found"


def test_the_models_that_exist_can_be_chosen(make_emulator, connect):
    client = connect(make_emulator(models=("veo-9",)).base_url)
    assert client.videos.create(prompt=PROMPT, model="veo-9").model == "veo-9"
    assert [model.id for model in client.models.list()] == ["veo-9"]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("sora-2")


def test_a_reference_image_must_have_the_size_asked_for(emulator, client):
    picture = ("a.png", png(1280, 720), "image/png")
    assert client.videos.create(prompt=PROMPT, size="1280x720", input_reference=picture).size == "1280x720"
    with pytest.raises(openai.BadRequestError, match="must match") as caught:
        client.videos.create(prompt=PROMPT, size="720x1280", input_reference=picture)
    assert caught.value.param == "input_reference"


def test_a_reference_that_is_no_image_is_refused(client):
    with pytest.raises(openai.BadRequestError, match="Unsupported file"):
        client.videos.create(prompt=PROMPT, input_reference=("a.png", b"not a picture", "image/png"))


def test_any_unicode_can_be_drawn(client, wait):
    prompt = "ünïcode 漢字 \U0001f680 \u202e\x00\x1b[31m\n" + "x" * 500
    job = wait(client, client.videos.create(prompt=prompt))
    assert job.prompt == prompt
    assert client.videos.download_content(job.id, variant="thumbnail").read()[8:12] == b"WEBP"


def test_a_lone_surrogate_is_refused(emulator):
    answer = httpx2.post(
        f"{emulator.base_url}/videos",
        headers={"authorization": "Bearer k", "content-type": "application/json"},
        content=b'{"prompt": "\\ud800"}',
    )
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "prompt")


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_refused(emulator, content):
    headers = {"authorization": "Bearer k", "content-type": "application/json"}
    assert httpx2.post(f"{emulator.base_url}/videos", headers=headers, content=content).status_code == 400


@pytest.mark.parametrize("query", ["limit=101", "limit=x", "order=up", "variant=gif"])
def test_bad_queries_are_refused(emulator, client, query):
    path = f"videos/{client.videos.create(prompt=PROMPT).id}/content" if "variant" in query else "videos"
    answer = httpx2.get(f"{emulator.base_url}/{path}?{query}", headers={"authorization": "Bearer k"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, query.partition("=")[0])


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, None), ({"authorization": "Bearer wrong"}, "invalid_api_key"), ({"api-key": "right"}, None)],
)
def test_v1_wants_the_key_as_a_bearer(make_emulator, headers, code):
    url = make_emulator(api_key="right").base_url + "/models"
    answer = httpx2.get(url, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert httpx2.get(url, headers={"authorization": "Bearer right"}).status_code == 200
