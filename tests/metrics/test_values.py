"""Each built-in metric against what can be said of a film or a picture without it."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from runner.metrics.catalog import BUILT_IN, find
from runner.metrics.metric import Metric
from runner.metrics.pictures import likeness, quoted

from .conftest import grey, noise, tone

SCREENSHOT = Path(__file__).parents[1] / "browser/screenshots/grid.webp"


@pytest.mark.parametrize("level", [0, 0.2, 1])
def test_brightness_is_that_of_the_picture(value, picture, film, level):
    assert value("brightness", picture(grey(level))) == pytest.approx(level, abs=0.01)
    assert value("brightness", film([grey(level)] * 3)) == pytest.approx(level, abs=0.01)


def test_contrast_is_half_where_one_half_is_black_and_one_white(value, picture):
    halves = grey(0)
    halves[:24] = 255

    assert value("contrast", picture(halves)) == pytest.approx(0.5)
    assert value("contrast", picture(grey(0.5))) == pytest.approx(0, abs=1e-6)


def test_a_grey_picture_has_no_colour_and_a_red_and_green_one_much(value, picture):
    coloured = grey(0)
    coloured[:24, :, 0] = 255
    coloured[24:, :, 1] = 255

    assert value("colourfulness", picture(grey(0.5))) == pytest.approx(0, abs=1e-4)
    # Of red minus green ±255, and of their mean 127.5 everywhere: a deviation of 255, and 0.3 of a mean of 127.5.
    assert value("colourfulness", picture(coloured)) == pytest.approx(255 + 0.3 * 127.5, rel=0.01)


def test_a_blurred_picture_is_less_sharp(value, picture):
    sharp = value("sharpness", picture(noise(1)))
    soft = Image.fromarray(noise(1)).filter(ImageFilter.GaussianBlur(2))

    assert value("sharpness", picture(np.asarray(soft))) < sharp / 50
    assert value("sharpness", picture(grey(0.5))) == 0


def test_sharpness_is_the_variance_of_the_laplacian(value, picture):
    spot = grey(0)
    spot[20, 20] = 255
    edges = np.zeros((46, 62))
    edges[19, 19] = 4 * 255
    for across, down in ((18, 19), (20, 19), (19, 18), (19, 20)):
        edges[across, down] = -255

    assert value("sharpness", picture(spot)) == pytest.approx(edges.var(), rel=1e-4)


def test_motion_grows_with_what_changes(value, film):
    still = [noise(1)] * 5
    little = [np.roll(noise(1) // 8, number, 1) for number in range(5)]
    much = [noise(number) for number in range(5)]

    found = [value("motion", film(pictures)) for pictures in (still, little, much)]
    assert found[0] == 0
    assert found == sorted(found)
    assert found[2] > 5 * found[1]


def test_flicker_is_what_goes_up_and_down_and_no_fade(value, film):
    fade = [grey(number / 20) for number in range(20)]
    flicker = [grey(0.5 + 0.1 * (number % 2)) for number in range(20)]

    assert value("flicker", film(fade)) < 0.005
    assert value("flicker", film(flicker)) == pytest.approx(0.2, abs=0.01)


def test_black_frames_are_counted(value, film):
    assert value("black_frames", film([grey(0)] * 3 + [grey(0.5)] * 9)) == 0.25
    assert value("black_frames", film([noise(1)] * 2)) == 0


def test_a_frame_that_shows_the_same_again_is_a_duplicate(value, film):
    doubled = list(itertools.chain.from_iterable([noise(number)] * 2 for number in range(6)))

    assert value("duplicated_frames", film(doubled)) == pytest.approx(6 / 11)
    assert value("duplicated_frames", film([noise(number) for number in range(6)])) == 0


def test_a_picture_that_stands_still_for_half_a_second_is_frozen(value, film):
    moving = [noise(number) for number in range(24)]

    assert value("frozen_frames", film(moving + [noise(99)] * 24)) == pytest.approx(0.5, abs=0.05)
    assert value("frozen_frames", film(moving + [noise(99)] * 8)) == 0, "a third of a second is no freeze"
    assert value("frozen_frames", film([noise(99)] * 24)) == 1


def test_a_full_scale_tone_has_the_loudness_of_the_standard(value, film):
    """ITU-R BS.1770: 997 Hz at 0 dB of full scale in one channel is -3.01 LUFS."""
    assert value("loudness", film([grey(0)], tone(2))) == pytest.approx(-3.01, abs=0.05)
    assert value("loudness", film([grey(0)], tone(2, level=0.1))) == pytest.approx(-23.01, abs=0.05)


def test_deep_tones_count_less_than_high_ones(value, film):
    loud = {hertz: value("loudness", film([grey(0)], tone(2, hertz=hertz))) for hertz in (40, 997, 4000)}

    assert loud[40] < loud[997] - 3
    assert loud[4000] == pytest.approx(loud[997] + 3.3, abs=0.7), "the shelf of the standard's first filter"


def test_a_pause_does_not_make_a_sound_less_loud(value, film):
    paused = np.concatenate([tone(2, level=0.1), np.zeros(96_000, np.float32)])

    assert value("loudness", film([grey(0)], paused)) == pytest.approx(-23.01, abs=0.5)
    assert value("loudness", film([grey(0)], np.zeros(96_000, np.float32))) == -70


def test_silence_is_a_share_of_the_time(value, film):
    sound = np.concatenate([tone(1.5), np.zeros(24_000, np.float32)])

    assert value("silence", film([grey(0)], sound)) == pytest.approx(0.25, abs=0.01)


def test_what_is_beyond_full_scale_is_clipped(value, film):
    clipped = np.clip(tone(1, level=2**0.5), -1, 1)

    # A sine is above 1/√2 of its height for half of the time.
    assert value("clipping", film([grey(0)], clipped)) == pytest.approx(0.5, abs=0.01)
    assert value("clipping", film([grey(0)], tone(1, level=0.9))) == 0


def test_without_sound_there_is_no_number(value, film, picture):
    for name in ("loudness", "silence", "clipping"):
        assert value(name, film([grey(0)] * 2)) is None
        assert value(name, picture(grey(0))) is None


def test_what_was_asked_for_is_held_against_what_came(value, film, picture):
    path = film([grey(0)] * 48)

    assert value("size_error", path, width=64, height=48) == 0
    assert value("size_error", path, width=64, height=96) == 0.5
    assert value("size_error", picture(grey(0)), width=32, height=48) == 1
    assert value("duration_error", path, seconds=4) == pytest.approx(2, abs=0.01)
    assert value("fps_error", path, fps=30) == pytest.approx(6, abs=0.05)
    assert value("size_error", path) is value("duration_error", path) is value("fps_error", path) is None


def test_the_first_frame_is_compared_with_the_image_that_was_sent(value, film, picture):
    shapes = np.kron(np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    path = film([shapes, noise(2)])

    assert value("first_frame_likeness", path, first_frame=picture(shapes)) == pytest.approx(1, abs=0.01)
    assert value("first_frame_likeness", path, first_frame=picture(noise(5))) < 0.3
    assert value("first_frame_likeness", path) is None


def test_replicas_that_look_almost_the_same_are_counted(value, picture):
    pytest.importorskip("imagehash")
    shapes = np.kron(np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    nearly = np.clip(shapes.astype(int) + 4, 0, 255).astype(np.uint8)
    own, like, unlike = picture(shapes, "a.png"), picture(nearly, "b.png"), picture(noise(7), "c.png")

    assert value("near_duplicates", own, siblings=(like, unlike)) == 1
    assert value("near_duplicates", unlike, siblings=(like, own)) == 0
    assert value("near_duplicates", own) is None


def test_what_moves_has_no_number_of_a_picture(value, picture):
    for name in ("motion", "flicker", "frozen_frames", "duplicated_frames", "duration_error"):
        assert value(name, picture(grey(0)), seconds=4) is None


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ('A sign that says "OPEN LATE", at night', ["OPEN LATE"]),
        ("A poster with “Été” and 'sun', by a painter's friend who didn't sleep", ["Été", "sun"]),
        ("A fox without a word", []),
        ('"!" on a wall', []),
    ],
)
def test_lettering_is_what_the_prompt_quotes(prompt, asked):
    assert quoted(prompt) == asked


def test_lettering_that_is_nearly_right_counts_in_part():
    assert likeness("OPEN LATE", ["open", "Late!"]) == 1
    assert likeness("OPEN LATE", ["we are OPEN LAKE today"]) == pytest.approx(7 / 8)
    assert likeness("OPEN LATE", []) == 0


def test_asked_lettering_is_read(value, picture):
    pytest.importorskip("rapidocr", reason="rapidocr is not installed: pip install '.[metrics-ocr]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install '.[metrics-ocr]'")
    sign = Image.new("RGB", (640, 200), "white")
    ImageDraw.Draw(sign).text((60, 60), "OPEN LATE", "black", ImageFont.load_default(60))
    path = picture(np.asarray(sign))

    assert value("lettering", path, prompt='A sign that says "OPEN LATE"') == 1
    assert value("lettering", path, prompt='A sign that says "KLMRW"') < 0.5
    assert value("lettering", path, prompt="A sign") is None


def test_a_distorted_picture_is_less_natural(value, picture):
    pytest.importorskip("brisque", reason="brisque is not installed: pip install '.[metrics-quality]'")
    pytest.importorskip("cv2", reason="OpenCV is not installed: pip install '.[metrics-quality]'")
    shown = Image.open(SCREENSHOT).convert("RGB").resize((320, 200))
    noisy = np.asarray(shown) + np.random.default_rng(1).normal(0, 60, (200, 320, 3))

    plain = value("brisque", picture(np.asarray(shown)))
    assert plain < value("brisque", picture(np.clip(noisy, 0, 255).astype(np.uint8), "noisy.png"))
    assert value("brisque", picture(grey(0.5)[:20, :20], "small.png")) is None


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_metric_tells_range_unit_better_and_source(name):
    metric = find(name)

    assert issubclass(metric, Metric)
    words = [word for word in ("Range:", "Unit:", "Better:", "Source:") if word in metric.__doc__]
    assert words == ["Range:", "Unit:", "Better:", "Source:"]
    said = metric.__doc__.partition("Better:")[2].split()[0].strip(".,;")
    assert said == (metric.better or "depends")


def test_the_documentation_has_every_metric():
    page = (Path(__file__).parents[2] / "docs/metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\w+) \|$", page, re.MULTILINE)

    assert rows == [(name, find(name).better or "depends") for name in BUILT_IN]
