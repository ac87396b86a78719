"""Any config at all: it is refused with a message that names a key, or what is sent is what the contract accepts."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.config.capability import check
from runner.config.dialect import DIALECTS
from runner.config.loading import load
from runner.config.run import RunConfig
from runner.emulator.body import ReceivedBody
from runner.emulator.manner import MANNERS, read_order
from runner.providers.body import build_for, check_body
from runner.providers.registry import create

EXAMPLES = settings(max_examples=200, suppress_health_check=list(HealthCheck))
ENV = {"OPENAI_API_KEY": "sk-1", "AZURE_OPENAI_API_KEY": "k-1"}
AZURE = {"kind": "azure_openai", "base_url": "https://res.openai.azure.com"}
PNG = "data:image/png;base64,iVBORw0KGgoAAAAAAAAAAA=="
CLEAR = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQAB"
    "pfZFQAAAAABJRU5ErkJggg=="
)
"""One transparent pixel."""
YOUNGER = frozenset({"safety_identifier", "complexity", "markup"})
"""Parameters that the contract does not have yet."""
IMAGES = [PNG, "https://a.example/1.png", "data:text/plain,no", "/nowhere/at/all.png"]
PUBLISHED_LATER = ("xhigh", "max")
"""Qualities of models that are younger than the contract."""

VIDEO_MODELS = ["sora-2", "sora-2-pro"]
IMAGE_MODELS = ["gpt-image-2", "gpt-image-2.6-flare", "gpt-image-1.5", "gpt-image-1-mini", "dall-e-3", "dall-e-2"]
OPEN_MODELS = ["wan2.2-t2v", "wan2.2-i2v", "ltx-2", "hunyuanvideo-1.5"]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
prompts = text | st.sampled_from(["A paper boat", "x" * 1001, "x" * 4001, "x" * 32_001])
sizes = st.sampled_from(["720x1280", "1280x720", "1792x1024", "1024x1024", "1536x1024", "256x256", "1000x10", "auto"])
sizes |= st.builds("{}x{}".format, st.integers(1, 5000), st.integers(1, 5000)) | text
ratios = st.sampled_from(["16:9", "9:16", "1:1", "16:10", "7:3", 969])
whole = st.integers(-2, 200) | st.booleans()
amounts = st.floats(-1, 30) | st.sampled_from([float("nan"), float("inf")])
words = st.sampled_from(
    [
        "low",
        "medium",
        "high",
        "auto",
        "xhigh",
        "standard",
        "hd",
        "vivid",
        "transparent",
        "opaque",
        "png",
        "jpeg",
        "webp",
    ]
)
extras = st.dictionaries(st.sampled_from(["size", "n", "seed", "prompt", "mask"]), text, max_size=2)

SHARED = {
    "prompt": prompts, "size": sizes, "aspect_ratio": ratios, "seed": whole, "negative_prompt": text,
    "image_list": st.lists(st.sampled_from(IMAGES), max_size=3), "extra_params": extras,
}  # fmt: skip
VIDEO = SHARED | {
    "duration_seconds": st.sampled_from([4, 8, 12]) | whole, "video": st.just("video_1"),
    "operation": st.sampled_from(["remix", "edit", "extend"]), "image_fit": st.sampled_from(["error", "crop", "pad"]),
    "generate_audio": st.booleans(), "resolution": text, "enhance_prompt": st.booleans(), "duration": whole,
}  # fmt: skip
IMAGE = SHARED | {
    "n": whole, "quality": words, "style": words, "background": words, "output_format": words, "moderation": words,
    "output_compression": whole, "input_fidelity": words, "mask_image": st.sampled_from([CLEAR, *IMAGES]),
    "markup_image": st.sampled_from([CLEAR, *IMAGES]), "complexity": words, "safety_identifier": text,
    "partial_images": st.integers(-1, 4), "image_list": st.lists(st.sampled_from([CLEAR, *IMAGES]), max_size=3),
}  # fmt: skip
OPEN = {
    "prompt": st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40),
    "size": st.builds("{}x{}".format, st.integers(1, 80).map(lambda n: 16 * n), st.integers(1, 1280)),
    "aspect_ratio": ratios, "duration_seconds": st.none() | whole, "num_frames": whole, "fps": whole,
    "seed": st.integers(-(2**40), 2**40), "negative_prompt": text, "num_inference_steps": whole,
    "guidance_scale": amounts, "guidance_scale_2": amounts, "true_cfg_scale": amounts, "flow_shift": amounts,
    "boundary_ratio": amounts, "generate_audio": st.booleans(), "enhance_prompt": st.booleans(),
    "lora": st.dictionaries(text, st.integers() | text | st.lists(text, max_size=2), max_size=3),
    "extra_params": st.dictionaries(
        st.sampled_from(["solver", "user", "cache_dit_params"]),
        st.integers() | text | st.dictionaries(text, text, max_size=2), max_size=2,
    ),
}  # fmt: skip


def requests(kind: str, keys: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    optional = {name: values for name, values in keys.items() if name != "prompt"}
    # Few keys at a time: of many, one would always be wrong, and nothing would ever be sent.
    few = st.lists(st.sampled_from(sorted(optional)), max_size=4, unique=True)
    chosen = few.flatmap(lambda names: st.fixed_dictionaries({name: optional[name] for name in names}))
    return st.builds(lambda prompt, rest: {"kind": kind, "prompt": prompt, **rest}, keys["prompt"], chosen)


def accepted(container: dict[str, Any]) -> RunConfig | None:
    """The config if nothing is wrong with it; asserts that whatever is wrong names its key."""
    config, problems = load(container)
    if config is not None:
        problems = [*check(config), *check_body(config)]
    errors = [problem for problem in problems if problem.severity == "error"]
    for error in errors:
        assert error.key.partition(".")[0] in ("request", "model", "provider"), error
        assert error.message
    assert config is not None or errors
    return None if errors else config


def to_download(config: RunConfig) -> bool:
    """Whether the engine would fetch an image before the request is made."""
    request = config.request
    images = (*request.image_list, getattr(request, "mask_image", None), getattr(request, "markup_image", None))
    return request.kind == "image" and any(image is not None and image.startswith("https") for image in images)


def wire(config: RunConfig) -> httpx2.Request:
    """What is sent for a run."""
    seen = []

    async def keep(request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        seen.append(request)
        return httpx2.Response(200, json={"id": "v", "status": "queued", "data": [{"url": "https://a.example/1"}]})

    async def act() -> None:
        provider = create(config.provider, ENV, transport=httpx2.MockTransport(keep))
        await (provider.submit(config) if config.request.kind == "video" else provider.generate(config))
        await provider.close()

    asyncio.run(act())
    return seen[0]


@pytest.fixture(scope="module")
def models():
    """The shipped models as plain containers, by name."""
    import yaml

    from runner.config.shipped import CONF

    paths = sorted((CONF / "model").glob("*.yaml"))
    return {path.stem: yaml.safe_load(path.read_text()) for path in paths}


@pytest.mark.parametrize(("kind", "names", "keys"), [("video", VIDEO_MODELS, VIDEO), ("image", IMAGE_MODELS, IMAGE)])
def test_openai_and_azure(operations, models, kind, names, keys):
    sent = 0

    @EXAMPLES
    @given(
        provider=st.sampled_from([{"kind": "openai"}, AZURE]),
        model=st.sampled_from(names),
        request=requests(kind, keys),
    )
    def holds(provider, model, request):
        nonlocal sent
        container = {"provider": provider | {"retired_models": "off"}, "model": models[model], "request": request}
        config = accepted(container)
        if config is None or request.get("quality") in PUBLISHED_LATER or to_download(config):
            return
        sent += 1
        operations.check(wire(config), beyond=YOUNGER | frozenset(request.get("extra_params", ())))

    holds()
    assert sent, "nothing was accepted, so that nothing was tried"


@pytest.mark.parametrize("dialect", MANNERS)
def test_compatible_servers_hear_what_was_asked(models, dialect):
    sent = 0

    @EXAMPLES
    @given(model=st.sampled_from(OPEN_MODELS), request=requests("video", OPEN))
    def holds(model, request):
        nonlocal sent
        provider = {"kind": "compatible", "dialect": dialect, "base_url": "http://127.0.0.1:8000/v1"}
        config = accepted({"provider": provider, "model": models[model], "request": request})
        if config is None:
            return
        sent += 1
        body = build_for(DIALECTS[dialect], config)
        form, fields = body.path is None, {**body.fields, **body.extra}
        fields = {name: _on_the_form(value) for name, value in fields.items()} if form else fields
        assert DIALECTS[dialect].fields is None or fields.keys() <= DIALECTS[dialect].fields
        known = {name: value for name, value in fields.items() if name not in ("user", "cache_dit_params")}
        heard = read_order(ReceivedBody(known, form=form), MANNERS[dialect], "m").parameters
        for key in ("seed", "negative_prompt", "num_inference_steps", "guidance_scale", "flow_shift", "lora"):
            asked = getattr(config.request, key)
            if asked is not None:
                assert heard[DIALECTS[dialect].name(key)] == asked, key

    holds()
    assert sent, "nothing was accepted, so that nothing was tried"


def _on_the_form(value: object) -> str:
    assert not isinstance(value, dict | list), "a form has no nested values"
    return value if isinstance(value, str) else json.dumps(value)
