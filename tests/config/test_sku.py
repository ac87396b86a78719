"""What a host's price names count, and what a run then costs; a copy of OpenRouter's names of 2026-10-09."""

from __future__ import annotations

import datetime as dt

import pytest
import yaml

from runner.config.capability import check
from runner.config.host_catalogue import id_of, is_unchanged, read_entry, render
from runner.config.host_price import prices
from runner.config.loading import load
from runner.config.price import estimate
from runner.config.shipped import option

IMAGE = "data:image/png;base64,iVBORw0KGgo="
FRAME = {"image_list": [{"role": "first_frame", "image": IMAGE}]}
REFERENCES = {"image_list": [{"role": "reference", "image": IMAGE}] * 2}
HD = ["720p", "1080p"]
VEO = {
    "duration_seconds_with_audio": "0.12", "duration_seconds_with_audio_4k": "0.30",
    "duration_seconds_without_audio": "0.10", "duration_seconds_with_audio_720p": "0.10",
    "duration_seconds_without_audio_4k": "0.25", "duration_seconds_without_audio_720p": "0.08",
}  # fmt: skip
KLING = {
    "duration_seconds": "0.084", "duration_seconds_with_audio": "0.126", "text_to_video_duration_seconds_480p": "0.084",
    "image_to_video_duration_seconds_720p": "0.084", "text_to_video_duration_seconds_1080p": "0.084",
}  # fmt: skip
WAN = {
    "text_to_video_duration_seconds_480p": "0.04", "text_to_video_duration_seconds_720p": "0.08",
    "image_to_video_duration_seconds_720p": "0.10", "text_to_video_duration_seconds_1080p": "0.12",
    "image_to_video_duration_seconds_1080p": "0.15",
}  # fmt: skip
SEEDANCE = {
    "video_tokens": "0.000007", "video_tokens_4k": "0.000004", "video_tokens_1080p": "0.0000077",
    "video_tokens_without_audio": "0.000007", "video_tokens_with_video_input": "0.0000043",
    "video_tokens_4k_with_video_input": "0.0000024", "video_tokens_1080p_with_video_input": "0.0000047",
}  # fmt: skip
OLD_SEEDANCE = {"video_tokens": "0.0000024", "video_tokens_without_audio": "0.0000012"}
FLUX = {
    "cents_per_second_output": "17", "cents_per_second_output_720p": "17", "cents_per_second_output_1080p": "29",
    "cents_per_second_video_continuation_720p": "41", "cents_per_second_video_continuation_1080p": "53",
}  # fmt: skip
GROK = {
    "cents_per_image_input": "0.2", "cents_per_video_output_second_480p": "5", "cents_per_video_output_second_720p": "7"
}  # fmt: skip
HAILUO = {"duration_seconds": "0.13", "reference_images": "0.04"}
HEYGEN = {
    "duration_seconds_2k": "0.09", "duration_seconds_480p": "0.02", "duration_seconds_768p": "0.03",
    "reference_duration_seconds_2k": "0.18", "reference_duration_seconds_480p": "0.04",
    "reference_duration_seconds_768p": "0.06",
}  # fmt: skip
ALEPH = {"cents_per_second_output": "28", "minimum_cents_per_generation": "360"}


def entry(skus, resolutions, **more):
    return {
        "id": "maker/film-1", "supported_resolutions": resolutions, "supported_durations": [6, 4, 8],
        "supported_aspect_ratios": ["16:9", "9:16"], "supported_sizes": None, "generate_audio": True, "seed": None,
        "supported_frame_images": ["first_frame", "last_frame"], "pricing_skus": skus, **more,
    }  # fmt: skip


def read(given, kind="video", shipped=None, served=()):
    return read_entry(given, kind, "openrouter", "http://host/videos/models", "2026-11-30", shipped, served)


def run(given, **request):
    """Return a run with the model that an entry describes, as its file says."""
    text = render(read(given))
    assert is_unchanged(text)
    chosen = {**option("request", "video"), "duration_seconds": 8, **request}
    config, problems = load(
        {"provider": option("provider", "openrouter", {}), "model": yaml.safe_load(text), "request": chosen}
    )
    assert problems == []
    return config


def tokens(width, height):
    return width * height * 24 * 8 / 1024 / 1e6


@pytest.mark.parametrize(
    ("skus", "resolutions", "request_", "usd"),
    [
        (VEO, [*HD, "4K"], {}, 0.80),
        (VEO, [*HD, "4K"], {"resolution": "1080p"}, 0.96),
        (VEO, [*HD, "4K"], {"resolution": "4k"}, 2.40),
        (VEO, [*HD, "4K"], {"generate_audio": False}, 0.64),
        (VEO, [*HD, "4K"], {"generate_audio": False, "resolution": "1080p"}, 0.80),
        (VEO, [*HD, "4K"], {"generate_audio": False, "resolution": "4K"}, 2.00),
        (KLING, ["720p"], {}, 8 * 0.126),
        (KLING, ["720p"], {"generate_audio": False}, 8 * 0.084),
        (KLING, ["720p"], FRAME, 8 * 0.126),
        ({"duration_seconds": "0.1120"}, ["720p"], {}, 8 * 0.112),
        (WAN, HD, {}, 0.64),
        (WAN, HD, FRAME, 0.80),
        (WAN, HD, {**FRAME, "resolution": "1080p", "generate_audio": False}, 1.20),
        (SEEDANCE, ["480p", *HD, "4K"], {}, tokens(1280, 720) * 7),
        (SEEDANCE, ["480p", *HD, "4K"], {"resolution": "1080p", "generate_audio": False}, tokens(1920, 1080) * 7.7),
        (SEEDANCE, ["480p", *HD, "4K"], {"resolution": "4K"}, tokens(3840, 2160) * 4),
        (OLD_SEEDANCE, HD, {}, tokens(1280, 720) * 2.4),
        (OLD_SEEDANCE, HD, {"generate_audio": False}, tokens(1280, 720) * 1.2),
        (FLUX, HD, {}, 1.36),
        (FLUX, HD, {"resolution": "1080p"}, 2.32),
        (GROK, ["480p", "720p"], FRAME, 0.562),
        (GROK, ["480p", "720p"], {"resolution": "480p"}, 0.40),
        (HAILUO, ["2K"], {}, 1.04),
        (HAILUO, ["2K"], REFERENCES, 1.12),
        (HEYGEN, ["480p", "768p", "2K"], {}, 0.24),
        (HEYGEN, ["480p", "768p", "2K"], REFERENCES, 0.48),
        (HEYGEN, ["480p", "768p", "2K"], {"resolution": "2k"}, 0.72),
        (ALEPH, ["720p"], {}, 3.60),
        ({"duration_seconds": 0.1}, ["720p"], {}, 0.80),
    ],
)  # fmt: skip
def test_each_kind_of_price_that_the_host_has(skus, resolutions, request_, usd):
    config = run(entry(skus, resolutions), **request_)
    assert estimate(config) == pytest.approx(usd)
    assert [problem for problem in check(config) if problem.severity == "error"] == []


@pytest.mark.parametrize(
    ("skus", "said"),
    [
        ({"per-video-second": "0.1"}, "name is not readable"),
        ({"duration_seconds": "0.1", "per_request": "1"}, "it is not known what per_request counts"),
        ({"cents_per_megapixel_second_precise": "7.5", "cents_per_megapixel_second_creative": "10.5"}, "not known"),
        ({"duration_seconds": "0.1", "video_tokens": "0.1"}, "by seconds and by tokens"),
        ({"duration_seconds_4k": "0.1"}, "none of its prices"),
        ({"reference_images": "0.1"}, "none of its prices"),
        # Nobody says what a video from text with sound at 720p costs.
        ({"duration_seconds_with_audio": "0.2", "duration_seconds_720p": "0.1"}, "several hold"),
        ({}, "lists none"), (None, "lists none"), ([1], "lists none"),
        *(({"duration_seconds": bad}, "not readable") for bad in
          ("NaN", "Infinity", "-1", "1e9", "", "a", "${oc.env:HOME}", True, None, [], "1" * 99, float("inf"))),
        ({"${oc.env:HOME}": "1"}, "not readable"), ({"a\n# b: c": "1"}, "not readable"),
    ],
)  # fmt: skip
def test_what_is_not_understood_has_no_price_and_says_why(skus, said):
    found = read(entry(skus, ["720p"]))
    assert said in found.unknown_price
    assert "${" not in render(found)
    assert estimate(run(entry(skus, ["720p"]))) is None


def test_a_length_that_is_the_host_s_to_choose_has_no_price():
    assert prices({"cents_per_second_output": "3"}, ["720p"], timed=False).unknown
    assert estimate(run(entry({"cents_per_second_output": "3"}, None, supported_durations=None))) is None


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "a/../b", "/a/b", "a/b/c", "a\\b/c", "a/b.", "a/..", "a/${x}", "a/b\n", "a", "", "con/a",
     "a/nul.x", "a/b:free", "a/b c", "a/" + "b" * 99, "é/b", None, 7, ["a/b"]],
)  # fmt: skip
def test_no_id_is_a_path_or_anything_but_a_name(name):
    assert id_of({"id": name}) is None
    assert isinstance(read(entry({}, None, id=name)), str)


@pytest.mark.parametrize("kind", ["video", "image"])
@pytest.mark.parametrize(
    "bad", ["${oc.env:HOME}", "720p\nx: 1", "720p'", "!!python/object:a", "🜁", 7, None, True, {"a": 1}, ["720p"]]
)
def test_nothing_that_looks_odd_gets_into_a_file(kind, bad):
    given = entry(
        {"duration_seconds": "1"}, [bad, "720p"], supported_durations=[bad, 4, 10**12], description=bad, name=bad,
        canonical_slug=bad, supported_sizes=[bad], supported_aspect_ratios=[bad, "16:9"], generate_audio=bad, seed=bad,
        supported_frame_images=[bad], architecture=bad,
        supported_parameters={
            "resolution": {"values": [bad, "720p"]}, "n": {"max": bad}, "size": bad, "quality": {"values": bad},
            "aspect_ratio": {"values": [bad]}, str(bad): bad,
        },
    )  # fmt: skip
    found = read(given, kind)
    text = render(found)
    assert (found.model.resolutions, found.model.aspect_ratios.keys() - {"16:9"}) == (("720p",), set())
    assert not {"$", "!", "'", "🜁"} & {*"".join(line for line in text.splitlines() if line.strip()[:1] != "#")}


def test_what_the_list_does_not_tell_is_the_shipped_model_s():
    found = read(entry(VEO, HD), shipped=option("model", "veo-3.1"))
    assert found.model.image_roles == ("first_frame", "last_frame", "reference")
    assert found.model.max_reference_images == 3
    assert read(entry(VEO, HD)).model.image_roles == ("first_frame", "last_frame")


def test_an_image_model_has_the_sizes_and_numbers_that_the_list_tells():
    parameters = {
        "resolution": {"type": "enum", "values": ["1K", "1.5K", "512"]},
        "aspect_ratio": {"type": "enum", "values": ["1:1", "auto"]},
        "n": {"type": "range", "min": 1, "max": 4},
        "quality": {"type": "enum", "values": ["low"]},
        "input_references": {"type": "range", "max": 3},
        "seed": {"type": "boolean"},
    }
    model = read({"id": "a/b", "supported_parameters": parameters}, "image").model
    assert (model.resolutions, model.qualities, model.max_images) == (("1K", "1.5K", "512"), ("low",), 4)
    assert (model.aspect_ratios, model.max_reference_images) == ({"1:1": None}, 3)
    assert model.parameters == {"resolution", "seed"}


def line(billable, unit, usd, **more):
    return {"billable": billable, "unit": unit, "cost_usd": usd, **more}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([line("output_image", "image", 0.03)], {"usd_per_image": {"default": {"default": 0.03}}}),
        ([line("output_image", "megapixel", "0.03")], {"usd_per_megapixel": 0.03}),
        (
            [
                line("output_image", "image", 0.05),
                line("input_reference", "image", 0.002),
                line("input_image", "image", 0.001),
            ],
            {"usd_per_image": {"default": {"default": 0.05}}, "usd_per_input_image": 0.002},
        ),
    ],
)
def test_an_image_s_price_is_its_only_server_s(lines, told):
    found = read({"id": "a/b"}, "image", served=[{"pricing": lines}])
    offer = found.model.offers["openrouter"].model_dump(exclude_none=True)
    assert (offer, found.unknown_price) == ({"id": "a/b", **told}, None)


@pytest.mark.parametrize(
    "served",
    [
        [],
        [{"pricing": [line("output_image", "image", 0.03)]}] * 2,
        [{"pricing": []}],
        [{"pricing": "free"}],
        ["odd"],
        [{"pricing": [line("output_image", "token", 0.03)]}],
        [{"pricing": [line("output_image", "image", 0.03, variant="2K")]}],
        [{"pricing": [line("output_image", "image", 0.03), line("output_image", "image", 0.04)]}],
        [{"pricing": [line("output_image", "image", 0.03), line("output_image", "megapixel", 0.04)]}],
        [{"pricing": [line("output_image", "image", 0.03), line("request", "request", 0.04)]}],
        [{"pricing": [line("output_image", "image", "NaN")]}],
        [{"pricing": [line("input_image", "image", 0.03)]}],
        [{"pricing": [line(["output_image"], {"image": 1}, 0.03), 7]}],
    ],
)
def test_an_image_s_price_that_is_not_certain_is_unknown(served):
    found = read({"id": "a/b"}, "image", served=served)
    assert found.unknown_price
    assert found.model.offers["openrouter"].usd_per_image is None


def test_data_older_than_a_month_says_from_when_it_is():
    config = run(entry(VEO, HD))
    day = config.model.read
    assert check(config, today=day + dt.timedelta(days=30)) == []
    (told,) = check(config, today=day + dt.timedelta(days=31))
    assert told.severity == "warning"
    assert "2026-11-30, 31 days ago" in told.message
    assert told.hint == "python -m runner models --refresh openrouter"
