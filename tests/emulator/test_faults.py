from __future__ import annotations

import contextlib
import io
import time

import av
import httpx2
import openai
import pytest
from pydantic import ValidationError

from runner.emulator.faults import FaultFileError, FaultPlan, FaultRule, load_rules

PROMPT = "A timelapse of a city skyline from dawn to dusk"


def with_fault(text: str) -> dict[str, dict[str, str]]:
    return {"extra_headers": {"x-emulator-fault": text}}


def jobs(emulator) -> int:
    return emulator.ledger()["jobs"]


@pytest.mark.parametrize(("fault", "made"), [("drop_before_commit", 0), ("drop_after_commit", 1)])
def test_a_dropped_connection_leaves_the_job_made_or_not(emulator, client, fault, made):
    with pytest.raises(openai.APIConnectionError):
        client.videos.create(prompt=PROMPT, **with_fault(fault))
    assert jobs(emulator) == made
    assert client.videos.create(prompt=PROMPT).status == "queued"


def test_a_client_that_retries_pays_again_for_what_was_committed(emulator, connect):
    client = connect(emulator.base_url, max_retries=2)
    with pytest.raises(openai.APIConnectionError):
        client.videos.create(prompt=PROMPT, **with_fault("drop_after_commit"))
    assert jobs(emulator) == 3


@pytest.mark.parametrize(("text", "header"), [("rate_limit;retry_after=300", "3"), ("rate_limit", None)])
def test_rate_limits_carry_retry_after_in_emulated_seconds_or_not(emulator, client, text, header):
    with pytest.raises(openai.RateLimitError) as caught:
        client.videos.create(prompt=PROMPT, **with_fault(text))
    assert caught.value.response.headers.get("retry-after") == header
    assert jobs(emulator) == 0


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("commit", [False, True])
def test_server_errors_before_and_after_the_commit(emulator, client, status, commit):
    with pytest.raises(openai.InternalServerError) as caught:
        client.videos.create(prompt=PROMPT, **with_fault(f"status;status={status};commit={commit}"))
    assert caught.value.status_code == status
    assert jobs(emulator) == int(commit)


@pytest.mark.parametrize("status", [200, 502])
def test_an_html_page_instead_of_json(client, status):
    response = client._client.get(
        f"{client.base_url}videos",
        headers={"authorization": "Bearer k", "x-emulator-fault": f"html;status={status}"},
    )
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html; charset=utf-8")


def test_slow_answers_take_emulated_seconds(emulator, client):
    start = time.monotonic()
    assert client.videos.create(prompt=PROMPT, **with_fault("slow;seconds=5")).status == "queued"
    assert time.monotonic() - start >= 0.05


@pytest.mark.parametrize("commit", [False, True])
def test_stalled_requests_never_answer(emulator, client, commit):
    with pytest.raises(openai.APITimeoutError):
        client.videos.create(prompt=PROMPT, timeout=0.1, **with_fault(f"stalled;commit={commit}"))
    assert jobs(emulator) == int(commit)


def test_unknown_status_of_one_answer_and_of_a_job(emulator, connect, wait):
    client = connect(emulator.base_url, _strict_response_validation=False)
    job = client.videos.create(prompt=PROMPT)
    assert client.videos.retrieve(job.id, **with_fault("unknown_status;word=NOT_START")).status == "NOT_START"
    assert wait(client, job).status == "completed"
    done = client.videos.create(prompt=PROMPT, **with_fault("unknown_status;word=succeeded;when=done"))
    wait(client, job)
    time.sleep(0.03)
    assert client.videos.retrieve(done.id).status == "succeeded"


def test_a_stuck_job_never_ends(make_emulator, connect, clock):
    client = connect(make_emulator(now=clock).base_url)
    job = client.videos.create(prompt=PROMPT, **with_fault("stuck"))
    clock.time += 1_000_000
    job = client.videos.retrieve(job.id)
    assert (job.status, job.progress) == ("in_progress", 99)


@pytest.mark.parametrize(("fault", "code"), [("moderation", "moderation_blocked"), ("internal", "internal_error")])
def test_failed_jobs_say_why(client, wait, fault, code):
    job = wait(client, client.videos.create(prompt=PROMPT, **with_fault(fault)))
    assert (job.status, job.error.code) == ("failed", code)
    with pytest.raises(openai.BadRequestError):
        client.videos.download_content(job.id)


@pytest.mark.parametrize(
    ("fault", "error"), [("content_not_ready", openai.ConflictError), ("expired", openai.NotFoundError)]
)
def test_content_that_is_not_there(client, wait, fault, error):
    job = wait(client, client.videos.create(prompt=PROMPT))
    with pytest.raises(error):
        client.videos.download_content(job.id, **with_fault(fault))
    assert client.videos.download_content(job.id).read()


def test_a_truncated_body_ends_before_its_length(client, wait):
    job = wait(client, client.videos.create(prompt=PROMPT))
    received = []
    with client.videos.with_streaming_response.download_content(job.id, **with_fault("truncated")) as response:
        with pytest.raises(httpx2.RemoteProtocolError):
            received.extend(response.iter_bytes())
        length = int(response.headers["content-length"])
    assert sum(len(piece) for piece in received) == length - length // 2


def test_a_wrong_length_hides_that_the_end_is_missing(client, wait):
    job = wait(client, client.videos.create(prompt=PROMPT))
    whole = client.videos.download_content(job.id).read()
    short = client.videos.download_content(job.id, **with_fault("wrong_length;bytes=1000"))
    assert short.response.headers["content-length"] == str(len(whole) - 1000)
    assert short.read() == whole[:-1000]


def test_a_corrupt_body_has_the_right_length_and_does_not_decode(client, wait):
    job = wait(client, client.videos.create(prompt=PROMPT))
    whole = client.videos.download_content(job.id).read()
    garbage = client.videos.download_content(job.id, **with_fault("corrupt")).read()
    assert len(garbage) == len(whole)
    with pytest.raises(av.FFmpegError):
        av.open(io.BytesIO(garbage))


def test_a_slow_body_arrives_whole(client, wait):
    job = wait(client, client.videos.create(prompt=PROMPT))
    whole = client.videos.download_content(job.id).read()
    start = time.monotonic()
    assert client.videos.download_content(job.id, **with_fault("slow_body;seconds=6")).read() == whole
    assert time.monotonic() - start >= 0.05


def test_the_content_filter_speaks_each_surface(emulator, client, connect_azure):
    with pytest.raises(openai.BadRequestError) as caught:
        client.videos.create(prompt=PROMPT, **with_fault("content_filter"))
    assert caught.value.code == "content_filter"
    azure = connect_azure(base_url=f"{emulator.azure_url}/openai/v1/", api_version="preview", api_key="key")
    with pytest.raises(openai.BadRequestError) as caught:
        azure.videos.create(prompt=PROMPT, model="my-sora", **with_fault("content_filter"))
    assert caught.value.body["inner_error"]["code"] == "ResponsibleAIPolicyViolation"


def test_a_key_that_ends_after_some_requests(make_emulator, connect):
    client = connect(make_emulator(rules=[{"fault": "unauthorized", "after": 2}]).base_url)
    client.videos.list()
    client.videos.list()
    with pytest.raises(openai.AuthenticationError):
        client.videos.list()


def test_rules_match_operation_and_prompt_of_the_job(make_emulator, connect):
    rules = [{"match": {"operation": "retrieve", "prompt": "dusk$"}, "fault": "status", "status": 503}]
    client = connect(make_emulator(rules=rules).base_url)
    calm = client.videos.create(prompt="calm")
    struck = client.videos.create(prompt=PROMPT)
    assert client.videos.retrieve(calm.id).id == calm.id
    with pytest.raises(openai.InternalServerError):
        client.videos.retrieve(struck.id)


def struck(plan: FaultPlan, count: int, operation: str = "create") -> list[int]:
    return [number for number in range(1, count + 1) if plan.pick(operation, None, {})]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"nth": 2}, [2]),
        ({"nth": [1, 3]}, [1, 3]),
        ({"every": 2}, [2, 4, 6]),
        ({"after": 4}, [5, 6]),
        ({"times": 2}, [1, 2]),
        ({"every": 2, "times": 1}, [2]),
        ({"probability": 0.0}, []),
    ],
)
def test_when_rules_strike(when, expected):
    assert struck(FaultPlan([FaultRule.model_validate({"fault": "status", **when})]), 6) == expected


def test_probability_is_seeded():
    rule = FaultRule.model_validate({"fault": "status", "probability": 0.1})
    first, again, other = (struck(FaultPlan([rule], seed), 2000) for seed in (1, 1, 2))
    assert first == again != other
    assert 150 < len(first) < 250


def test_job_faults_leave_other_operations_alone():
    assert struck(FaultPlan([FaultRule.model_validate({"fault": "stuck"})]), 1, "content") == []


def test_a_rule_that_can_never_strike_is_refused():
    with pytest.raises(ValidationError, match="befalls only"):
        FaultRule.model_validate({"match": {"operation": "list"}, "fault": "stuck"})


def test_rules_are_read_from_yaml(tmp_path):
    path = tmp_path / "faults.yaml"
    path.write_text("- match: {operation: create}\n  nth: 1\n  fault: rate_limit\n  retry_after: 300\n")
    assert [(rule.fault, rule.nth, rule.retry_after) for rule in load_rules(path)] == [("rate_limit", 1, 300)]


@pytest.mark.parametrize("text", ["- fault: nonsense", "- {fault: slow, secs: 1}", "{", "fault: slow", None])
def test_a_bad_fault_file_is_named(tmp_path, text):
    path = tmp_path / "faults.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(FaultFileError, match=r"faults\.yaml"):
        load_rules(path)


def test_a_bad_fault_header_is_a_bad_request(client):
    with pytest.raises(openai.BadRequestError, match="x-emulator-fault"):
        client.videos.list(**with_fault("nonsense"))


def test_injected_faults_are_counted_by_name(make_emulator, connect):
    emulator = make_emulator(rules=[{"fault": "status", "status": 503, "match": {"operation": "list"}, "times": 2}])
    client = connect(emulator.base_url)
    for _ in range(3):
        with contextlib.suppress(openai.InternalServerError):
            client.videos.list()
    client.videos.create(prompt=PROMPT, **with_fault("stuck"))
    assert emulator.ledger()["faults"] == {"status": 2, "stuck": 1}
