"""What a remix, an edit or an extension hears of a request, and what it costs."""

from __future__ import annotations

import pytest

from runner.config.capability import check
from runner.config.price import estimate, job_cost
from runner.config.restrictions import check_kept

SOURCE = "request.video=video_1"


def said(config, severity: str, overrides=None) -> list[str]:
    problems = [*check(config), *check_kept(config, overrides)]
    return [f"{problem.key}: {problem.message}" for problem in problems if problem.severity == severity]


@pytest.mark.parametrize(("operation", "what", "unsent"), [
    ("remix", "a remix keeps its source's length and size", ["duration_seconds", "aspect_ratio"]),
    ("edit", "an edit keeps its source's length and size", ["duration_seconds", "aspect_ratio"]),
    ("extend", "an extension keeps its source's size", ["aspect_ratio"]),
])  # fmt: skip
def test_what_the_source_decides_is_said_and_stops_nothing(loaded, operation, what, unsent):
    config = loaded(SOURCE, f"request.operation={operation}")
    keys = ", ".join(f"request.{key}" for key in unsent)
    assert said(config, "warning") == [f"request.video: {what} and model; not sent: {keys}"]
    assert said(config, "error") == []


def test_nothing_is_said_where_nothing_is_left_out(loaded):
    assert said(loaded(SOURCE, "request.duration_seconds=null", "request.aspect_ratio=null"), "warning") == []


@pytest.mark.parametrize("preset", ["video", "draft", "landscape", "portrait", "cinematic"])
def test_nothing_is_said_of_what_only_a_preset_gives(loaded, preset):
    typed = [SOURCE, f"request={preset}"]
    assert said(loaded(*typed), "warning", typed) == []


@pytest.mark.parametrize("typed", ["request.duration_seconds=8", "++request.aspect_ratio='16:9'"])
def test_what_was_typed_is_said_also_where_a_preset_gives_the_same(loaded, typed):
    key = typed.lstrip("+").partition("=")[0]
    told = f"request.video: a remix keeps its source's length and size and model; not sent: {key}"
    assert said(loaded(SOURCE, typed), "warning", [SOURCE, typed]) == [told]


def test_what_a_file_of_the_users_gives_is_said(loaded):
    (told,) = said(loaded(SOURCE, "request.size=1280x720"), "warning", [SOURCE])
    assert told.endswith("not sent: request.size")


@pytest.mark.parametrize("seconds", [16, 20])
def test_an_extension_may_be_longer_than_a_new_video(loaded, seconds):
    config = loaded(SOURCE, "request.operation=extend", f"request.duration_seconds={seconds}")
    assert said(config, "error") == []
    assert said(loaded(f"request.duration_seconds={seconds}"), "error") != []


def test_an_extension_by_another_length_names_those_on_offer(loaded):
    config = loaded(SOURCE, "request.operation=extend", "request.duration_seconds=5")
    (error,) = said(config, "error")
    assert error.startswith("request.duration_seconds: Invalid duration for an extension by emulator: 5 seconds. ")
    assert error.endswith("Allowed values: 4, 8, 12, 16, 20")


@pytest.mark.parametrize(("overrides", "usd"), [
    (["request.operation=extend"], 0.8),
    (["request.operation=extend", "model=sora-2-pro"], None),
    (["request.operation=edit"], None),
    ([], None),
])  # fmt: skip
def test_what_depends_on_an_unknown_source_has_an_unknown_price(loaded, overrides, usd):
    assert estimate(loaded(SOURCE, *overrides)) == usd


@pytest.mark.parametrize(("overrides", "seconds", "size", "usd"), [
    (["request.operation=edit"], "12", "720x1280", 1.2),
    (["request.operation=edit", "model=sora-2-pro"], "4", "1792x1024", 2.0),
    (["request.operation=extend", "model=sora-2-pro"], "20", "1792x1024", 4.0),
    (["request.operation=edit"], None, None, None),
    (["request.operation=edit", "model=wan2.2-t2v"], "4", "1280x720", None),
])  # fmt: skip
def test_the_finished_job_tells_what_it_cost(loaded, overrides, seconds, size, usd):
    assert job_cost(loaded(SOURCE, *overrides), seconds, size) == usd


def test_keys_name_the_models_that_take_them(loaded):
    (problem,) = check(loaded("model=gpt-image-2", "request=image", "request.style=vivid"))
    assert problem.hint == "model=dall-e-3 can take it; remove it, or model.validation=warn to run without it"
    (problem,) = check(loaded("request.resolution=720p"))
    assert problem.hint is not None
    assert " or another on provider=openrouter or xai can take it; remove it" in problem.hint
    (problem,) = check(loaded("request.enhance_prompt=true"))
    assert problem.hint is not None
    assert problem.hint.startswith("provider=sglang can take it, for a model whose model.parameters name it")
