"""What an image request is on the wire."""

from __future__ import annotations

import itertools
import json

import pytest

from runner.artifacts.result import Usage

RESOURCE = "https://res.openai.azure.com"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
IMAGE = {"kind": "image"}

SPELLINGS = ["", "/", "/openai", "/openai/v1/", "/openai/deployments/other/"]
IN_URL = [None, "preview", "2025-04-01-preview"]
IN_CONFIG = [None, "v1", "2024-10-21"]
AUTHS = [("k3y-k3y-k3y", "api-key", "k3y-k3y-k3y"), ("eyJh.eyJl.c2ln", "authorization", "Bearer eyJh.eyJl.c2ln")]


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    return str(path)


@pytest.mark.parametrize("operation", ["generations", "edits"])
@pytest.mark.parametrize(("key", "header", "value"), AUTHS)
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_azure_images_take_the_deployments_route_only_for_a_dated_version(
    wire, connect, config_of, picture, operation, key, header, value, spelling
):
    for in_url, in_config in itertools.product(IN_URL, IN_CONFIG):
        wire.requests.clear()
        url = RESOURCE + spelling + (f"?api-version={in_url}" if in_url else "")
        config = config_of(
            {"kind": "azure_openai", "base_url": url, "api_version": in_config},
            IMAGE | {"deployment": "pics"},
            image_list=[picture] if operation == "edits" else [],
        )

        await connect(config, {"AZURE_OPENAI_API_KEY": key}).generate(config)

        version = in_url or in_config
        dated = version is not None and version[0] == "2"
        route = f"/openai/deployments/pics/images/{operation}" if dated else f"/openai/v1/images/{operation}"
        assert wire.sent.method == "POST"
        assert f"{wire.sent.url.scheme}://{wire.sent.url.host}{wire.sent.url.path}" == RESOURCE + route
        assert dict(wire.sent.url.params) == ({"api-version": version} if version else {})
        assert wire.sent.headers[header] == value
        assert ("authorization" in wire.sent.headers) is (header == "authorization")
        assert ("api-key" in wire.sent.headers) is (header == "api-key")
        model = wire.fields["model"] if operation == "edits" else json.loads(wire.sent.content)["model"]
        assert model == "pics"


async def test_generating_sends_every_parameter(wire, connect, config_of):
    config = config_of(
        None, IMAGE, n=3, aspect_ratio="1:1", quality="high", background="opaque", output_format="webp",
        output_compression=80, moderation="low", extra_params={"user": "me"},
    )  # fmt: skip
    await connect(config).generate(config)
    assert str(wire.sent.url) == "https://api.openai.com/v1/images/generations"
    assert json.loads(wire.sent.content) == {
        "prompt": "a cat", "model": "gpt-image-2", "n": 3, "size": "1024x1024", "quality": "high",
        "background": "opaque", "output_format": "webp", "output_compression": 80, "moderation": "low", "user": "me",
    }  # fmt: skip


@pytest.mark.parametrize(("model", "sent"), [("gpt-image-2", None), ("dall-e-3", "b64_json"), ("dall-e-2", "b64_json")])
async def test_only_dall_e_is_told_to_answer_base64(wire, connect, config_of, model, sent):
    config = config_of(None, IMAGE | {"name": model}, style="vivid")
    await connect(config).generate(config)
    body = json.loads(wire.sent.content)
    assert body.get("response_format") == sent
    assert body["style"] == "vivid"


async def test_editing_uploads_images_and_mask(wire, connect, config_of, picture, tmp_path):
    mask = tmp_path / "mask.png"
    mask.write_bytes(PNG + b"mask")
    config = config_of(
        None, IMAGE, image_list=[picture, picture], mask_image=str(mask), input_fidelity="high", moderation="low"
    )
    provider = connect(config)
    await provider.generate(config)
    files = [(name, file, kind, content) for name, file, kind, content in wire.form if file is not None]
    assert files == [
        ("image[]", "cat.png", "image/png", PNG),
        ("image[]", "cat.png", "image/png", PNG),
        ("mask", "mask.png", "image/png", PNG + b"mask"),
    ]
    assert wire.fields == {
        "prompt": "a cat", "model": "gpt-image-2", "n": "1", "input_fidelity": "high", "moderation": "low",
    }  # fmt: skip
    record = provider.body(config)
    assert [image["bytes"] for image in record["image"]] == [16, 16]
    assert record["mask"]["bytes"] == 20


async def test_text_of_the_output_and_cached_input_are_read_apart(wire, connect, config_of):
    usage = {
        "input_tokens": 1109, "output_tokens": 4000,
        "input_tokens_details": {"text_tokens": 9, "image_tokens": 1100, "cached_tokens": 800},
        "output_tokens_details": {"image_tokens": 3900, "text_tokens": 100},
    }  # fmt: skip
    wire.replies(200, json={"data": [{"b64_json": "aGk=" * 1000}], "usage": usage})
    config = config_of(None, IMAGE)
    batch = await connect(config).generate(config)
    assert batch.usage == Usage(text_in=9, image_in=1100, image_out=4000, text_out=100, cached_in=800)


async def test_images_are_read_with_usage_and_without_their_weight(wire, connect, config_of):
    details = {"text_tokens": 9, "image_tokens": 100}
    usage = {"input_tokens": 109, "output_tokens": 4000, "total_tokens": 4109, "input_tokens_details": details}
    data = [{"b64_json": "aGk=" * 1000, "revised_prompt": "a grey cat"}, {"url": "https://images.example/2"}]
    wire.replies(200, json={"created": 1, "data": data, "usage": usage}, headers={"apim-request-id": "r"})
    config = config_of(None, IMAGE)
    batch = await connect(config).generate(config)
    assert [(image.b64, image.url) for image in batch.images] == [
        ("aGk=" * 1000, None),
        (None, "https://images.example/2"),
    ]
    assert batch.images[0].revised_prompt == "a grey cat"
    assert batch.usage == Usage(text_in=9, image_in=100, image_out=4000)
    assert batch.request_id == "r"
    assert len(json.dumps(batch.raw)) < 500
