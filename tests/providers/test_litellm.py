"""LiteLLM's proxy: the fields that it takes, what its backends would lose, and what it says of costs."""

from __future__ import annotations

import base64
import json

import pytest

from runner.config.backend import BACKENDS
from runner.config.capability import check
from runner.errors import UncertainError
from runner.providers.body import build, check_body

ENV = {"LITELLM_API_KEY": "sk-virtual-key"}
COST = "x-litellm-response-cost"


@pytest.fixture
def at(loaded):
    """A config for a gateway, with the backend behind it if that is said."""

    def make(*overrides, model="seedance-2.5", backend=None):
        named = [] if backend is None else [f"provider.custom_llm_provider={backend}"]
        return loaded("provider=litellm", f"model={model}", "request.duration_seconds=6", "model.sizes=null", *named,
                      *overrides)  # fmt: skip

    return make


def problems(config) -> list[str]:
    return [str(problem) for problem in check(config) if problem.severity == "error"]


async def test_a_video_is_asked_for_in_json_by_openrouter_s_names(at, wire, connect):
    config = at("request.seed=7", "request.resolution=720p", "request.generate_audio=false", backend="volcengine")
    assert check(config) == []
    await connect(config, ENV).submit(config)
    assert (wire.sent.method, wire.sent.url.path) == ("POST", "/v1/videos")
    assert wire.sent.headers["content-type"] == "application/json"
    assert wire.sent.headers["x-litellm-num-retries"] == "0"
    assert json.loads(wire.sent.content) == {
        "prompt": config.request.prompt, "model": "seedance-2.5", "seconds": "6", "aspect_ratio": "16:9",
        "resolution": "720p", "generate_audio": False, "seed": 7,
    }  # fmt: skip


async def test_frames_are_a_list_of_data_urls_and_recorded_by_their_hashes(at, wire, connect, make_picture):
    images = f"request.image_list=[{make_picture('a.png')},{{role: last_frame, image: {make_picture('bb.png')}}}]"
    images = images.replace("[", "[{role: first_frame, image: ", 1).replace(",{", "},{", 1)
    config = at(images, backend="minimax", model="hailuo-3")
    assert problems(config) == []
    await connect(config, ENV).submit(config)
    parts = json.loads(wire.sent.content)["frame_images"]
    assert [(part["type"], part["frame_type"]) for part in parts] == [
        ("image_url", "first_frame"), ("image_url", "last_frame"),
    ]  # fmt: skip
    assert base64.b64decode(parts[0]["image_url"]["url"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert build(config).record["frame_images"][0]["image_url"]["url"].keys() == {"file", "bytes", "sha256"}


def test_several_images_are_references(at, make_picture):
    document = build(
        at(f"request.image_list=[{make_picture('a.png')},{make_picture('b.png')}]", backend="volcengine")
    ).document
    assert [part["type"] for part in document["input_references"]] == ["image_url", "image_url"]
    assert not {"frame_images", "input_reference"} & document.keys()


@pytest.mark.parametrize(
    ("backend", "form"),
    [(None, True), ("openai", True), ("gemini", True), ("runwayml", False), ("fal_ai", False), ("minimax", False)],
)
async def test_a_first_frame_goes_as_its_backend_reads_it(at, wire, connect, make_picture, backend, form):
    config = at(f"request.image_list=[{make_picture('a.png')}]", "request.size=1280x720", backend=backend)
    await connect(config, ENV).submit(config)
    assert (wire.sent.headers["content-type"].partition(";")[0] == "multipart/form-data") is form
    if form:
        assert [(name, file) for name, file, *_ in wire.form if file] == [("input_reference", "a.png")]
    elif BACKENDS[backend].image == "text":
        assert json.loads(wire.sent.content)["input_reference"].startswith("data:image/png;base64,")
    else:
        assert [part["frame_type"] for part in json.loads(wire.sent.content)["frame_images"]] == ["first_frame"]


@pytest.mark.parametrize(
    ("backend", "model", "name"),
    [
        (None, "seedance-2.5", "generate_audio"),
        (None, "ltx-2", "generate_sound"),
        ("hosted_vllm", "seedance-2.5", "generate_sound"),
        ("volcengine", "seedance-2.5", "generate_audio"),
    ],
)
def test_sound_is_named_as_the_backend_does(at, backend, model, name):
    config = at("request.generate_audio=true", "model.parameters=[generate_audio]", model=model, backend=backend)
    document = build(config).document
    assert document[name] is True
    assert len({"generate_audio", "generate_sound"} & document.keys()) == 1
    twice = at("request.generate_audio=true", f"+request.extra_params.{name}=false", model=model, backend=backend)
    assert any("is given twice" in each for each in [*problems(twice), *map(str, check_body(twice))])


@pytest.mark.parametrize(
    ("backend", "overrides", "said"),
    [
        ("gemini", [], "would be left out without a word by the gateway's backend gemini (request.aspect_ratio=null,"),
        ("gemini", ["request.seed=1"], "request.seed: would be left out"),
        ("vertex_ai", ["request.generate_audio=true"], "(+request.extra_params.parameters.generateAudio=true"),
        ("vertex_ai", ["request.size=832x480"], "832x480 would not be what the gateway's backend vertex_ai asks for"),
        ("dashscope", ["request.size=832x480"], "it makes 16:9, 9:16, 1:1, 4:3 or 3:4 of a resolution"),
        ("dashscope", ["request.generate_audio=true"], "+request.extra_params.audio=true"),
        ("fal_ai", ["request.size=1000x700"], "with a shorter side of 480, 540, 720"),
        ("minimax", ["request.size=1280x720"], "it keeps a size's ratio only"),
        ("minimax", ["request.seed=3"], "request.seed: would be left out"),
    ],
)  # fmt: skip
def test_what_a_backend_would_lose_is_refused(at, backend, overrides, said):
    found = problems(at(*overrides, backend=backend))
    assert any(said in each for each in found), found


@pytest.mark.parametrize("validation", ["warn", "off"])
def test_the_user_may_send_it_all_the_same(at, validation):
    config = at("request.seed=1", f"model.validation={validation}", backend="gemini")
    assert problems(config) == []
    assert build(config).document["seed"] == 1


@pytest.mark.parametrize(
    ("backend", "overrides"),
    [
        ("gemini", ["request.aspect_ratio=null", "request.size=1080x1920"]),
        ("vertex_ai", ["request.aspect_ratio=null", "request.size=1280x720"]),
        ("dashscope", ["request.aspect_ratio=null", "request.size=1440x1080", "request.seed=3"]),
        ("fal_ai", ["request.size=1280x720"]),
        ("fal_ai", ["request.seed=4", "request.generate_audio=true"]),
        ("minimax", ["request.resolution=720p"]),
        ("openai", ["request.size=1792x1024"]),
    ],
)
def test_what_a_backend_keeps_is_sent(at, backend, overrides):
    assert problems(at(*overrides, backend=backend)) == []


def test_images_that_no_named_backend_takes_are_refused_and_of_an_unknown_one_warned_about(at, make_picture):
    images = f"request.image_list=[{{role: last_frame, image: {make_picture('a.png')}}}]"
    assert any("takes one first frame, and no other image" in each for each in problems(at(images, backend="openai")))
    config = at(images)
    assert problems(config) == []
    assert any("minimax and volcengine only" in each.message for each in check(config))


@pytest.mark.parametrize("name", ["duration", "aspect_ratio", "frame_images", "seconds"])
def test_extra_parameters_never_replace_a_key_of_the_request(at, name):
    assert f"request.extra_params.{name}" in [each.key for each in check_body(at(f"+request.extra_params.{name}=1"))]


@pytest.mark.parametrize(
    ("told", "usd"), [("0.84", 0.84), (None, None), ("", None), ("None", None), ("0.0", None), ("-1", None)]
)
async def test_a_video_s_cost_is_told_where_it_is_created(at, wire, connect, told, usd):
    config = at()
    wire.replies(200, json={"id": "video_1", "status": "queued"}, headers={} if told is None else {COST: told})
    assert (await connect(config, ENV).submit(config)).usd == usd


@pytest.mark.parametrize(("told", "usd"), [("0.91", 0.91), ("0.0", None)])
async def test_a_cost_that_is_corrected_at_the_status_counts_and_not_that_of_the_question(at, wire, connect, told, usd):
    config = at()
    wire.replies(200, json={"id": "video_1", "status": "completed"}, headers={COST: told})
    assert (await connect(config, ENV).retrieve("video_1")).usd == usd


@pytest.mark.parametrize(("told", "usd"), [("0.04", 0.04), ("0.0", 0.0), (None, None)])
async def test_images_tell_their_cost(loaded, wire, connect, told, usd):
    config = loaded("provider=litellm", "model=gpt-image-2", "request=image")
    wire.replies(200, json={"data": [{"b64_json": "aGk="}]}, headers={} if told is None else {COST: told})
    assert (await connect(config, ENV).generate(config)).usd == usd


async def test_an_answer_of_5xx_leaves_the_request_uncertain_and_is_not_sent_again(at, wire, connect):
    config = at()
    wire.replies(500, json={"error": {"message": "litellm.InternalServerError", "code": "500"}})
    with pytest.raises(UncertainError):
        await connect(config, ENV).submit(config)
    assert len(wire.requests) == 1
