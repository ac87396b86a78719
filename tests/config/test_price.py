from __future__ import annotations

import pytest

from runner.config import Estimate, actual_cost, estimate


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
        ["model=gpt-image-2", "request=square_image", "request.quality=low"],
        ["model=gpt-image-1.5", "request=square_image"],
        ["model=gpt-image-1.5", "request=image", "request.quality=low"],
        ["model=gpt-image-1-mini", "request=square_image", "request.quality=high"],
        ["model=sora-2", "model.usd_per_second=null"],
    ],
)
def test_a_price_that_no_source_gives_is_unknown(loaded, overrides):
    assert estimate(loaded(*overrides)) is None


def test_the_actual_cost_comes_from_the_tokens(loaded):
    config = loaded("model=gpt-image-2", "request=image")
    assert actual_cost(config, text_in=1_000_000, image_in=0, image_out=100_000) == pytest.approx(5 + 3)


@pytest.mark.parametrize(
    ("costs", "text"),
    [([0.8, 1.2], "$2.00"), ([0.8, None], "≥ $0.80"), ([None], "unknown"), ([], "$0.00"), ([0.009], "$0.009")],
)
def test_sums_never_hide_what_is_unknown(costs, text):
    assert str(Estimate.total(costs)) == text
