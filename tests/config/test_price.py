from __future__ import annotations

import pytest
from PIL import Image

from runner.config.estimate import Estimate
from runner.config.price import actual_cost, estimate, expected_price, reserved
from runner.config.shipped import names


@pytest.mark.parametrize(
    ("overrides", "usd"),
    [
        ([], 0.8),
        (["request.duration_seconds=12"], 1.2),
        (["request.duration_seconds=null"], 0.4),
        (["model=sora-2-pro"], 2.4),
        (["model=sora-2-pro", "request.aspect_ratio='16:10'"], 4.0),
        (["model=sora-2-pro", "request.size=1024x1792", "request.duration_seconds=4"], 2.0),
        (["request.number_of_videos=3"], 2.4),
        (["model=gpt-image-1.5", "request=square_image", "request.quality=low"], 0.009),
        (["model=gpt-image-1.5", "request=square_image", "request.quality=high", "request.n=2"], 0.266),
        (
            ["model=gpt-image-1.5", "request=square_image", "request.quality=low", "request.partial_images=2"],
            0.009 + 200 * 32 / 1e6,
        ),
        (["model=gpt-image-1.5", "request=square_image", "request.quality=low", "request.partial_images=0"], 0.009),
    ],
)
def test_the_estimate_is_the_list_price(loaded, overrides, usd):
    assert estimate(loaded(*overrides)) == pytest.approx(usd)


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=gpt-image-1", "request=square_image", "request.quality=low"],
        ["model=gpt-image-2", "request=square_image", "model.output_tokens=null"],
        ["model=gpt-image-2", "request=square_image", "model.usd_per_million_tokens=null"],
        ["provider=vllm_omni", "model=gpt-image-2", "request=square_image", "provider.base_url=http://127.0.0.1:1/v1"],
        ["model=sora-2", "model.usd_per_second=null"],
    ],
)
def test_a_price_that_no_source_gives_is_unknown(loaded, overrides):
    assert (estimate(loaded(*overrides)), reserved(loaded(*overrides))) == (None, None)


@pytest.mark.parametrize(
    ("overrides", "output_usd"),
    [
        (["model=gpt-image-2", "request.size=1024x1024", "request.quality=high"], 7034 * 30e-6),
        (["model=gpt-image-2", "request.size=1024x1024"], 7034 * 30e-6),
        (["model=gpt-image-2", "request.size=1024x1024", "request.quality=auto", "request.n=3"], 3 * 7034 * 30e-6),
        (["model=gpt-image-2", "request.size=1024x1536", "request.quality=low"], 408 * 30e-6),
        (["model=gpt-image-2", "request.size=auto"], 7034 * 30e-6),
        (["model=gpt-image-2", "request.size=2048x2048", "request.quality=high"], 6240 * 8 / 3 * 30e-6),
        (["model=gpt-image-2", "request.size=896x896", "request.quality=low"], 272 * (7 / 8) ** 2 * 30e-6),
        (["model=gpt-image-2.6-flare", "request.size=1024x1024", "request.quality=xhigh"], 2 * 7034 * 30e-6),
        (["model=gpt-image-2.6-flare", "request.size=1024x1024", "request.quality=max"], 4 * 7034 * 30e-6),
        (["model=gpt-image-1.5", "request.size=1024x1024"], 4160 * 32e-6),
        (["model=gpt-image-1.5", "request.size=auto", "request.quality=low"], 408 * 32e-6),
        (["model=gpt-image-1-mini", "request.size=1024x1024", "request.quality=high"], 4160 * 8e-6),
    ],
)
def test_without_a_list_price_the_tokens_are_estimated(loaded, overrides, output_usd):
    config = loaded("request=image", "request.prompt=" + "x" * 300, *overrides)
    found = expected_price(config)
    assert found.basis == "tokens"
    prompt = 100 * config.model.usd_per_million_tokens.text_in / 1e6
    assert found.usd == pytest.approx(output_usd + prompt, abs=1e-6)
    assert reserved(config) == pytest.approx(found.usd * 1.25, abs=1e-6), "with the margin, until it is known"
    assert estimate(config) == found.usd


def test_what_goes_in_is_estimated_too(loaded, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    usual = (
        "request=square_image",
        "request.quality=low",
        f"request.image_list=['{tmp_path}/a.png','{tmp_path}/a.png']",
    )
    plain, fine = (
        expected_price(loaded("model=gpt-image-1.5", *usual, f"request.input_fidelity={fidelity}"))
        for fidelity in ("low", "high")
    )
    assert (plain.basis, fine.basis) == ("tokens", "tokens"), "the list price is of the output alone"
    assert fine.usd - plain.usd == pytest.approx(2 * 6240 * 8 / 1e6)
    assert plain.usd > 0.009 + 2 * 325 * 8 / 1e6
    sketched = expected_price(loaded("model=gpt-image-2", "request=square_image", "request.partial_images=3"))
    unsketched = expected_price(loaded("model=gpt-image-2", "request=square_image"))
    assert sketched.usd - unsketched.usd == pytest.approx(300 * 30 / 1e6)


@pytest.mark.parametrize(
    "name", [name for name in names("model") if name.startswith("gpt-image-") and name != "gpt-image-1"]
)
def test_every_image_model_that_is_sold_has_an_estimate_of_each_quality(loaded, name):
    config = loaded(f"model={name}", "request=image")
    costs = [estimate(loaded(f"model={name}", "request=image", f"request.quality={q}")) for q in config.model.qualities]
    assert all(0.001 < cost < 2 for cost in costs)
    ordered = [cost for quality, cost in zip(config.model.qualities, costs, strict=True) if quality != "auto"]
    assert ordered == sorted(ordered)


def test_the_actual_cost_comes_from_the_tokens(loaded):
    config = loaded("model=gpt-image-2", "request=image")
    assert actual_cost(config, text_in=1_000_000, image_in=0, image_out=100_000) == pytest.approx(5 + 3)


def test_text_in_the_output_and_what_was_sent_before_have_their_own_prices(loaded):
    config = loaded("model=gpt-image-1.5", "request=image")
    used = {"text_in": 1000, "image_in": 2000, "image_out": 5000}
    plain = actual_cost(config, **used)
    assert plain == pytest.approx((1000 * 5 + 2000 * 8 + 5000 * 32) / 1e6)
    assert actual_cost(config, **used, text_out=1000) == pytest.approx(plain - 1000 * (32 - 10) / 1e6)
    assert actual_cost(config, **used, cached_in=800) == pytest.approx(plain - 800 * (5 - 1.25) / 1e6)
    both = 1000 * (5 - 1.25) + 500 * (8 - 2)
    assert actual_cost(config, **used, cached_in=1500) == pytest.approx(plain - both / 1e6)
    assert actual_cost(config, **used, cached_in=99_999, text_out=99_999) > 0


@pytest.mark.parametrize("used", [(-1, 0, 5), (0, 0, 0), (0, 0, -5), (10**400, 0, 5), (1, 0, 10**30)])
def test_a_use_that_cannot_be_true_costs_nobody_knows_what(loaded, used):
    config = loaded("model=gpt-image-2", "request=image")
    assert actual_cost(config, **dict(zip(("text_in", "image_in", "image_out"), used, strict=True))) is None


@pytest.mark.parametrize(
    ("costs", "text"),
    [([0.8, 1.2], "$2.00"), ([0.8, None], "≥ $0.80"), ([None], "unknown"), ([], "$0.00"), ([0.009], "$0.009")],
)
def test_sums_never_hide_what_is_unknown(costs, text):
    assert str(Estimate.total(costs)) == text


@pytest.mark.parametrize(("costs", "text"), [([0.8], "about $0.80"), ([0.8, None], "≥ $0.80"), ([None], "unknown")])
def test_sums_of_estimates_say_so(costs, text):
    assert str(Estimate.total(costs, rough=True)) == text
