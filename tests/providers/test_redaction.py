"""A key that a server spells differently is taken out all the same, and none hangs on to an error."""

from __future__ import annotations

import base64
import html
import json
import logging
from urllib.parse import quote

import httpx2
import pytest

from runner.errors import RunnerError
from runner.providers.client import redactor
from runner.providers.credentials import EntraCredential, EnvironmentCredential

SECRET = "c/na+ry=7&3a<9>c1e"
ENV = {"OPENAI_API_KEY": SECRET, "AZURE_OPENAI_API_KEY": SECRET}
AZURE = {"kind": "azure_openai", "base_url": "https://res.openai.azure.com", "auth": "api_key"}
IMAGE = {"kind": "image"}
JSON = {"content-type": "application/json"}


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


SPELLINGS = {
    "as it is": SECRET,
    "in an address": quote(SECRET, safe=""),
    "in a page": html.escape(SECRET),
    "in base64": base64.b64encode(SECRET.encode()).decode(),
    "in base64 of more": base64.b64encode(f"user:{SECRET} and more".encode()).decode(),
    "in base64 for addresses": base64.urlsafe_b64encode(f"u:{SECRET}".encode()).decode(),
}


def shown(text: str) -> list[str]:
    """The spellings of the secret that a text holds, base64 by the part that no neighbour touches."""
    core = [base64.b64encode(b"." * n + SECRET.encode()).decode()[n + 1 : -4] for n in range(3)]
    words = [SECRET, quote(SECRET, safe=""), html.escape(SECRET), *core]
    return [word for word in words if word in text or word.replace("+", "-").replace("/", "_") in text]


@pytest.mark.parametrize("how", SPELLINGS)
@pytest.mark.parametrize("provider", [None, AZURE])
async def test_an_error_is_redacted_however_the_key_is_spelt(wire, connect, config_of, how, provider):
    text = SPELLINGS[how]
    assert shown(text)
    answers = [
        httpx2.Response(401, json={"error": {"message": f"bad {text}", "code": text}}),
        httpx2.Response(403, text=f"<html><title>{text}</title>{text}</html>"),
        httpx2.Response(400, json={text: [text]}, headers={"x-request-id": text}),
    ]
    for answer in answers:
        wire.answer = lambda _, answer=answer: answer
        with pytest.raises(RunnerError) as caught:
            await connect(config_of(provider), ENV).retrieve("video_1")
        assert shown(f"{vars(caught.value)} {caught.value}") == []


async def test_a_key_whose_letters_a_page_numbers_is_found_after_reading(wire, connect, config_of):
    numbered = "".join(f"&#{ord(letter)};" for letter in SECRET)
    wire.replies(403, text=f"<html><title>{numbered}</title></html>")
    with pytest.raises(RunnerError) as caught:
        await connect(config_of(), ENV).retrieve("video_1")
    assert shown(str(caught.value)) == []
    assert "[redacted]" in str(caught.value)


async def test_a_key_whose_letters_json_escapes_is_found_after_reading(wire, connect, config_of):
    text = f'{{"id": "v", "status": "failed", "error": {{"message": "{escaped(SECRET)}"}}, "{escaped(SECRET)}": 1}}'
    wire.replies(200, text=text, headers={**JSON, "x-request-id": f"r {SECRET}"})
    job = await connect(config_of(), ENV).retrieve("v")
    assert shown(repr(job)) == []
    assert "[redacted]" in str(job.error_message)
    assert job.request_id == "r [redacted]"


async def test_a_stream_is_redacted_too(wire, connect, config_of):
    done = {"type": "image_generation.completed", "b64_json": "aGk=", "revised_prompt": f"a cat {SECRET}",
            "debug": {"authorization": SECRET}}  # fmt: skip
    text = f"event: image_generation.completed\ndata: {json.dumps(done)}\n\n"
    wire.replies(200, content=text.encode(), headers={"content-type": "text/event-stream", "x-request-id": SECRET})
    config = config_of(None, IMAGE, partial_images=1)
    assert shown(repr(await connect(config, ENV).generate(config))) == []


@pytest.mark.parametrize("provider", [None, AZURE])
@pytest.mark.parametrize("failing", [401, 500, None])
async def test_no_error_leads_to_a_request_that_still_has_the_key(wire, connect, config_of, provider, failing):
    if failing:
        wire.replies(failing, json={"error": {"message": "no"}})
    else:
        wire.raises(httpx2.ReadTimeout("slow"))
    with pytest.raises(RunnerError) as caught:
        await connect(config_of(provider), ENV).retrieve("video_1")
    assert SECRET in str(wire.requests[0].headers.multi_items()), "it was sent"
    seen, error = [], caught.value
    while error is not None:
        seen.append(getattr(error, "request", None))
        error = error.__cause__ or error.__context__
    requests = [request for request in seen if request is not None]
    assert requests, "what the SDK raised is behind it"
    assert all(SECRET not in str(request.headers.multi_items()) for request in requests)


async def test_a_log_that_tells_everything_does_not_tell_the_key(serve, config_of, caplog):
    from runner.providers.registry import create

    async def echo(_reader, writer):
        content = json.dumps({"error": {"message": SECRET}}).encode()
        head = f"HTTP/1.1 401 no\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        await writer.drain()

    caplog.set_level(logging.DEBUG)
    async with serve(echo) as url:
        config = config_of({"base_url": url})
        provider = create(config.provider, ENV)
        with pytest.raises(RunnerError):
            await provider.submit(config)
        await provider.close()
    assert len(caplog.records) > 5, "the HTTP client told what it did"
    assert shown(caplog.text) == []


async def test_short_words_are_no_secrets():
    from pydantic import SecretStr

    credential = EnvironmentCredential("Authorization", "KEY", SecretStr("none"))
    assert redactor(credential.secrets)("none of it") == "none of it"


async def test_tokens_that_came_later_are_redacted_from_then_on():
    class Token:
        token, expires_on = SECRET, 9e9

    class Signer:
        def get_token(self, *_, **__):
            return Token

    credential = EntraCredential(Signer, "scope", clock=lambda: 0.0)
    redact = redactor(credential.secrets)
    assert redact(SECRET) == SECRET
    await credential.value()
    assert redact(SECRET) == "[redacted]"
