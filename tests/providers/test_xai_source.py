"""Videos that xAI makes of a finished one, which it takes by the address where its file lies just now."""

from __future__ import annotations

import json

import httpx2
import pytest

from runner.config.capability import check
from runner.config.price import estimate
from runner.config.restrictions import check_kept
from runner.errors import BadRequestError, ConfigError, HTTPConnectionError, RunnerError, UncertainError
from runner.providers.body import build, check_body

SOURCE = "a0f59c75-6e36-4ae9-83a3-97161deb3e45"
ADDRESS = "https://vidgen.x.ai/bucket/clip.mp4?sig=dGhpcyBvcGVucyBpdA"


def done(seconds: float = 6, url: str = ADDRESS) -> dict:
    return {"status": "done", "video": {"url": url, "duration": seconds, "respect_moderation": True}}


@pytest.fixture
def derived(loaded, connect):
    def make(operation: str, *overrides: str):
        config = loaded("provider=xai", "model=grok-imagine-video", f"request.video={SOURCE}",
                        f"request.operation={operation}", "request.duration_seconds=4", *overrides)  # fmt: skip
        return config, connect(config, {"XAI_API_KEY": "xai-canary"})

    return make


@pytest.mark.parametrize(
    ("operation", "path", "more"),
    [("edit", "/v1/videos/edits", {}), ("extend", "/v1/videos/extensions", {"duration": 4})],
)
async def test_the_source_is_looked_up_and_sent_by_its_address(derived, wire, operation, path, more):
    config, provider = derived(operation)
    wire.replies(200, json=done())
    address = await provider.source_address(config)
    assert (wire.sent.method, wire.sent.url.path) == ("GET", f"/v1/videos/{SOURCE}")
    wire.requests.clear()
    wire.replies(200, json={"request_id": "new-1"})
    assert (await provider.submit(config, address)).id == "new-1"
    assert wire.sent.url.path == path
    assert json.loads(wire.sent.content) == {
        "model": "grok-imagine-video", "prompt": config.request.prompt, "video": {"url": ADDRESS}, **more,
    }  # fmt: skip
    assert provider.body(config)["video"] == SOURCE, "what is recorded"


@pytest.mark.parametrize(
    ("status", "answer", "error", "words"),
    [
        (404, {"code": "not_found", "error": "Deferred request not found"}, BadRequestError, "has no video"),
        (410, {"error": "gone"}, BadRequestError, "has no video"),
        (200, {"status": "expired"}, BadRequestError, "is expired"),
        (200, {"status": "pending"}, BadRequestError, "is pending"),
        (200, {"status": "failed", "error": {"message": "too dark"}}, BadRequestError, r"is failed \(too dark\)"),
        (503, {"error": "overloaded"}, HTTPConnectionError, "does not tell where the video"),
        (200, {"status": "done", "video": {}}, HTTPConnectionError, "names no file"),
    ],
)
async def test_a_look_that_fails_is_a_request_that_was_not_sent(derived, wire, status, answer, error, words):
    config, provider = derived("extend")
    wire.replies(status, json=answer)
    with pytest.raises(error, match=words) as caught:
        await provider.source_address(config)
    assert not isinstance(caught.value, UncertainError)
    assert "nothing was sent or paid" in str(caught.value)


@pytest.mark.parametrize(
    ("operation", "seconds", "bounds"),
    [("edit", 10, "at most 8.7 s"), ("extend", 1, "2 to 30 s"), ("extend", 31, "2 to 30 s")],
)
async def test_a_source_of_another_length_is_refused_before_it_is_paid(derived, wire, operation, seconds, bounds):
    config, provider = derived(operation)
    wire.replies(200, json=done(seconds))
    with pytest.raises(BadRequestError, match=bounds):
        await provider.source_address(config)
    lenient, provider = derived(operation, "model.validation=warn")
    assert await provider.source_address(lenient) == ADDRESS


@pytest.mark.parametrize("status", [400, 403, 500, 200])
async def test_an_answer_that_repeats_the_address_does_not_tell_it(derived, wire, status):
    config, provider = derived("edit")
    said = f"could not fetch {ADDRESS}: sig dGhpcyBvcGVucyBpdA of https://vidgen.x.ai/bucket/clip.mp4 is late"
    wire.replies(status, json={"code": "invalid_argument", "error": said})
    with pytest.raises(RunnerError) as caught:
        await provider.submit(config, ADDRESS)
    told = f"{caught.value} {caught.value.hint} {caught.value.raw_response} {getattr(caught.value, 'answer', None)}"
    assert "vidgen" not in told
    assert "dGhpcyBvcGVucyBpdA" not in told


async def test_a_lost_answer_is_uncertain(derived, wire):
    config, provider = derived("extend")
    wire.raises(httpx2.ReadError("reset"))
    with pytest.raises(UncertainError):
        await provider.submit(config, ADDRESS)


def test_an_extension_has_a_length_of_its_own(derived):
    assert build(derived("extend", "request.duration_seconds=null")[0]).document["duration"] == 6
    assert [*check(derived("extend", "request.duration_seconds=7")[0])] == []
    (problem,) = check(derived("extend", "request.duration_seconds=12")[0])
    assert problem.message.endswith("Allowed values: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10")


def test_only_the_classic_model_edits_and_nobody_remixes_there(derived):
    (problem,) = check(derived("edit", "model=grok-imagine-video-1.5")[0])
    assert problem.key == "request.video"
    assert problem.hint.startswith("model=grok-imagine-video can take it")
    config = derived("remix", "request.operation=null")[0]
    (problem,) = check(config)
    assert "cannot remix" in problem.message
    assert problem.hint.startswith("request.operation=edit or extend; ")
    with pytest.raises(ConfigError, match="cannot remix"):
        build(config)


def test_what_the_source_decides_is_said_and_its_price_is_unknown_beforehand(derived):
    config = derived("edit", "request.resolution=720p", "request.generate_audio=false")[0]
    (told,) = check_kept(config)
    assert "and model" not in told.message
    assert told.message.endswith("request.resolution, request.generate_audio")
    assert estimate(config) is None


def test_extra_parameters_never_replace_the_source(derived):
    found = check_body(derived("edit", "+request.extra_params.video.url=https://a.example/b.mp4")[0])
    assert "request.extra_params.video" in [problem.key for problem in found]
