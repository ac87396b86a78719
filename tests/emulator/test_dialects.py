"""What the emulator does as a compatible server that it does not do as OpenAI."""

from __future__ import annotations

import json

import httpx2
import pytest

from runner.emulator.manner import managed_parts

PROMPT = "A paper boat"
SMALL = {"prompt": PROMPT, "size": "128x96", "seconds": "1"}


@pytest.fixture
def serve(make_emulator):
    """Start an emulator of a dialect and give it with a bare HTTP client without a key."""
    clients = []

    def start(dialect: str, **settings):
        server = make_emulator(dialect=dialect, **settings)
        headers = {"authorization": "Bearer sk-1"} if dialect == "litellm" else {}
        clients.append(httpx2.Client(base_url=server.base_url, headers=headers))
        return server, clients[-1]

    yield start
    for client in clients:
        client.close()


def form(http, **fields) -> httpx2.Response:
    """POST /videos as multipart, each field as it stands."""
    return http.post("/videos", files={name: (None, value) for name, value in {**SMALL, **fields}.items()})


def heard(server) -> dict:
    return json.loads(server.ledger()["created"][-1]["parameters"])


def test_vllm_omni_reads_forms_only(serve):
    _, http = serve("vllm_omni")
    answer = http.post("/videos", json=SMALL)
    assert answer.status_code == 422
    assert answer.json() == {"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required"}]}
    assert form(http).status_code == 200


@pytest.mark.parametrize("dialect", ["sglang", "litellm"])
def test_the_others_read_json_too(serve, dialect):
    server, http = serve(dialect)
    assert http.post("/videos", json={**SMALL, "seed": 3}).status_code == 200
    assert heard(server)["seed"] == 3


@pytest.mark.parametrize("dialect", ["vllm_omni", "sglang"])
def test_brackets_and_unknown_fields_go_unread(serve, connect, dialect):
    server, _ = serve(dialect)
    client = connect(server.base_url, _strict_response_validation=False)
    client.videos.create(**SMALL, extra_body={"lora": {"path": "/x"}, "extra_params": {"a": 1}, "nonsense": 1})
    assert not {"lora", "extra_params", "nonsense"} & heard(server).keys()


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("fps", "many", 422),
        ("num_frames", "0", 422),
        ("guidance_scale", "21", 422),
        ("boundary_ratio", "2", 422),
        ("generate_sound", "perhaps", 422),
        ("size", "large", 422),
        ("lora", "{", 400),
        ("extra_params", "[]", 400),
    ],
)
def test_values_of_the_wrong_kind_are_refused_as_fastapi_does(serve, field, value, status):
    _, http = serve("vllm_omni")
    answer = form(http, **{field: value})
    assert answer.status_code == status
    assert "detail" in answer.json()


def test_a_failed_job_is_an_http_error_with_the_job_as_its_body(serve):
    _, http = serve("vllm_omni", latency=0)
    job = form(http, size="130x96").json()
    answer = http.get(f"/videos/{job['id']}")
    assert answer.status_code == answer.json()["error"]["code"] == 400
    assert (answer.json()["id"], answer.json()["status"], answer.json()["progress"]) == (job["id"], "failed", 0)
    assert http.get(f"/videos/{job['id']}/content").status_code == 422


def test_sglang_tells_a_failure_without_a_code(serve):
    _, http = serve("sglang", latency=0)
    job = form(http, size="8192x8192", seconds="60").json()
    answer = http.get(f"/videos/{job['id']}")
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert list(answer.json()["error"]) == ["message"]


@pytest.mark.parametrize(
    ("dialect", "variant", "status"),
    [
        ("vllm_omni", "?variant=video", 200),
        ("vllm_omni", "?variant=thumbnail", 200),
        ("sglang", "", 200),
        ("sglang", "?variant=0", 200),
        ("sglang", "?variant=video", 404),
        ("litellm", "?variant=video", 200),
        ("litellm", "?variant=thumbnail", 200),
    ],
)
def test_how_the_variant_is_taken(serve, dialect, variant, status):
    _, http = serve(dialect, latency=0)
    job = form(http).json()
    answer = http.get(f"/videos/{job['id']}/content{variant}")
    assert answer.status_code == status
    assert status != 200 or answer.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize(("dialect", "frames"), [("vllm_omni", 1), ("sglang", 96)])
def test_how_long_a_video_is_that_nobody_gave_a_length(serve, dialect, frames):
    server, http = serve(dialect)
    http.post("/videos", files={"prompt": (None, PROMPT), "size": (None, "128x96")})
    assert heard(server)["frames"] == frames


@pytest.mark.parametrize("dialect", ["vllm_omni", "sglang"])
def test_auto_is_no_size_of_an_image(serve, dialect):
    _, http = serve(dialect)
    assert http.post("/images/generations", json={"prompt": PROMPT, "size": "auto"}).status_code == 400


def test_an_uploaded_video_is_at_the_address_that_the_job_names(serve):
    _, http = serve("sglang", latency=0, uploads=True)
    job = http.get(f"/videos/{form(http).json()['id']}").json()
    refused = http.get(f"/videos/{job['id']}/content")
    assert (refused.status_code, job["url"] in refused.json()["detail"]) == (400, True)
    assert http.get(job["url"]).headers["content-type"] == "video/mp4"


def test_a_gateway_lists_only_for_a_backend_and_hides_it_in_long_ids(serve, connect):
    server, http = serve("litellm")
    created = connect(server.base_url, _strict_response_validation=False).videos.create(**SMALL)
    assert len(created.id) > 150
    assert http.get("/videos").status_code == 500
    listed = http.get("/videos?custom_llm_provider=hosted_vllm&limit=1&after=x").json()
    assert listed["data"][0]["id"] != created.id
    assert managed_parts(listed["data"][0]["id"]) == ["hosted_vllm", created.model, managed_parts(created.id)[-1]]
    assert http.get(f"/videos/{listed['last_id']}").json()["id"] == created.id


@pytest.mark.parametrize(("dialect", "status"), [("vllm_omni", 200), ("sglang", 200), ("litellm", 401)])
def test_keys_are_asked_for_only_by_the_gateway(make_emulator, dialect, status):
    with httpx2.Client(base_url=make_emulator(dialect=dialect).base_url) as http:
        assert http.get("/models").status_code == status


@pytest.mark.parametrize("dialect", ["vllm_omni", "sglang"])
def test_operations_that_open_servers_lack_are_not_there(serve, dialect):
    _, http = serve(dialect)
    for path in ("/videos/v/remix", "/videos/edits", "/videos/extensions", "/videos/characters"):
        answer = http.post(path, json={})
        assert answer.status_code in (404, 405)
        assert "detail" in answer.json()


@pytest.mark.parametrize("dialect", ["vllm_omni", "sglang", "litellm"])
def test_the_sdk_reads_every_answer_strictly(serve, connect, wait, dialect):
    server, _ = serve(dialect)
    client = connect(server.base_url)
    # The SDK's types know four sizes; fewer frames are rendered sooner.
    job = client.videos.create(prompt=PROMPT, size="1280x720", seconds="4", extra_body={"fps": 1})
    assert wait(client, job).status == "completed"
    listed = client.videos.list(extra_query={"custom_llm_provider": "hosted_vllm"})
    assert managed_parts(listed.data[0].id)[-1] == managed_parts(job.id)[-1]
    if dialect == "litellm":
        assert httpx2.delete(f"{server.base_url}/videos/{job.id}", headers={"authorization": "Bearer x"}).is_error
    else:
        assert client.videos.delete(job.id).deleted
    assert client.models.list().data
    assert client.images.generate(model="any", prompt=PROMPT, size="64x64", response_format="b64_json").data


def test_images_as_addresses_are_sglang_s_default_and_refused_by_vllm_omni(serve):
    _, sglang = serve("sglang")
    url = sglang.post("/images/generations", json={"prompt": PROMPT, "size": "64x64"}).json()["data"][0]["url"]
    assert sglang.get(url).content.startswith(b"\x89PNG")
    _, vllm = serve("vllm_omni")
    assert vllm.post("/images/generations", json={"prompt": PROMPT, "response_format": "url"}).status_code == 400


def test_a_state_file_of_before_there_were_parameters_is_still_read(make_emulator, tmp_path, connect):
    import sqlite3

    first = make_emulator()
    connect(first.base_url).videos.create(prompt=PROMPT)
    with sqlite3.connect(tmp_path / "emulator.sqlite3") as db:
        db.execute("ALTER TABLE jobs DROP COLUMN parameters")
    db.close()
    assert len(connect(make_emulator().base_url).videos.list().data) == 1
