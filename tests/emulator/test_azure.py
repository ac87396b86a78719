from __future__ import annotations

import base64
import json

import httpx2
import openai
import pytest

PROMPT = "A timelapse of a city skyline from dawn to dusk"
TOKEN = "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJ0ZXN0In0.c2lnbmF0dXJl"


@pytest.fixture
def v1(emulator) -> str:
    return f"{emulator.azure_url}/openai/v1/"


def test_videos_on_the_v1_surface_with_a_resource_key(v1, connect_azure, wait):
    client = connect_azure(base_url=v1, api_version="preview", api_key="key")
    job = wait(client, client.videos.create(prompt=PROMPT, model="my-sora", seconds="4", size="1280x720"))
    assert client.videos.download_content(job.id).read()[4:8] == b"ftyp"


def test_videos_on_the_v1_surface_with_a_token(v1, connect):
    assert connect(v1, api_key=TOKEN).videos.create(prompt=PROMPT, model="my-sora").model == "my-sora"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"api-key": TOKEN},
        {"authorization": "Bearer key"},
        {"api-key": "wrong"},
        {"authorization": f"Basic {TOKEN}"},
    ],
)
def test_other_credentials_are_refused(make_emulator, headers):
    url = make_emulator(api_key="right").azure_url + "/openai/v1/videos"
    answer = httpx2.get(url, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "401")
    assert httpx2.get(url, headers={"api-key": "right"}).status_code == 200


@pytest.mark.parametrize(("claims", "status"), [({"exp": 1001}, 200), ({"exp": 1000}, 401), ({}, 200), ([], 200)])
def test_a_token_is_refused_once_it_has_expired(make_emulator, claims, status):
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    url = make_emulator(now=lambda: 1000.0).azure_url + "/openai/v1/videos"
    answer = httpx2.get(url, headers={"authorization": f"Bearer eyJhbGciOiJub25lIn0.{payload}.c2ln"})
    assert answer.status_code == status


@pytest.mark.parametrize(("version", "status"), [("preview", 200), ("v1", 200), ("2024-05-01-preview", 400), ("", 400)])
def test_api_versions_of_the_v1_surface(v1, version, status):
    answer = httpx2.get(f"{v1}videos", params={"api-version": version}, headers={"api-key": "key"})
    assert answer.status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/openai/videos?api-version=2024-05-01-preview",
        "/openai/v1/openai/videos",
        "/openai/v1/deployments/d/images/generations",
        "/openai/deployments/d/videos?api-version=2025-04-01-preview",
        "/videos",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_routes_that_do_not_exist(emulator, method, path):
    answer = httpx2.request(method, emulator.azure_url + path, headers={"api-key": "key"})
    assert answer.status_code == 404
    assert "message" in answer.json()["error"]


def test_an_unknown_deployment_is_not_found(make_emulator, connect_azure):
    url = make_emulator(deployments=("my-sora",)).azure_url
    client = connect_azure(base_url=f"{url}/openai/v1/", api_version="v1", api_key="key")
    assert client.videos.create(prompt=PROMPT, model="my-sora").model == "my-sora"
    with pytest.raises(openai.NotFoundError) as caught:
        client.videos.create(prompt=PROMPT, model="other")
    assert caught.value.code == "DeploymentNotFound"


def test_images_on_the_dated_route(emulator, connect_azure):
    client = connect_azure(azure_endpoint=emulator.azure_url, api_version="2025-04-01-preview", api_key="key")
    answer = client.images.generate(model="my-images", prompt=PROMPT, size="1024x1024")
    assert answer.data[0].b64_json
    assert "POST /openai/deployments/{deployment}/images/generations" in emulator.ledger()["requests"]


@pytest.mark.parametrize(("query", "status"), [("", 404), ("?api-version=v1", 400)])
def test_the_dated_route_wants_a_date(emulator, query, status):
    url = f"{emulator.azure_url}/openai/deployments/d/images/generations{query}"
    assert httpx2.post(url, headers={"api-key": "key"}, json={"prompt": "x"}).status_code == status


def test_large_sizes_are_not_offered(v1, connect_azure):
    client = connect_azure(base_url=v1, api_version="v1", api_key="key")
    with pytest.raises(openai.BadRequestError, match="1792x1024"):
        client.videos.create(prompt=PROMPT, model="sora-2-pro", size="1792x1024")
