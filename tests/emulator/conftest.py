from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from openai import AzureOpenAI, OpenAI

from tests.waiting import wait_until

KEY = "sk-test"


@pytest.fixture
def connect() -> Iterator[Callable[..., OpenAI]]:
    """Make clients of an OpenAI base URL; they are closed after the test."""
    with ExitStack() as stack:

        def make(base_url: str, **options: object) -> OpenAI:
            chosen = {"api_key": KEY, "max_retries": 0, "timeout": 60.0, "_strict_response_validation": True, **options}
            return stack.enter_context(OpenAI(base_url=base_url, **chosen))

        yield make


@pytest.fixture
def connect_azure() -> Iterator[Callable[..., AzureOpenAI]]:
    with ExitStack() as stack:

        def make(**options: object) -> AzureOpenAI:
            chosen = {"max_retries": 0, "timeout": 60.0, "_strict_response_validation": True, **options}
            return stack.enter_context(AzureOpenAI(**chosen))

        yield make


@pytest.fixture
def client(emulator, connect) -> OpenAI:
    return connect(emulator.base_url)


@pytest.fixture
def wait():
    """Poll a client's job until it has ended."""

    def poll(client, job):
        def ended():
            found = client.videos.retrieve(job.id)
            return found if found.status in ("completed", "failed") else None

        return wait_until(ended)

    return poll
