"""OpenRouter's list of its models as model files: names, limits and prices, and what stays unknown."""

from __future__ import annotations

import datetime as dt

import pytest

from runner.config.openrouter_models import image_model, option_name, video_model

TODAY = dt.date(2026, 12, 1)


def entry(model_id="google/veo-3.1", **changed):
    return {
        "id": model_id, "name": "Veo", "supported_durations": [8, 4, 6], "supported_resolutions": ["720p", "4K"],
        "supported_aspect_ratios": ["16:9"], "supported_sizes": ["1280x720"], "generate_audio": True, "seed": True,
        "supported_frame_images": ["first_frame", "last_frame"], "pricing_skus": {"duration_seconds": "0.1"}, **changed,
    }  # fmt: skip


def offer(skus, resolutions=("480p", "720p", "1080p", "2K", "4K")):
    made = video_model(entry(pricing_skus=skus, supported_resolutions=[*resolutions]), TODAY)["offers"]["openrouter"]
    return {key: value for key, value in made.items() if key.startswith("usd_")}


@pytest.mark.parametrize(
    ("skus", "prices"),
    [
        ({"duration_seconds": "0.13", "reference_images": "0.04"},
         {"usd_per_second": {"default": 0.13}, "usd_per_reference_image": 0.04}),
        ({"duration_seconds_with_audio": "0.40", "duration_seconds_with_audio_4k": "0.60",
          "duration_seconds_without_audio": "0.20", "duration_seconds_without_audio_4k": "0.40"},
         {"usd_per_second": {"default": 0.4, "4K": 0.6}, "usd_per_silent_second": {"default": 0.2, "4K": 0.4}}),
        ({"duration_seconds": "0.084", "duration_seconds_with_audio": "0.126",
          "text_to_video_duration_seconds_720p": "0.084"},
         {"usd_per_second": {"default": 0.126}, "usd_per_silent_second": {"default": 0.084}}),
        ({"cents_per_image_input": "0.2", "cents_per_video_output_second_480p": "5",
          "cents_per_video_output_second_720p": "7"},
         {"usd_per_second": {"480p": 0.05, "720p": 0.07}, "usd_per_input_image": 0.002}),
        ({"cents_per_second_output": "17", "cents_per_second_output_1080p": "29",
          "cents_per_second_video_continuation_1080p": "53"},
         {"usd_per_second": {"default": 0.17, "1080p": 0.29}}),
        ({"video_tokens": "0.000007", "video_tokens_4k": "0.000004", "video_tokens_4k_with_video_input": "0.0000024"},
         {"usd_per_million_video_tokens": {"default": 7.0, "4K": 4.0}}),
        ({"duration_seconds_2k": "0.09", "reference_duration_seconds_2k": "0.18"}, {"usd_per_second": {"2K": 0.09}}),
        ({"text_to_video_duration_seconds_720p": "0.08", "image_to_video_duration_seconds_720p": "0.10"}, {}),
        ({"video_tokens": "0.0000024", "video_tokens_without_audio": "0.0000012"}, {}),
        ({"cents_per_second_output": "28", "minimum_cents_per_generation": "56"}, {}),
        ({"per_moon_phase": "1"}, {}),
    ],
)  # fmt: skip
def test_prices_are_read_by_their_names_and_what_is_not_certain_is_unknown(skus, prices):
    assert offer(skus) == prices


def test_a_video_model_has_what_its_entry_says():
    made = video_model(entry(), TODAY)
    assert made["name"] == option_name("google/veo-3.1") == "google-veo-3.1"
    assert (made["durations"], made["default_duration"], made["sizes"]) == ([4, 6, 8], 4, ["1280x720"])
    assert (made["resolutions"], made["default_resolution"]) == (["720p", "4K"], "720p")
    assert (made["image_roles"], made["max_reference_images"]) == (["first_frame", "last_frame"], 2)
    assert (made["default_audio"], made["parameters"]) == (True, ["resolution", "generate_audio", "seed"])
    silent = video_model(entry(generate_audio=False, seed=None, supported_sizes=None), TODAY)
    assert (silent["default_audio"], silent["parameters"], silent["sizes"]) == (None, ["resolution"], [])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"supported_durations": None}, "makes no new videos"),
        ({"supported_durations": ["long"]}, "of a length that one chooses"),
        ({"supported_sizes": ["huge"]}, "sizes"),
        ({"id": "x/${oc.env:OPENROUTER_API_KEY}"}, "interpolation"),
        ({"supported_resolutions": ["${oc.env:HOME}"]}, "interpolation"),
    ],
)
def test_what_is_not_understood_is_left_out_with_its_reason(changed, said):
    with pytest.raises((ValueError, TypeError), match=said):
        video_model(entry(**changed), TODAY)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../b", "..", "a b\n/c"])
def test_a_name_is_no_path(name):
    assert "/" not in option_name(name)
    assert not option_name(name).startswith(".")


IMAGE = {
    "id": "qwen/qwen-image-3", "name": "Qwen",
    "supported_parameters": {
        "aspect_ratio": {"type": "enum", "values": ["1:1", "16:9"]}, "resolution": {"type": "enum", "values": ["1K"]},
        "n": {"type": "range", "min": 1, "max": 4}, "input_references": {"type": "range", "min": 0, "max": 3},
        "seed": {"type": "boolean"},
    },
}  # fmt: skip


def line(billable, unit, usd, **more):
    return {"billable": billable, "unit": unit, "cost_usd": usd, **more}


@pytest.mark.parametrize(
    ("lines", "prices"),
    [
        ([line("output_image", "image", 0.03)], {"usd_per_image": {"default": {"default": 0.03}}}),
        ([line("output_image", "image", 0.03), line("input_reference", "image", 0.008)],
         {"usd_per_image": {"default": {"default": 0.03}}, "usd_per_input_image": 0.008}),
        ([line("output_image", "megapixel", 0.03)], {"usd_per_megapixel": 0.03}),
        ([line("output_image", "token", 0.00003)], {}),
        ([line("output_image", "image", 0.03), line("input_text", "token", 0.000001)], {}),
        ([line("output_image", "image", 0.04, variant="2K")], {}),
        ([], {}),
    ],
)  # fmt: skip
def test_an_image_model_has_its_limits_and_its_price_if_there_is_one(lines, prices):
    made = image_model(IMAGE, [{"pricing": lines}], TODAY)
    told = made["offers"]["openrouter"]
    assert {key: value for key, value in told.items() if key.startswith("usd_")} == prices
    assert (made["max_images"], made["max_reference_images"]) == (4, 3)
    assert (made["resolutions"], made["parameters"]) == (["1K"], ["resolution", "seed"])


def test_two_servers_may_have_two_prices():
    servers = [{"pricing": [line("output_image", "image", usd)]} for usd in (0.03, 0.04)]
    assert image_model(IMAGE, servers, TODAY)["offers"]["openrouter"].keys() == {"id", "retires", "successor"}
