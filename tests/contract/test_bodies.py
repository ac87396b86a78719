"""What we send, taken off the wire, against the operation that OpenAI publishes."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from runner.config.run import RunConfig
from runner.providers.registry import create

PNG = "data:image/png;base64,iVBORw0KGgoAAAAAAAAAAA=="
CLEAR = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQAB"
    "pfZFQAAAAABJRU5ErkJggg=="
)
"""One transparent pixel."""
ENV = {"OPENAI_API_KEY": "sk-1", "AZURE_OPENAI_API_KEY": "k-1"}
AZURE = ("provider=azure_openai", "provider.base_url=https://res.openai.azure.com")


def sent(config: RunConfig) -> httpx2.Request:
    """The one request that a run makes, its answer being any."""
    requests = []

    async def keep(request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        requests.append(request)
        return httpx2.Response(200, json={"id": "video_1", "status": "queued", "data": [{"b64_json": "aGk="}]})

    async def act() -> None:
        provider = create(config.provider, ENV, transport=httpx2.MockTransport(keep))
        await (provider.submit(config) if config.request.kind == "video" else provider.generate(config))
        await provider.close()

    asyncio.run(act())
    (request,) = requests
    return request


@pytest.mark.parametrize("provider", [("provider=openai",), AZURE])
@pytest.mark.parametrize(
    ("overrides", "fields"),
    [
        (["request.duration_seconds=null", "request.aspect_ratio=null"], {"prompt", "model"}),
        (["request=portrait"], {"prompt", "model", "seconds", "size"}),
        (["model=sora-2-pro", "request=cinematic"], {"prompt", "model", "seconds", "size"}),
        ([f"request.image_list=['{PNG}']"], {"prompt", "model", "seconds", "size", "input_reference"}),
        (["request.image_list=['https://a.example/1.png']"], {"prompt", "model", "seconds", "size", "input_reference"}),
        (["request.video=video_1"], {"prompt"}),
        (["request.video=video_1", "request.operation=edit"], {"prompt", "video"}),
        (["request.video=video_1", "request.operation=extend"], {"prompt", "seconds", "video"}),
    ],
)
def test_video_requests(operations, loaded, provider, overrides, fields):
    body = operations.check(sent(loaded(*provider, *overrides)))
    assert body.keys() == fields


@pytest.mark.parametrize("provider", [("provider=openai",), AZURE])
@pytest.mark.parametrize(
    "overrides",
    [
        ["model=gpt-image-2"],
        ["model=gpt-image-2", "request.size=1536x864", "request.quality=high", "request.n=3"],
        ["model=gpt-image-1.5", "request.background=transparent", "request.output_format=webp",
         "request.output_compression=80", "request.moderation=low"],
        ["model=gpt-image-2", f"request.image_list=['{PNG}','{PNG}']", "request.quality=low"],
        ["model=gpt-image-2", f"request.image_list=['{CLEAR}']", f"request.mask_image='{CLEAR}'"],
        ["model=gpt-image-2", "request.partial_images=3"],
        ["model=gpt-image-1.5", f"request.image_list=['{PNG}']", "request.partial_images=0",
         "request.input_fidelity=high", "request.output_format=jpeg", "request.output_compression=0"],
    ],
)  # fmt: skip
def test_image_requests(operations, loaded, provider, overrides):
    operations.check(sent(loaded(*provider, "request=image", *overrides)))


@pytest.mark.parametrize("images", [[], [f"request.image_list=['{CLEAR}']", f"request.markup_image='{CLEAR}'"]])
def test_parameters_that_are_younger_than_the_contract(operations, loaded, images):
    younger = ["request.safety_identifier=user-7", "request.complexity=low"]
    config = loaded("provider=openai", "request=image", "model=gpt-image-2.5-flare", *images, *younger)
    beyond = frozenset({"safety_identifier", "complexity", "markup"})
    assert operations.check(sent(config), beyond=beyond).keys() >= {"safety_identifier", "complexity"}
