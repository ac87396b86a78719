"""What a request that starts from a finished video is on the wire, and what keeps one from being sent."""

from __future__ import annotations

import json

import pytest

from runner.artifacts.result import Environment, Result
from runner.artifacts.result_file import write_result
from runner.artifacts.run_status import RunStatus
from runner.errors import BadRequestError, ConfigError, JobNotFoundError
from runner.providers.base import JobStatus
from runner.providers.body import check_body

OPERATIONS = {
    "remix": ("/v1/videos/video_src/remix", {"prompt": "a cat"}),
    "edit": ("/v1/videos/edits", {"prompt": "a cat", "video": {"id": "video_src"}}),
    "extend": ("/v1/videos/extensions", {"prompt": "a cat", "seconds": "8", "video": {"id": "video_src"}}),
}


@pytest.fixture
def earlier(tmp_path, config_of):
    """The directory of an earlier run, which ended as told."""

    def write(endpoint="https://api.openai.com/v1", status=RunStatus.VERIFIED, job_id="video_src", **more):
        result = Result(
            index=0, status=status, provider="openai", endpoint=endpoint, model="sora-2", deployment=None,
            config=config_of(), overrides=[], request_sent={}, job_id=job_id,
            environment=Environment(runner="0", openai="0", python="3"), **more,
        )  # fmt: skip
        write_result(tmp_path, result)
        return str(tmp_path)

    return write


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_each_operation_has_its_address_and_sends_json(wire, connect, config_of, operation):
    config = config_of(video="video_src", operation=operation, duration_seconds=8)
    provider = connect(config)
    job = await provider.submit(config)
    path, body = OPERATIONS[operation]
    assert (wire.sent.method, wire.sent.url.path) == ("POST", path)
    assert wire.sent.headers["content-type"] == "application/json"
    assert json.loads(wire.sent.content) == body
    assert (job.id, job.status) == ("video_1", JobStatus.QUEUED)
    record = provider.body(config)
    assert (record["video"], record["operation"]) == ("video_src", "edit_video" if operation == "edit" else operation)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_gateway_gets_the_same(wire, connect, config_of, operation):
    gateway = {"kind": "compatible", "dialect": "litellm", "base_url": "http://127.0.0.1:4000/v1"}
    config = config_of(gateway, video="video_src", operation=operation, duration_seconds=8)
    await connect(config).submit(config)
    assert (wire.sent.url.path, json.loads(wire.sent.content)) == OPERATIONS[operation]


async def test_azure_gets_them_on_its_v1_route(wire, connect, config_of):
    config = config_of({"kind": "azure_openai", "base_url": "https://res.openai.azure.com"},
                       video="video_src", operation="edit")  # fmt: skip
    await connect(config).submit(config)
    assert wire.sent.url.path == "/openai/v1/videos/edits"


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_source_that_is_not_there_is_named(wire, connect, config_of, operation):
    wire.replies(404, json={"error": {"message": "not found"}})
    config = config_of(video="video_src", operation=operation, duration_seconds=4)
    with pytest.raises(BadRequestError, match="no video video_src to start from"):
        await connect(config).submit(config)


async def test_a_job_is_deleted_by_its_id(wire, connect, config_of):
    wire.replies(200, json={"id": "video_1", "object": "video.deleted", "deleted": True})
    await connect(config_of()).delete("video_1")
    assert (wire.sent.method, wire.sent.url.path) == ("DELETE", "/v1/videos/video_1")


async def test_a_job_that_is_gone_cannot_be_deleted(wire, connect, config_of):
    wire.replies(404, json={"error": {"message": "not found"}})
    with pytest.raises(JobNotFoundError):
        await connect(config_of()).delete("video_1")


async def test_an_earlier_run_s_directory_stands_for_its_job(wire, connect, config_of, earlier):
    config = config_of(video=earlier(), operation="edit")
    assert check_body(config) == []
    await connect(config).submit(config)
    assert json.loads(wire.sent.content)["video"] == {"id": "video_src"}


def test_the_directory_is_kept_as_a_whole_path(config_of, earlier, tmp_path, monkeypatch):
    earlier()
    monkeypatch.chdir(tmp_path.parent)
    assert config_of(video=tmp_path.name).request.video == str(tmp_path)
    assert config_of(video="video_" + "x" * 5000).request.video == "video_" + "x" * 5000


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"endpoint": "emulator:/elsewhere"}, "is at emulator:/elsewhere, and this run goes to https://api.openai.com"),
        ({"status": RunStatus.FAILED}, "no finished video: its run is failed"),
        ({"job_id": None}, "no finished video"),
        ({"remote_deleted": True}, "was deleted at its provider"),
    ],
)
async def test_a_directory_whose_video_cannot_be_had_here_is_refused(wire, connect, config_of, earlier, told, said):
    config = config_of(video=earlier(**told))
    (problem,) = check_body(config)
    assert problem.key == "request.video"
    assert said in problem.message
    with pytest.raises(ConfigError):
        await connect(config).submit(config)
    assert wire.requests == []


@pytest.mark.parametrize(
    ("video", "said"),
    [("./nowhere", "is no directory"), ("/nowhere", "is no directory"), ("no/where", "is no directory")],
)
def test_a_path_that_leads_nowhere_is_no_id(config_of, video, said):
    (problem,) = check_body(config_of(video=video))
    assert said in problem.message


def test_a_directory_that_holds_no_run_is_refused(config_of, tmp_path):
    (problem,) = check_body(config_of(video=str(tmp_path)))
    assert "is no run's directory" in problem.message


@pytest.mark.parametrize(
    ("request_", "key"),
    [
        ({"operation": "edit"}, "request.operation"),
        ({"video": "video_src", "operation": "extend"}, "request.duration_seconds"),
        ({"number_of_videos": 2}, "request.number_of_videos"),
    ],
)
def test_what_an_operation_lacks_is_named(config_of, request_, key):
    assert [problem.key for problem in check_body(config_of(**request_))] == [key]
