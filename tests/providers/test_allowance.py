from __future__ import annotations

import pytest

from runner.providers.allowance import duration, exhausted, renewal
from runner.providers.images import read_images
from runner.providers.job import read_job

NOTHING_LEFT = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1s", 1),
        ("8.64s", 8.64),
        ("6m0s", 360),
        ("1h2m3s", 3723),
        ("1d", 86_400),
        ("250µs", 0.00025),
        ("17", 17),
        ("0.5", 0.5),
        ("0", 0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1x", None),
        ("1s later", None),
        ("inf", None),
        ("1795000000", None),
    ],
)
def test_durations_are_read_in_every_form(text, seconds):
    assert duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (NOTHING_LEFT, 90),
        ({**NOTHING_LEFT, "x-ratelimit-remaining-requests": "1"}, None),
        ({"x-ratelimit-remaining-requests": "0"}, None),
        ({"x-ratelimit-reset-requests": "1s"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20"}, 20),
        ({"x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "20"}, None),
        ({**NOTHING_LEFT, "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2m"}, 120),
        ({**NOTHING_LEFT, "x-ratelimit-reset-requests": "garbage"}, None),
        ({}, None),
    ],
)
def test_a_success_says_when_the_next_request_may_follow_only_if_nothing_remains(headers, seconds):
    assert read_job({"id": "v", "status": "queued"}, headers).submit_after == seconds
    assert read_images([{"data": [{"b64_json": "x"}]}], headers).submit_after == seconds


def test_a_refusal_needs_no_word_on_what_remains():
    assert renewal({"x-ratelimit-reset-requests": "1s"}, refused=True) == 1
    assert not exhausted({"x-ratelimit-reset-requests": "1s"})
