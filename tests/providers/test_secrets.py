"""A canary key: wherever a server puts it, it comes out nowhere."""

from __future__ import annotations

import logging
import pickle
import traceback

import httpx2
import pytest

from runner.errors import RunnerError
from runner.providers.base import Job, JobStatus

AZURE = {"kind": "azure_openai", "base_url": "https://res.openai.azure.com"}


def everything(error: BaseException) -> str:
    """All that can be shown of an error: text, hint, fields, traceback with its causes."""
    return repr(vars(error)) + str(error) + repr(error) + "".join(traceback.format_exception(error))


def echoes(key: str) -> dict[str, object]:
    return {
        "json": lambda: httpx2.Response(
            401, json={"error": {"message": f"bad key {key}", "code": key, "param": [key]}}
        ),
        "header": lambda: httpx2.Response(401, json={"received": {"authorization": f"Bearer {key}"}}),
        "detail": lambda: httpx2.Response(422, json={"detail": [{"loc": ["header", key], "msg": key}]}),
        "page": lambda: httpx2.Response(403, text=f"<html><title>{key}</title>{key}</html>"),
        "server": lambda: httpx2.Response(500, text=f"Traceback: headers={{'authorization': 'Bearer {key}'}}"),
        "limit": lambda: httpx2.Response(429, json={"error": {"message": f"{key} is too fast"}}),
        "missing": lambda: httpx2.Response(404, json={"error": {"message": key, "code": "model_not_found"}}),
        "success": lambda: httpx2.Response(200, json={"debug": key}),
        "location": lambda: httpx2.Response(302, headers={"location": f"https://evil.example/?key={key}"}),
    }


@pytest.mark.parametrize("how", echoes("x"))
@pytest.mark.parametrize("provider", [None, AZURE])
async def test_a_key_that_the_server_repeats_is_redacted(wire, connect, config_of, key, caplog, how, provider):
    caplog.set_level(logging.DEBUG)
    wire.answer = lambda _: echoes(key)[how]()
    config = config_of(provider)
    client = connect(config)
    job = Job("video_1", JobStatus.COMPLETED, "completed")
    for act in (client.submit(config), client.retrieve("video_1"), client.content(job).__aenter__()):
        with pytest.raises(RunnerError) as caught:
            await act
        assert key not in everything(caught.value)
    assert key not in caplog.text


async def test_a_job_that_repeats_the_key_is_redacted_too(wire, connect, config_of, key):
    wire.replies(200, json={"id": "v", "status": "failed", "error": {"message": f"auth {key}"}, "debug": key})
    assert key not in repr(await connect(config_of()).retrieve("v"))


async def test_a_key_that_is_no_header_is_not_shown(serve, config_of):
    from runner.providers.registry import create

    async def never(_reader, _writer):
        raise AssertionError

    async with serve(never) as url:
        config = config_of({"base_url": url})
        provider = create(config.provider, {"OPENAI_API_KEY": "sk-canary\r\nx: y"})
        with pytest.raises(RunnerError) as caught:
            await provider.submit(config)
        await provider.close()
    assert "sk-canary" not in everything(caught.value)


@pytest.mark.parametrize("provider", [None, AZURE])
def test_a_provider_does_not_show_its_key(wire, config_of, key, provider):
    from runner.providers.registry import create

    config = config_of(provider)
    client = create(config.provider, {"OPENAI_API_KEY": key, "AZURE_OPENAI_API_KEY": key}, transport=wire.transport)
    parts = [
        client,
        vars(client),
        client._client,
        vars(client._client),
        client._http,
        client._http.auth,
        vars(client._http),
    ]
    assert key not in repr(parts)
    assert key not in str(client.body(config))


async def test_errors_survive_being_sent_between_processes(wire, connect, config_of):
    wire.replies(401, json={"error": {"message": "no"}})
    with pytest.raises(RunnerError) as caught:
        await connect(config_of()).retrieve("video_1")
    assert caught.value.__suppress_context__
    assert pickle.dumps(str(caught.value))
