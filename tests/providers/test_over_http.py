"""The whole way over HTTP: the real SDK, the emulator's OpenAI and Azure faces."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import warnings

import av
import pytest
from PIL import Image

from runner.errors import (
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    ExpiredError,
    JobNotFoundError,
    ModelNotFoundError,
    RateLimitError,
    RunnerError,
    ServerError,
    UncertainError,
    UnexpectedAnswerError,
)
from runner.providers.base import Job, JobStatus, Provider
from runner.providers.registry import create

KEY = "sk-emulated-key"
JWT = "eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9.c2ln"
FACES = ["openai", "azure_openai"]


@pytest.fixture
async def open_provider(config_of):
    """A provider of either face on a running emulator, with a config for it."""
    async with contextlib.AsyncExitStack() as stack:

        def build(emulator, face="openai", *, model=None, env=None, keys=None, **request) -> tuple[Provider, object]:
            url = emulator.base_url if face == "openai" else emulator.azure_url
            config = config_of({"kind": face, "base_url": url, **(keys or {})}, model, **request)
            environment = env or {"OPENAI_API_KEY": KEY, "AZURE_OPENAI_API_KEY": KEY}
            provider = create(config.provider, environment)
            stack.push_async_callback(provider.close)
            return provider, config

        yield build


async def finished(provider: Provider, job: Job) -> Job:
    while not job.status.terminal:
        await asyncio.sleep(0.01)
        job = await provider.retrieve(job.id)
    return job


async def read(provider: Provider, job: Job, variant="video") -> tuple[int | None, bytes]:
    async with provider.content(job, variant) as content:
        return content.length, b"".join([chunk async for chunk in content.chunks()])


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("suffix", ["", "/", "/openai/v1/", "?api-version=2024-05-01-preview", "?api-version=preview"])
async def test_a_video_is_made_and_downloaded(emulator, open_provider, face, suffix):
    keys = {"base_url": emulator.azure_url + suffix} if face == "azure_openai" else {}
    provider, config = open_provider(emulator, face, keys=keys, duration_seconds=4, aspect_ratio="16:9")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job = await finished(provider, await provider.submit(config))
    assert (job.status, job.progress) == (JobStatus.COMPLETED, 100)
    length, video = await read(provider, job)
    assert length == len(video)
    with av.open(io.BytesIO(video)) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (1280, 720)
    assert emulator.ledger()["jobs"] == 1


async def test_thumbnail_and_spritesheet_are_there_too(emulator, open_provider):
    provider, config = open_provider(emulator, duration_seconds=4)
    job = await finished(provider, await provider.submit(config))
    for variant in ("thumbnail", "spritesheet"):
        _, content = await read(provider, job, variant)
        Image.open(io.BytesIO(content)).verify()


async def test_a_remix_starts_from_a_finished_video(emulator, open_provider):
    provider, config = open_provider(emulator, duration_seconds=4)
    source = await finished(provider, await provider.submit(config))
    _, remix = open_provider(emulator, video=source.id)
    job = await provider.submit(remix)
    assert job.id != source.id
    assert job.raw["remixed_from_video_id"] == source.id


async def test_a_local_reference_image_is_accepted(emulator, open_provider, tmp_path):
    Image.new("RGB", (1280, 720), "teal").save(tmp_path / "first.png")
    images = [str(tmp_path / "first.png")]
    provider, config = open_provider(emulator, duration_seconds=4, size="1280x720", image_list=images)
    assert (await finished(provider, await provider.submit(config))).status is JobStatus.COMPLETED


@pytest.mark.parametrize("version", [None, "preview", "2025-04-01-preview"])
@pytest.mark.parametrize("face", FACES)
async def test_images_are_generated_and_edited(emulator, open_provider, tmp_path, face, version):
    keys = {"api_version": version} if face == "azure_openai" else {}
    provider, config = open_provider(
        emulator, face, model={"kind": "image"}, keys=keys, size="1024x1024", quality="low"
    )
    batch = await provider.generate(config)
    content = base64.b64decode(batch.images[0].b64 or "")
    assert Image.open(io.BytesIO(content)).size == (1024, 1024)
    assert batch.usage is not None
    assert batch.usage.image_out > 0
    (tmp_path / "made.png").write_bytes(content)
    _, edit = open_provider(emulator, face, model={"kind": "image"}, keys=keys, image_list=[str(tmp_path / "made.png")])
    assert len((await provider.generate(edit)).images) == 1


@pytest.mark.parametrize(
    ("env", "auth"),
    [
        ({"AZURE_OPENAI_AD_TOKEN": JWT}, "auto"),
        ({"AZURE_OPENAI_API_KEY": JWT}, "auto"),
        ({"AZURE_OPENAI_API_KEY": KEY}, "api_key"),
    ],
)
async def test_azure_accepts_keys_and_tokens_in_their_headers(make_emulator, open_provider, env, auth):
    provider, config = open_provider(make_emulator(api_key=KEY), "azure_openai", env=env, keys={"auth": auth})
    assert (await provider.submit(config)).status is JobStatus.QUEUED


async def test_azure_refuses_a_token_sent_as_a_key_and_the_error_says_so(make_emulator, open_provider):
    env = {"AZURE_OPENAI_API_KEY": JWT}
    provider, config = open_provider(make_emulator(), "azure_openai", env=env, keys={"auth": "api_key"})
    with pytest.raises(AuthenticationError) as caught:
        await provider.submit(config)
    assert "provider.auth=token" in (caught.value.hint or "")
    assert JWT not in f"{caught.value}{caught.value.hint}{caught.value.raw_response}"


@pytest.mark.parametrize("face", FACES)
async def test_a_wrong_key_is_refused(make_emulator, open_provider, face):
    provider, config = open_provider(make_emulator(api_key="another"), face)
    with pytest.raises(AuthenticationError):
        await provider.submit(config)


async def test_a_wrong_deployment_is_refused(make_emulator, open_provider):
    emulator = make_emulator(deployments=("prod",))
    provider, config = open_provider(emulator, "azure_openai", model={"deployment": "prdo"})
    with pytest.raises(ModelNotFoundError, match="'prdo'"):
        await provider.submit(config)
    _, right = open_provider(emulator, "azure_openai", model={"deployment": "prod"})
    assert (await provider.submit(right)).id


async def test_a_wrong_path_is_refused(emulator, open_provider):
    provider, config = open_provider(emulator, keys={"base_url": f"{emulator.azure_url}/nowhere"})
    with pytest.raises(UnexpectedAnswerError, match="404"):
        await provider.submit(config)


async def test_a_bad_parameter_is_refused_with_the_server_s_words(emulator, open_provider):
    provider, config = open_provider(emulator, duration_seconds=5)
    with pytest.raises(BadRequestError, match="'4', '8'"):
        await provider.submit(config)


@pytest.mark.parametrize(
    ("rule", "expected", "jobs"),
    [
        ({"fault": "drop_before_commit"}, UncertainError, 0),
        ({"fault": "drop_after_commit"}, UncertainError, 1),
        ({"fault": "status", "status": 500, "commit": True}, UncertainError, 1),
        ({"fault": "html", "status": 502}, UncertainError, 0),
        ({"fault": "html", "status": 200}, UncertainError, 0),
        ({"fault": "rate_limit", "retry_after": 300}, RateLimitError, 0),
        ({"fault": "unauthorized"}, AuthenticationError, 0),
        ({"fault": "content_filter"}, ContentModerationError, 0),
    ],
)
@pytest.mark.parametrize("face", FACES)
async def test_a_paid_request_is_sent_once_whatever_goes_wrong(
    make_emulator, open_provider, face, rule, expected, jobs
):
    emulator = make_emulator(rules=[{**rule, "match": {"operation": "create"}}])
    provider, config = open_provider(emulator, face)
    with pytest.raises(RunnerError) as caught:
        await provider.submit(config)
    assert type(caught.value) is expected
    assert emulator.ledger()["jobs"] == jobs


async def test_a_polled_job_survives_every_fault_but_its_own(make_emulator, open_provider):
    rules = [{"fault": fault, "match": {"operation": "retrieve"}, "nth": nth} for nth, fault in
             enumerate(["status", "drop_after_commit", "rate_limit", "html"], start=1)]  # fmt: skip
    provider, config = open_provider(make_emulator(rules=rules))
    job = await provider.submit(config)
    for expected in (ServerError, ServerError, RateLimitError, UnexpectedAnswerError | ServerError):
        with pytest.raises(RunnerError) as caught:
            await provider.retrieve(job.id)
        assert isinstance(caught.value, expected)
    assert (await finished(provider, job)).status is JobStatus.COMPLETED


async def test_an_unknown_word_is_polled_on(make_emulator, open_provider):
    rule = {"fault": "unknown_status", "word": "dreaming", "match": {"operation": "retrieve"}, "nth": 1}
    provider, config = open_provider(make_emulator(rules=[rule]))
    job = await provider.retrieve((await provider.submit(config)).id)
    assert (job.status, job.raw_status) == (JobStatus.UNKNOWN, "dreaming")


async def test_a_moderated_job_carries_its_code(make_emulator, open_provider):
    provider, config = open_provider(make_emulator(rules=[{"fault": "moderation", "match": {"operation": "create"}}]))
    job = await finished(provider, await provider.submit(config))
    assert job.status is JobStatus.FAILED
    assert "moderation" in (job.error_code or "")


@pytest.mark.parametrize(
    ("fault", "expected"), [("content_not_ready", ServerError), ("expired", ExpiredError), ("truncated", ServerError)]
)
async def test_a_download_s_faults_are_told_apart(make_emulator, open_provider, fault, expected):
    rule = {"fault": fault, "match": {"operation": "content"}, "nth": 1}
    provider, config = open_provider(make_emulator(rules=[rule]), duration_seconds=4)
    job = await finished(provider, await provider.submit(config))
    with pytest.raises(RunnerError) as caught:
        await read(provider, job)
    assert type(caught.value) is expected
    assert (await read(provider, job))[1]


async def test_an_unknown_job_is_gone(emulator, open_provider):
    provider, _ = open_provider(emulator)
    with pytest.raises(JobNotFoundError, match="video_unknown"):
        await provider.retrieve("video_unknown")
