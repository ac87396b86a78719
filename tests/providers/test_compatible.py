"""Each preset for a compatible server over HTTP: the real SDK against the emulator with that server's manners."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from typing import get_args

import av
import pytest

from runner.config.capability import check
from runner.config.dialect import DIALECTS, HOSTS, DialectName
from runner.emulator.manner import MANNERS
from runner.emulator.settings import Dialect
from runner.errors import (
    AuthenticationError,
    BadRequestError,
    JobNotFoundError,
    RateLimitError,
    RunnerError,
    UnexpectedAnswerError,
)
from runner.providers.base import JobStatus
from runner.providers.preflight import check_endpoint
from runner.providers.registry import create

ENV = {"LITELLM_API_KEY": "sk-virtual-key"}
PRESETS = ["vllm_omni", "sglang", "litellm"]
GATEWAYS = ["new_api", "edenai", "together", "aquiles"]
"""Their models are others': test_gateways.py, test_together.py, test_aquiles.py."""
SMALL = ("request.size=128x96", "request.duration_seconds=1", "request.fps=8")


@pytest.fixture
async def opened(loaded, make_emulator, tmp_path):
    """A preset's provider on its emulator, and a config of a small Wan 2.2 video for it."""
    async with contextlib.AsyncExitStack() as stack:

        def build(preset, *overrides, env=None, rules=(), **settings):
            server = make_emulator(dialect=preset, state_file=tmp_path / f"{preset}.sqlite3", rules=rules, **settings)
            config = loaded(f"provider={preset}", f"provider.base_url={server.base_url}", "model=wan2.2-t2v",
                            *SMALL, *overrides)  # fmt: skip
            provider = create(config.provider, ENV if env is None else env)
            stack.push_async_callback(provider.close)
            return provider, config, server

        yield build


async def ended(provider, job):
    while not job.status.terminal:
        await asyncio.sleep(0.01)
        job = await provider.retrieve(job.id)
    return job


async def download(provider, job, variant="video") -> bytes:
    async with provider.content(job, variant) as content:
        return b"".join([chunk async for chunk in content.chunks()])


def heard(server) -> dict:
    return json.loads(server.ledger()["created"][-1]["parameters"])


def test_every_dialect_is_described_has_a_preset_and_can_be_emulated():
    assert set(get_args(DialectName)) == set(DIALECTS) == {"plain", *MANNERS, *HOSTS}
    assert {*MANNERS} == {*PRESETS, *GATEWAYS}
    assert {"plain", *MANNERS, *HOSTS} == {*get_args(Dialect)}


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_video_of_any_size_and_length_is_made_and_downloaded(opened, preset):
    provider, config, server = opened(preset)
    assert check(config) == []
    job = await ended(provider, await provider.submit(config))
    assert (job.status, job.progress) == (JobStatus.COMPLETED, 100)
    with av.open(io.BytesIO(await download(provider, job))) as file:
        stream = file.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate, stream.frames) == (128, 96, 8, 8)
    assert server.ledger()["created"][0]["model"] == "Wan-AI/Wan2.2-T2V-A14B-Diffusers"


async def test_the_plain_preset_speaks_openai_s_own(loaded, make_emulator):
    server = make_emulator()
    config = loaded("provider=compatible", f"provider.base_url={server.base_url}", "provider.api_key_env=KEY")
    provider = create(config.provider, {"KEY": "sk-1"})
    job = await ended(provider, await provider.submit(config))
    assert (await download(provider, job))[4:8] == b"ftyp"
    assert await download(provider, job, "thumbnail")
    await provider.close()


KNOBS = {
    "seed": 7, "negative_prompt": "rain", "num_inference_steps": 20, "guidance_scale": 4.5, "guidance_scale_2": 3.0,
    "flow_shift": 12.0, "boundary_ratio": 0.875,
}  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
async def test_the_server_hears_every_key_that_it_has_a_field_for(opened, preset):
    carried = {key: value for key, value in KNOBS.items() if key in DIALECTS[preset].extensions}
    provider, config, server = opened(preset, *(f"request.{key}={value}" for key, value in carried.items()))
    await provider.submit(config)
    assert carried.items() <= heard(server).items()


@pytest.mark.parametrize(("preset", "name"), [("vllm_omni", "generate_sound"), ("litellm", "generate_sound")])
async def test_sound_is_asked_for_in_the_server_s_word(opened, preset, name):
    provider, config, server = opened(preset, "request.generate_audio=true", "model.parameters=[generate_audio,fps]")
    await provider.submit(config)
    assert heard(server)[name] is True


@pytest.mark.parametrize("preset", ["vllm_omni", "litellm"])
async def test_nested_values_arrive_whole(opened, preset):
    lora = {"name": "ink", "path": "/models/ink", "scale": 0.8}
    provider, config, server = opened(preset, "request.lora={name:ink,path:/models/ink,scale:0.8}")
    await provider.submit(config)
    assert heard(server)["lora"] == lora
    recorded = provider.body(config)["lora"]
    assert (json.loads(recorded) if preset == "vllm_omni" else recorded) == lora


@pytest.mark.parametrize("preset", ["vllm_omni", "sglang"])
async def test_what_the_form_has_no_field_for_travels_in_extra_params(opened, preset):
    provider, config, server = opened(preset, "+request.extra_params={solver:{name:euler},extra_params:{eta:0.5}}")
    await provider.submit(config)
    assert heard(server)["extra_params"] == {"solver": {"name": "euler"}, "eta": 0.5}


async def test_frames_take_the_place_of_seconds(opened):
    provider, config, server = opened("sglang", "request.duration_seconds=null", "request.num_frames=12")
    await provider.submit(config)
    assert (heard(server)["frames"], "seconds" in heard(server)) == (12, False)


@pytest.mark.parametrize(
    ("preset", "fault", "code"),
    [
        ("vllm_omni", "moderation", "400"),
        ("vllm_omni", "internal", "500"),
        ("sglang", "internal", None),
        ("litellm", "moderation", "moderation_blocked"),
    ],
)
async def test_a_failed_job_is_one_however_it_is_told(opened, preset, fault, code):
    rule = {"match": {"operation": "create"}, "fault": fault, "message": "no such luck"}
    provider, config, _ = opened(preset, rules=[rule])
    job = await ended(provider, await provider.submit(config))
    assert (job.status, job.error_code, job.error_message) == (JobStatus.FAILED, code, "no such luck")
    with pytest.raises(RunnerError):
        await download(provider, job)


async def test_a_size_that_the_model_cannot_make_fails_at_the_server_when_nothing_checks_it(opened):
    provider, config, _ = opened("vllm_omni", "request.size=130x96", "model.validation=off")
    job = await ended(provider, await provider.submit(config))
    assert job.error_message == "`height` and `width` have to be divisible by 16 but are 96 and 130."


@pytest.mark.parametrize("preset", ["sglang", "vllm_omni"])
async def test_a_video_that_was_uploaded_elsewhere_is_fetched_from_there(opened, preset):
    provider, config, server = opened(preset, uploads=True)
    job = await ended(provider, await provider.submit(config))
    assert (await download(provider, job))[4:8] == b"ftyp"
    assert server.ledger()["requests"]["GET /_emulator/media"] == 1


async def test_an_address_that_is_neither_https_nor_the_server_s_own_is_not_fetched(wire, connect, loaded):
    import httpx2

    config = loaded("provider=sglang", "provider.base_url=https://gpu.example/v1")
    raw = {"id": "v", "status": "completed", "url": "http://storage.example/v.mp4"}
    wire.answer = lambda request: httpx2.Response(400 if "content" in request.url.path else 200, json=raw)
    provider = connect(config)
    job = await provider.retrieve("v")
    with pytest.raises(UnexpectedAnswerError, match=r"storage\.example"):
        await download(provider, job)
    assert all(request.url.host != "storage.example" for request in wire.requests)


@pytest.mark.parametrize("preset", PRESETS)
async def test_files_that_a_server_does_not_keep_are_not_asked_for(opened, preset):
    provider, config, server = opened(preset)
    job = await ended(provider, await provider.submit(config))
    with pytest.raises(BadRequestError, match="keeps no thumbnail"):
        await download(provider, job, "thumbnail")
    assert not any("content" in route for route in server.ledger()["requests"])


@pytest.mark.parametrize(
    ("preset", "named"), [("vllm_omni", ""), ("sglang", ""), ("litellm", ""), ("compatible", "video")]
)
async def test_the_variant_is_named_only_where_that_is_understood(wire, connect, loaded, preset, named):
    config = loaded(f"provider={preset}", "provider.base_url=http://127.0.0.1:1/v1")
    provider = connect(config, ENV)
    job = await provider.retrieve("video_1")
    wire.replies(200, content=b"mp4", headers={"content-type": "video/mp4"})
    await download(provider, job)
    assert wire.requests[-1].url.params.get("variant", "") == named


async def test_fastapi_s_refusals_are_translated(opened):
    provider, config, _ = opened("vllm_omni", "request.num_inference_steps=500")
    assert [str(problem) for problem in check(config)] == [
        "request.num_inference_steps: 500 is too much for this server (vllm_omni) (at most 200)"
    ]
    with pytest.raises(BadRequestError, match=r"num_inference_steps Input should be less than or equal to 200"):
        await provider.submit(config)
    with pytest.raises(JobNotFoundError, match="Video not found"):
        await provider.retrieve("nothing")


async def test_a_full_server_is_waited_for(opened):
    provider, config, _ = opened("vllm_omni", rules=[{"match": {"operation": "create"}, "fault": "rate_limit"}])
    with pytest.raises(RateLimitError):
        await provider.submit(config)


@pytest.mark.parametrize(
    ("word", "when", "status"),
    [("processing", "running", "in_progress"), ("NOT_START", "running", "queued"), ("succeeded", "done", "completed")],
)
async def test_the_words_of_gateways_backends_are_understood(opened, clock, word, when, status):
    rule = {"match": {"operation": "create"}, "fault": "unknown_status", "word": word, "when": when}
    provider, config, _ = opened("litellm", rules=[rule], now=clock, latency=100, time_scale=1)
    job = await provider.submit(config)
    clock.time += 100 if when == "done" else 50
    job = await provider.retrieve(job.id)
    assert (job.raw_status, job.status) == (word, JobStatus(status))


async def test_a_gateway_s_long_ids_come_back_whole_and_can_be_remixed(opened, loaded):
    provider, config, server = opened("litellm", "model=sora-2", "request.fps=null", "request.size=720x1280",
                                      "request.duration_seconds=4")  # fmt: skip
    job = await ended(provider, await provider.submit(config))
    assert len(job.id) > 150
    assert server.ledger()["created"][0]["id"] == job.id
    remix = loaded("provider=litellm", f"provider.base_url={server.base_url}", f"request.video='{job.id}'")
    assert (await provider.submit(remix)).raw["remixed_from_video_id"] == job.id


async def test_no_key_is_sent_where_none_is_configured(wire, connect, loaded):
    config = loaded("provider=vllm_omni")
    await connect(config, {"OPENAI_API_KEY": "sk-not-for-you"}).submit(config)
    assert "authorization" not in wire.sent.headers


async def test_a_server_that_wants_a_key_says_which_one_to_give(opened):
    provider, config, _ = opened("vllm_omni", api_key="the-right-one")
    with pytest.raises(AuthenticationError) as caught:
        await provider.submit(config)
    assert caught.value.hint == "provider.api_key_env=NAME, the variable that holds it"
    keyed, config, _ = opened("vllm_omni", "provider.api_key_env=MINE", env={"MINE": "the-right-one"},
                              api_key="the-right-one")  # fmt: skip
    assert (await keyed.submit(config)).id


@pytest.mark.parametrize(
    ("overrides", "env", "said"),
    [
        (["provider=litellm"], {}, "LITELLM_API_KEY is not set"),
        (["provider=compatible"], {}, "where does the server listen?"),
        (["provider=vllm_omni", "provider.base_url=gpu:8000"], {}, "does not begin with https://"),
        (["provider=litellm", "provider.base_url=http://gpu:4000/v1"], ENV, "would send the key unencrypted to gpu"),
    ],
)
def test_what_keeps_requests_from_being_sent_is_named(loaded, overrides, env, said):
    assert any(said in str(problem) for problem in check_endpoint(loaded(*overrides).provider, env))


@pytest.mark.parametrize("host", ["127.0.0.1", "gpu"])
def test_a_server_without_keys_needs_none_and_may_be_anywhere_in_your_network(loaded, host):
    config = loaded("provider=vllm_omni", f"provider.base_url=http://{host}:8000/v1")
    assert check_endpoint(config.provider, {}) == []


@pytest.mark.parametrize("preset", PRESETS)
async def test_images_come_as_base64_from_every_server(opened, loaded, preset):
    provider, _, server = opened(preset)
    config = loaded(f"provider={preset}", f"provider.base_url={server.base_url}", "model=qwen-image", "request=image",
                    "request.size=64x48", "request.seed=3", "request.n=2")  # fmt: skip
    assert check(config) == []
    batch = await provider.generate(config)
    assert [(image.b64 is not None, image.url) for image in batch.images] == [(True, None)] * 2


UNNAMED = ("request.duration_seconds=null", "request.aspect_ratio=null")


@pytest.mark.parametrize(
    ("preset", "model", "sent"),
    [
        ("vllm_omni", "wan2.2-t2v", {"seconds": "5", "size": "1280x720"}),
        ("sglang", "ltx-2", {"seconds": "5", "size": "768x512"}),
        ("litellm", "wan2.2-t2v", {"seconds": "5", "size": "1280x720"}),
        ("litellm", "sora-2", {}),
        ("compatible", "wan2.2-t2v", {}),
    ],
)
async def test_a_length_and_size_that_nobody_names_are_the_model_s_where_the_server_s_are_others(
    wire, connect, loaded, preset, model, sent
):
    config = loaded(f"provider={preset}", "provider.base_url=http://127.0.0.1:1/v1", f"model={model}", *UNNAMED)
    await connect(config, ENV).submit(config)
    heard = json.loads(wire.sent.content) if preset == "litellm" else wire.fields
    assert {name: heard[name] for name in ("seconds", "size") if name in heard} == sent


@pytest.mark.parametrize(
    ("named", "unsent"),
    [
        ("request.num_frames=33", "seconds"),
        ("+request.extra_params.num_frames=33", "seconds"),
        ("+request.extra_params.short_edge=480", "size"),
        ("request.image_list=['data:image/png;base64,iVBORw0KGgo=']", "size"),
    ],
)
async def test_what_says_the_length_or_size_in_another_way_stands_alone(wire, connect, loaded, named, unsent):
    config = loaded("provider=vllm_omni", "model=ltx-2", *UNNAMED, named)
    await connect(config).submit(config)
    assert {"seconds", "size"} - {unsent} <= set(wire.fields)
    assert unsent not in wire.fields


async def test_an_image_s_extra_params_arrive_where_the_server_passes_them_on(wire, connect, loaded):
    import httpx2

    wire.answer = lambda _: httpx2.Response(200, json={"data": [{"b64_json": "aGk="}]})
    config = loaded("provider=vllm_omni", "model=qwen-image", "request=image", "request.seed=3", "request.size=auto",
                    "+request.extra_params={guidance_scale:4,cfg_norm:true,extra_params:{eta:0.5}}")  # fmt: skip
    await connect(config).generate(config)
    sent = json.loads(wire.sent.content)
    assert sent["extra_params"] == {"cfg_norm": True, "eta": 0.5}
    assert (sent["guidance_scale"], sent["seed"]) == (4, 3)
    assert "size" not in sent


@pytest.mark.parametrize(
    ("preset", "model", "size"), [("sglang", "qwen-image", None), ("litellm", "gpt-image-2", "auto")]
)
async def test_auto_is_sent_only_where_it_is_a_size(wire, connect, loaded, preset, model, size):
    config = loaded(f"provider={preset}", f"model={model}", "request=image", "request.size=auto")
    assert check(config) == []
    await connect(config, ENV).generate(config)
    assert json.loads(wire.sent.content).get("size") == size


@pytest.mark.parametrize(
    ("preset", "field", "value"),
    [
        ("vllm_omni", "image_reference", '{"image_url": "https://images.example/cat.png"}'),
        ("sglang", "reference_url", "https://images.example/cat.png"),
    ],
)
async def test_an_image_s_address_stands_where_the_form_has_a_field_for_it(wire, connect, loaded, preset, field, value):
    config = loaded(f"provider={preset}", "model=wan2.2-i2v", "request.image_list=['https://images.example/cat.png']")
    await connect(config).submit(config)
    assert wire.fields[field] == value
    assert "input_reference" not in wire.fields


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_first_frame_is_uploaded(opened, tmp_path, preset):
    from PIL import Image

    Image.new("RGB", (64, 48), "teal").save(tmp_path / "first.png")
    provider, config, _ = opened(preset, "model=wan2.2-i2v", f"request.image_list=['{tmp_path / 'first.png'}']")
    job = await ended(provider, await provider.submit(config))
    assert (await download(provider, job))[4:8] == b"ftyp"
