"""What a video request is on the wire: address, query, headers and body, for each spelling, version and credential."""

from __future__ import annotations

import hashlib
import itertools
import json
import warnings

import pytest

from runner.errors import ConfigError
from runner.providers.base import Job, JobStatus

RESOURCE = "https://res.openai.azure.com"
JWT = "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2ln"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)

SPELLINGS = ["", "/", "/openai", "/openai/", "/openai/v1", "/openai/v1/", "/openai/deployments/other"]
IN_URL = [None, "preview", "2025-04-01-preview"]
IN_CONFIG = [None, "preview", "v1", "2024-05-01-preview"]
AUTHS = [
    ({"AZURE_OPENAI_API_KEY": "k3y-k3y-k3y"}, "api-key", "k3y-k3y-k3y"),
    ({"AZURE_OPENAI_API_KEY": JWT}, "authorization", f"Bearer {JWT}"),
    ({"AZURE_OPENAI_AD_TOKEN": "opaque-token"}, "authorization", "Bearer opaque-token"),
]


def completed(job_id: str = "video_1") -> Job:
    return Job(job_id, JobStatus.COMPLETED, "completed")


async def act(provider, config, operation: str) -> None:
    match operation:
        case "create":
            await provider.submit(config)
        case "retrieve":
            await provider.retrieve("video_1")
        case "content":
            async with provider.content(completed()) as content:
                assert [chunk async for chunk in content.chunks()] == [b"mp4"]


PATHS = {
    "create": ("POST", "/openai/v1/videos", {}),
    "retrieve": ("GET", "/openai/v1/videos/video_1", {}),
    "content": ("GET", "/openai/v1/videos/video_1/content", {"variant": "video"}),
}


@pytest.mark.parametrize("operation", PATHS)
@pytest.mark.parametrize(("env", "header", "value"), AUTHS)
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_azure_videos_live_on_the_v1_route_however_the_endpoint_is_spelt(
    wire, connect, config_of, operation, env, header, value, spelling
):
    for in_url, in_config in itertools.product(IN_URL, IN_CONFIG):
        wire.requests.clear()
        if operation == "content":
            wire.replies(200, content=b"mp4", headers={"content-type": "video/mp4"})
        url = RESOURCE + spelling + (f"?api-version={in_url}" if in_url else "")
        config = config_of({"kind": "azure_openai", "base_url": url, "api_version": in_config}, {"deployment": "prod"})

        await act(connect(config, env), config, operation)

        method, path, query = PATHS[operation]
        version = in_url or in_config
        expected = query | ({"api-version": version} if version in ("preview", "v1") else {})
        assert wire.sent.method == method
        assert f"{wire.sent.url.scheme}://{wire.sent.url.host}{wire.sent.url.path}" == RESOURCE + path
        assert dict(wire.sent.url.params) == expected
        assert wire.sent.headers[header] == value
        assert ("authorization" in wire.sent.headers) is (header == "authorization")
        assert ("api-key" in wire.sent.headers) is (header == "api-key")
        if operation == "create":
            assert wire.fields["model"] == "prod"


@pytest.mark.parametrize(
    ("base_url", "root"),
    [(None, "https://api.openai.com/v1"), ("http://localhost:8000/v1/", "http://localhost:8000/v1")],
)
@pytest.mark.parametrize(("operation", "path"), [("create", "/videos"), ("retrieve", "/videos/video_1")])
async def test_openai_gets_a_bearer_key_and_its_account_headers(
    wire, connect, config_of, key, base_url, root, operation, path
):
    config = config_of({"base_url": base_url, "organization": "org-1", "project": "proj-1"})
    await act(connect(config), config, operation)
    assert str(wire.sent.url) == root + path
    assert wire.sent.headers["authorization"] == f"Bearer {key}"
    assert "api-key" not in wire.sent.headers
    assert (wire.sent.headers["openai-organization"], wire.sent.headers["openai-project"]) == ("org-1", "proj-1")


async def test_nothing_of_openai_s_environment_reaches_azure(wire, connect, config_of, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "of-openai-only")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example/v1")
    config = config_of({"kind": "azure_openai", "base_url": RESOURCE})
    await connect(config).submit(config)
    assert wire.sent.url.host == "res.openai.azure.com"
    assert "of-openai-only" not in str(wire.sent.headers.raw) + str(wire.sent.content)


async def test_a_video_is_created_with_seconds_and_size_as_text(wire, connect, config_of):
    config = config_of(duration_seconds=8, aspect_ratio="16:9")
    job = await connect(config).submit(config)
    assert wire.fields == {"prompt": "a cat", "model": "sora-2", "seconds": "8", "size": "1280x720"}
    assert (job.id, job.status) == ("video_1", JobStatus.QUEUED)


async def test_keys_that_were_not_given_are_not_sent(wire, connect, config_of):
    config = config_of()
    await connect(config).submit(config)
    assert wire.fields == {"prompt": "a cat", "model": "sora-2"}


async def test_extra_parameters_become_form_fields(wire, connect, config_of):
    config = config_of(extra_params={"fps": 24, "guidance_scale": 1.5})
    await connect(config).submit(config)
    assert wire.fields["fps"] == "24"
    assert wire.fields["guidance_scale"] == "1.5"


async def test_keys_beyond_the_api_are_sent_where_the_model_honours_them(wire, connect, config_of):
    config = config_of(model={"parameters": ["seed"]}, seed=7, negative_prompt="rain")
    await connect(config).submit(config)
    assert wire.fields["seed"] == "7"
    assert "negative_prompt" not in wire.fields


async def test_a_local_image_is_uploaded_under_its_real_type(wire, connect, config_of, tmp_path):
    (tmp_path / "first.jpg").write_bytes(PNG)
    config = config_of(image_list=[str(tmp_path / "first.jpg")], size="1280x720")
    provider = connect(config)
    await provider.submit(config)
    assert ("input_reference", "first.png", "image/png", PNG) in wire.form
    record = provider.body(config)
    assert record["input_reference"] == {"file": "first.png", "bytes": 16, "sha256": hashlib.sha256(PNG).hexdigest()}
    assert json.dumps(record)


async def test_a_data_url_is_uploaded_as_a_file(wire, connect, config_of):
    config = config_of(image_list=["data:image/png;base64,iVBORw0KGgoAAAAAAAAAAA=="])
    await connect(config).submit(config)
    assert ("input_reference", "image.png", "image/png", PNG) in wire.form


async def test_an_image_s_address_is_sent_as_json(wire, connect, config_of):
    config = config_of(image_list=["https://images.example/cat.png"], duration_seconds=4)
    await connect(config).submit(config)
    assert wire.sent.headers["content-type"] == "application/json"
    assert json.loads(wire.sent.content) == {
        "prompt": "a cat",
        "model": "sora-2",
        "seconds": "4",
        "input_reference": {"image_url": "https://images.example/cat.png"},
    }


async def test_a_second_image_is_refused_before_anything_is_sent(wire, connect, config_of):
    config = config_of(image_list=["https://a.example/1.png", "https://a.example/2.png"])
    with pytest.raises(ConfigError, match="1 reference image, got 2"):
        await connect(config).submit(config)
    assert wire.requests == []


async def test_a_remix_starts_from_the_source_video(wire, connect, config_of):
    config = config_of(video="video_src", duration_seconds=8)
    provider = connect(config)
    await provider.submit(config)
    assert wire.sent.url.path == "/v1/videos/video_src/remix"
    assert json.loads(wire.sent.content) == {"prompt": "a cat"}
    assert provider.body(config)["video"] == "video_src"


async def test_long_opaque_ids_are_neither_cut_nor_parsed(wire, connect, config_of):
    long_id = "video_" + "bGl0ZWxsbTpjdXN0b20" * 12 + "/x?y"
    await connect(config_of()).retrieve(long_id)
    assert wire.sent.url.raw_path.decode() == f"/v1/videos/{long_id.replace('/', '%2F').replace('?', '%3F')}"


async def test_the_sdk_s_deprecation_warning_is_not_emitted_and_not_filtered(wire, connect, config_of):
    config = config_of()
    provider = connect(config)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await provider.submit(config)
        await provider.retrieve("video_1")
    assert [str(warning.message) for warning in caught] == []


async def test_a_job_s_headers_are_read(wire, connect, config_of):
    wire.replies(
        200, json={"id": "v", "status": "queued"}, headers={"openai-poll-after-ms": "250", "x-request-id": "r"}
    )
    job = await connect(config_of()).retrieve("v")
    assert (job.poll_after, job.request_id) == (0.25, "r")
