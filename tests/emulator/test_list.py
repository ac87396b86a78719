"""The list of jobs: its order, its pages, and how servers tell of them."""

from __future__ import annotations

import httpx2
import pytest

PROMPT = "A paper boat"


@pytest.fixture
def http(make_emulator):
    """A bare HTTP client of an emulator whose jobs end at once, with five jobs."""
    clients = []

    def start(dialect: str = "plain") -> tuple[httpx2.Client, list[str]]:
        url = make_emulator(dialect=dialect, latency=0).base_url
        clients.append(httpx2.Client(base_url=url, headers={"authorization": "Bearer sk-1"}))
        fields = {"prompt": (None, PROMPT)}
        return clients[-1], [clients[-1].post("/videos", files=fields).json()["id"] for _ in range(5)]

    yield start
    for client in clients:
        client.close()


def ids(http, query: str = "") -> list[str]:
    return [job["id"] for job in http.get(f"/videos{query}").json()["data"]]


@pytest.mark.parametrize("dialect", ["plain", "vllm_omni", "sglang"])
def test_jobs_are_listed_in_the_order_that_is_asked_for(http, dialect):
    client, made = http(dialect)
    assert ids(client) == ids(client, "?order=desc") == made[::-1]
    assert ids(client, "?order=asc") == made
    assert ids(client, f"?order=desc&after={made[3]}&limit=2") == [made[2], made[1]]
    assert ids(client, f"?order=asc&after={made[3]}") == [made[4]]


@pytest.mark.parametrize("dialect", ["plain", "vllm_omni", "sglang"])
def test_a_deleted_job_is_listed_no_more(http, dialect):
    client, made = http(dialect)
    assert client.delete(f"/videos/{made[2]}").json()["deleted"]
    assert ids(client) == [made[4], made[3], made[1], made[0]]


def test_a_page_says_what_follows_it(http):
    client, made = http()
    page = client.get("/videos?limit=4").json()
    assert (page["first_id"], page["last_id"], page["has_more"]) == (made[4], made[1], True)
    assert client.get(f"/videos?limit=4&after={made[1]}").json()["has_more"] is False


def test_sglang_lists_without_a_word_on_what_follows_and_without_prompts(http):
    client, _ = http("sglang")
    page = client.get("/videos?limit=2").json()
    assert page.keys() == {"object", "data"}
    assert all("prompt" not in job for job in page["data"])


@pytest.mark.parametrize("query", ["?limit=101", "?limit=many", "?order=random", "?after=video_gone"])
def test_what_cannot_be_listed_is_refused(http, query):
    client, _ = http()
    assert client.get(f"/videos{query}").status_code in (400, 404)
