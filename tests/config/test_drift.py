"""`make drift`: a price or a last day that others publish otherwise is found."""

from __future__ import annotations

import copy
import json
import sys
from importlib.util import find_spec

import pytest

from tests.config.drift import differences, facts, from_genai_prices, from_litellm, installed, main, models

# As LiteLLM's price file has them.
LISTED = {
    "gpt-image-2": {"input_cost_per_token": 5e-06, "input_cost_per_image_token": 8e-06,
                    "output_cost_per_image_token": 3e-05, "cache_read_input_token_cost": 1.25e-06,
                    "cache_read_input_image_token_cost": 2e-06, "output_cost_per_image_token_batches": 1.5e-05},
    "azure/gpt-image-2": {"deprecation_date": "2027-10-21"},
    "sora-2": {"deprecation_date": "2026-09-24", "output_cost_per_video_per_second": 0.1},
    "low/1024-x-1024/gpt-image-1-mini": {"input_cost_per_image": 0.005},
}  # fmt: skip


@pytest.fixture(scope="module")
def told():
    return [*facts(models())]


def test_what_is_published_alike_is_no_difference(told):
    assert [*differences(told, {"litellm": from_litellm(LISTED)})] == []


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
        ("sora-2", "output_cost_per_video_per_second", 0.2, "sora-2 at openai, second: 0.1 here, 0.2 in"),
        (
            "low/1024-x-1024/gpt-image-1-mini",
            "input_cost_per_image",
            0.02,
            "gpt-image-1-mini at openai, image low 1024x1024",
        ),
    ],
)
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
    assert line == "grok-imagine-video at xai, input image: 0.002 here, 0.06 in litellm"


@pytest.mark.skipif(find_spec("genai_prices") is None, reason="pip install genai-prices")
def test_the_prices_of_tokens_are_asked_of_genai_prices(told):
    found = {
        fact.what: from_genai_prices(fact) for fact in told if (fact.model, fact.host) == ("gpt-image-2", "openai")
    }
    assert (found["text_in"], found["image_in"], found["image_out"]) == (5.0, 8.0, 30.0)
