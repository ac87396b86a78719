"""`make drift`: a price, a last day or a successor that others publish otherwise is found."""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest

from runner.config.host_catalogue import Read, place, render
from tests.config.drift import (
    differences,
    facts,
    from_genai_prices,
    from_host_list,
    from_litellm,
    installed,
    judge_facts,
    main,
    models,
)

# As LiteLLM's price file has them.
LISTED = {
    "gpt-image-2": {"input_cost_per_token": 5e-06, "input_cost_per_image_token": 8e-06,
                    "output_cost_per_image_token": 3e-05, "cache_read_input_token_cost": 1.25e-06,
                    "cache_read_input_image_token_cost": 2e-06, "output_cost_per_image_token_batches": 1.5e-05},
    "azure/gpt-image-2": {"deprecation_date": "2027-10-21"},
    "azure/gpt-image-1.5": {"successor_model": "azure/gpt-image-2"},
    "openrouter/bytedance/seedance-2.5": {"output_cost_per_video_token": 1.07e-05},
    "openrouter/black-forest-labs/flux.2-pro": {"output_cost_per_pixel": 3e-08},
    "openrouter/minimax/hailuo-3": {"input_cost_per_image": 0.04},
    "xai/grok-imagine-video": {"output_cost_per_second": 0.05, "output_cost_per_second_720p": 0.07},
    "sora-2": {"deprecation_date": "2026-09-24", "output_cost_per_video_per_second": 0.1},
    "low/1024-x-1024/gpt-image-1-mini": {"input_cost_per_image": 0.005},
}  # fmt: skip


@pytest.fixture(scope="module")
def told():
    return [*facts(models())]


def test_what_is_published_alike_is_no_difference(told):
    assert [*differences(told, {"litellm": from_litellm(LISTED)})] == []


def test_another_price_of_a_judge_is_found():
    listed = {"gpt-5.4-mini": {"input_cost_per_token": 7.5e-07, "output_cost_per_token": 5e-06}}
    assert [*differences(judge_facts(), {"litellm": from_litellm(listed)})] == [
        "gpt-5.4-mini at openai, text_out: 4.5 here, 5.0 in litellm"
    ]


@pytest.mark.parametrize(
    ("name", "key", "planted", "said"),
    [
        ("gpt-image-2", "output_cost_per_image_token", 4e-05, "gpt-image-2 at openai, image_out: 30.0 here, 40.0 in"),
        (
            "gpt-image-2",
            "output_cost_per_image_token_batches",
            3e-05,
            "gpt-image-2 at openai, batch image_out: 15.0 here, 30.0 in",
        ),
        ("azure/gpt-image-2", "deprecation_date", "2028-01-01", "gpt-image-2 at azure_openai, retires: 2027-10-21"),
        ("sora-2", "output_cost_per_video_per_second", 0.2, "sora-2 at openai, a second: 0.1 here, 0.2 in"),
        ("xai/grok-imagine-video", "output_cost_per_second_720p", 0.1,
         "grok-imagine-video at xai, a second at 720p: 0.07 here, 0.1 in"),
        ("azure/gpt-image-1.5", "successor_model", "azure/gpt-image-2.5-flare",
         "gpt-image-1.5 at azure_openai, successor: gpt-image-2 here, gpt-image-2.5-flare in"),
        ("openrouter/black-forest-labs/flux.2-pro", "output_cost_per_pixel", 6e-08,
         "flux.2-pro at openrouter, a megapixel: 0.03 here, 0.06 in"),
        ("openrouter/minimax/hailuo-3", "input_cost_per_image", 0.08,
         "hailuo-3 at openrouter, a reference image: 0.04 here, 0.08 in"),
        (
            "low/1024-x-1024/gpt-image-1-mini",
            "input_cost_per_image",
            0.02,
            "gpt-image-1-mini at openai, image low 1024x1024",
        ),
    ],
)  # fmt: skip
def test_a_planted_difference_is_found_and_nothing_else(told, name, key, planted, said):
    listed = copy.deepcopy(LISTED)
    listed[name][key] = planted
    (line,) = differences(told, {"litellm 1.2": from_litellm(listed)})
    assert line.startswith(said)
    assert line.endswith("litellm 1.2")


def test_a_last_day_that_is_unknown_here_is_a_difference(told):
    listed = {"gpt-image-2": {"deprecation_date": "2027-01-01"}}
    (line,) = differences(told, {"litellm": from_litellm(listed)})
    assert line == "gpt-image-2 at openai, retires: unknown here, 2027-01-01 in litellm"


def test_a_package_that_is_here_is_read_and_one_that_is_not_is_named(tmp_path, monkeypatch, capsys):
    package = tmp_path / "litellm"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('it is only read')\n")
    (package / "model_prices_and_context_window_backup.json").write_text(json.dumps(LISTED))
    about = tmp_path / "litellm-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: litellm\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "litellm", raising=False)
    assert "litellm 1.2" in installed()
    if find_spec("genai_prices") is None:
        assert main() == 0
        assert "pip install genai-prices" in capsys.readouterr().out


def test_a_batch_price_that_is_unknown_here_is_a_difference(told):
    listed = {"gpt-image-2.6-flare": {"input_cost_per_token_batches": 2.5e-06}}
    (line,) = differences(told, {"litellm": from_litellm(listed)})
    assert line == "gpt-image-2.6-flare at openai, batch text_in: unknown here, 2.5 in litellm"


def test_what_an_image_model_takes_for_an_image_that_comes_out_is_none_for_one_that_goes_in(told):
    listed = {"xai/grok-imagine-image-2.0": {"input_cost_per_image": 0.06}, "xai/grok-imagine-video": {}}
    assert [*differences(told, {"litellm": from_litellm(listed)})] == []
    listed["xai/grok-imagine-video"] = {"input_cost_per_image": 0.06}
    (line,) = differences(told, {"litellm": from_litellm(listed)})
    assert line == "grok-imagine-video at xai, an input image: 0.002 here, 0.06 in litellm"


@pytest.mark.skipif(find_spec("genai_prices") is None, reason="pip install genai-prices")
def test_the_prices_of_tokens_are_asked_of_genai_prices(told):
    found = {
        fact.what: from_genai_prices(fact) for fact in told if (fact.model, fact.host) == ("gpt-image-2", "openai")
    }
    assert (found["text_in"], found["image_in"], found["image_out"]) == (5.0, 8.0, 30.0)


@pytest.mark.skipif(find_spec("genai_prices") is None, reason="pip install genai-prices")
def test_a_judge_s_price_is_that_of_a_short_request():
    prices = {fact.what: fact.ours for fact in judge_facts() if fact.model == "gpt-5.4"}
    assert prices == {"text_in": 2.5, "cached_text_in": 0.25, "text_out": 15}
    assert [*differences(judge_facts(), {"genai-prices": from_genai_prices})] == []


@pytest.mark.skipif(find_spec("genai_prices") is None, reason="pip install genai-prices")
def test_a_planted_price_of_tokens_is_found_in_genai_prices(told):
    (fact,) = [each for each in told if (each.model, each.host, each.what) == ("gpt-image-2", "openai", "image_in")]
    assert [*differences([fact], {"genai-prices": from_genai_prices})] == []
    (line,) = differences([replace(fact, ours=9.0)], {"genai-prices": from_genai_prices})
    assert line == "gpt-image-2 at openai, image_in: 9.0 here, 8.0 in genai-prices"


def test_a_price_of_video_tokens_is_compared_in_each_resolution(told):
    listed = {"openrouter/bytedance/seedance-2.5": {"output_cost_per_video_token": 9e-06}}
    first, second = differences(told, {"litellm": from_litellm(listed)})
    assert first == "seedance-2.5 at openrouter, a million video tokens at 480p: 10.7 here, 9.0 in litellm"
    assert "at 720p" in second


PLANTED = [
    (
        "veo-3.1-lite",
        "usd_per_silent_second",
        {"default": 0.05, "720p": 0.04},
        "a silent second at 720p: 0.03 here, 0.04",
    ),
    ("veo-3.1-lite", "usd_per_second", {"default": 0.08, "720p": 0.06}, "a second at 720p: 0.05 here, 0.06"),
    ("wan-2.7", "usd_per_second_from_frames", {"default": 0.2}, "a second from frames at 720p: 0.1 here, 0.2"),
    ("wan-2.7", "usd_per_second_from_references", {"default": 0.2}, "a second from references at 720p: 0.1 here, 0.2"),
    (
        "seedance-2.5",
        "usd_per_million_video_tokens",
        {"default": 11},
        "a million video tokens at 480p: 10.7 here, 11.0",
    ),
    (
        "seedance-2.5",
        "usd_per_million_silent_video_tokens",
        {"default": 5},
        "a million silent video tokens at 480p: 10.7",
    ),
    ("flux.2-pro", "usd_per_megapixel", 0.04, "a megapixel: 0.03 here, 0.04"),
    ("hailuo-3", "usd_per_reference_image", 0.05, "a reference image: 0.04 here, 0.05"),
    ("grok-imagine-video", "usd_per_input_image", 0.003, "an input image: 0.002 here, 0.003"),
    ("gen-4.5", "usd_at_least", 0.5, "a video at least: 0 here, 0.5"),
    ("gen-4.5", "usd_per_reference_image", 0.01, "a reference image: 0 here, 0.01"),
    ("qwen-image-3", "usd_per_image", {"default": {"default": 0.05}}, "image default default: 0.03 here, 0.05"),
]


def listed(name, **planted):
    """The model as its host lists it, with a price of its own."""
    (model,) = [each for each in models() if each.name == name]
    offer = type(model.offers["openrouter"]).model_validate({**model.offers["openrouter"].model_dump(), **planted})
    return model.model_copy(update={"offers": {"openrouter": offer}, "refreshed_from": "openrouter"})


@pytest.mark.parametrize(("name", "price", "planted", "said"), PLANTED)
def test_each_kind_of_price_is_compared_with_the_host_s_own_list(told, name, price, planted, said):
    assert [*differences(told, {"its list": from_host_list([listed(name)])})] == []
    found = [*differences(told, {"its list": from_host_list([listed(name, **{price: planted})])})]
    assert any(line.startswith(f"{name} at openrouter, {said}") for line in found), found
    assert {line.partition(" ")[0] for line in found} <= {name}


def test_the_list_that_was_read_last_is_compared_with_and_named(here):
    assert not any("openrouter" in name for name in installed())
    model = listed("hailuo-3", usd_per_reference_image=0.05).model_copy(
        update={"name": "openrouter/minimax/hailuo-3", "source": "a list"}
    )
    path = place("openrouter/minimax/hailuo-3")
    path.parent.mkdir(parents=True)
    path.write_text(render(Read("minimax/hailuo-3", model, None)))
    sources = {name: source for name, source in installed().items() if "openrouter" in name}
    assert [*sources] == [f"the list of openrouter of {model.read}"]
    (line,) = differences(facts(models()), sources)
    assert line.startswith("hailuo-3 at openrouter, a reference image: 0.04 here, 0.05 in the list of openrouter")
