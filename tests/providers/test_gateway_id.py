"""One job's several ids at a gateway."""

from __future__ import annotations

import base64

import pytest

from runner.providers.job import backend_id


def managed(inner: str) -> str:
    return f"video_{base64.b64encode(inner.encode()).decode()}"


CREATED = (
    "litellm:custom_llm_provider:openai;model_id:my-sora;video_id:video_68f0c2;deployment_id:a1b2;requested_model:s"
)
LISTED = "litellm:custom_llm_provider:openai;model_id:sora-2;video_id:video_68f0c2"


@pytest.mark.parametrize("job_id", [managed(CREATED), managed(LISTED), managed(LISTED).rstrip("="), "video_68f0c2"])
def test_the_ids_of_one_job_amount_to_the_same(job_id):
    assert backend_id(job_id) == "video_68f0c2"


@pytest.mark.parametrize("job_id", [
    "", "video_", "video_abcd", "video_68f0c2", "task-1", "..", managed("no gateway's;at;all"), managed("litellm:x"),
    "video_" + base64.b64encode(b"\xff\xfe").decode(), "video_ü",
])  # fmt: skip
def test_any_other_id_is_itself(job_id):
    assert backend_id(job_id) == job_id
