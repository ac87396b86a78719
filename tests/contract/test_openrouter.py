"""What we send to OpenRouter, and what its emulator answers, against the types of OpenRouter's own package."""

from __future__ import annotations

import io
import json

import httpx2
import pytest
from PIL import Image

components = pytest.importorskip("openrouter.components", reason="OpenRouter's own types: pip install openrouter")

from runner.config.shipped import names, option  # noqa: E402 - without the types there is nothing to import for
from runner.providers.body import build  # noqa: E402

MODELS = [name for name in names("model") if "openrouter" in option("model", name)["offers"]]
KEY = {"authorization": "Bearer sk-or-v1-any"}
UNSET = {"metadata", "provider"}


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def held(kind, body) -> None:
    """Assert that each field is the type's own, known by name, and comes out of it as it went in."""
    known = {field.alias or name for name, field in kind.model_fields.items()}
    assert body.keys() <= known, body.keys() - known
    assert json.loads(kind.model_validate(body).model_dump_json(by_alias=True, exclude_none=True)) == body


def kind_of(config):
    video = config.request.kind == "video"
    return components.VideoGenerationRequest if video else components.ImageGenerationRequest


@pytest.mark.parametrize("model", MODELS)
def test_every_model_s_usual_request(loaded, composed, model):
    config = loaded("provider=openrouter", f"model={model}", f"request={composed(f'model={model}')['model']['kind']}")
    held(kind_of(config), build(config).document)


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=veo-3.1", "request.seed=7", "request.generate_audio=false", "request.resolution=4K"],
        ["model=veo-3.1", "request.size=1920x1080"],
        ["model=veo-3.1", "request.image_list=[PICTURE]"],
        ["model=veo-3.1", "request.image_list=[PICTURE]", "request.prompt="],
        [
            "model=veo-3.1",
            "request.image_list=[{role: first_frame, image: PICTURE},{role: last_frame, image: PICTURE}]",
        ],
        ["model=veo-3.1", "request.image_list=[PICTURE,PICTURE]"],
        ["model=qwen-image-3", "request=image", "request.image_list=[PICTURE]", "request.n=2", "request.seed=3"],
        ["model=grok-imagine-image-2.0", "request=image", "request.quality=low", "request.resolution=1K"],
        ["model=seedream-5-5", "request=image", "request.background=transparent", "request.output_format=png"],
    ],
)
def test_whatever_else_is_asked_for(loaded, picture, overrides):
    config = loaded("provider=openrouter", *(each.replace("PICTURE", str(picture)) for each in overrides))
    held(kind_of(config), build(config).document)


def test_passthrough_options(loaded):
    options = "+request.extra_params.provider={options: {google-vertex: {negativePrompt: rain}}}"
    body = build(loaded("provider=openrouter", "model=veo-3.1", options)).document
    told = components.VideoGenerationRequest.model_validate(body)
    assert told.provider.options.google_vertex == {"negativePrompt": "rain"}


def test_the_emulator_answers_in_the_types_words(make_emulator):
    server = make_emulator(dialect="openrouter", latency=0)
    with httpx2.Client(base_url=server.base_url, headers=KEY) as http:
        made = http.post(
            "/videos", json={"model": "google/veo-3.1", "prompt": "a boat", "duration": 4, "size": "64x48"}
        )
        assert made.status_code == 202
        held(components.VideoGenerationResponse, made.json())
        done = http.get(f"/videos/{made.json()['id']}").json()
        assert done["status"] == "completed"
        held(components.VideoGenerationResponse, done)
        image = http.post("/images", json={"model": "qwen/qwen-image-3", "prompt": "a boat", "size": "64x48"}).json()
    assert components.ImageGenerationResponse.model_validate(image).usage.cost == 0.03
    assert io.BytesIO(image["data"][0]["b64_json"].encode()).getvalue()


def test_the_emulator_s_lists_are_of_the_types(make_emulator):
    server = make_emulator(dialect="openrouter")
    with httpx2.Client(base_url=server.base_url, headers=KEY) as http:
        videos, images = (http.get(f"/{kind}/models").json()["data"] for kind in ("videos", "images"))
        served = http.get(f"/images/models/{images[0]['id']}/endpoints").json()
    prices = {name for each in videos for name in each["pricing_skus"]}
    assert {
        "duration_seconds_with_audio",
        "duration_seconds_with_audio_4k",
        "video_tokens",
        "video_tokens_4k",
    } <= prices
    known = components.VideoModel.model_fields.keys()
    assert {name for each in videos for name in each} <= known
    assert {name for each in images for name in each} <= components.ImageModelListItem.model_fields.keys()
    assert components.ImagePricingEntry.model_validate(served["endpoints"][0]["pricing"][0]).unit == "image"
