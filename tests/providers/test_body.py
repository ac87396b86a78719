from __future__ import annotations

import pytest

from runner.errors import ConfigError
from runner.providers import check_body
from runner.providers.reference import media_type, read

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
IMAGE = {"kind": "image"}


@pytest.mark.parametrize("name", ["prompt", "model", "seconds", "size", "input_reference"])
def test_extra_parameters_never_override_a_video_s_mapped_key(config_of, name):
    (problem,) = check_body(config_of(extra_params={name: "x"}))
    assert problem.key == f"request.extra_params.{name}"
    assert "would override" in str(problem)


@pytest.mark.parametrize("name", ["n", "quality", "response_format", "mask", "stream"])
def test_extra_parameters_never_override_an_image_s_mapped_key(config_of, name):
    (problem,) = check_body(config_of(None, IMAGE, extra_params={name: "x"}))
    assert problem.key == f"request.extra_params.{name}"


def test_a_key_given_twice_is_refused(config_of):
    (problem,) = check_body(config_of(seed=1, extra_params={"seed": 2}))
    assert "request.seed is set too" in str(problem)
    assert check_body(config_of(extra_params={"seed": 2})) == []


def test_what_an_operation_has_no_place_for_is_refused_and_not_left_out(config_of, tmp_path):
    (tmp_path / "good.png").write_bytes(PNG)
    good = str(tmp_path / "good.png")
    (problem,) = check_body(config_of(video="video_1", image_list=[good]))
    assert problem.key == "request.image_list"
    mask, fidelity = check_body(config_of(None, IMAGE | {"validation": "off"}, mask_image=good, input_fidelity="high"))
    assert (mask.key, fidelity.key) == ("request.mask_image", "request.input_fidelity")


def test_images_that_cannot_be_sent_are_named_by_their_key(config_of, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "good.png").write_bytes(PNG)
    images = [str(tmp_path / name) for name in ("good.png", "text.png", "missing.png")]
    first, second = check_body(config_of(None, IMAGE, image_list=images))
    assert (first.key, second.key) == ("request.image_list.1", "request.image_list.2")
    assert "is no PNG, JPEG or WebP image" in str(first)
    assert "does not exist" in str(second)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://host/cat.png", "ftp://"),
        ("data:image/png;base64", "comma"),
        ("data:image/png;base64,%%%", "base64 is broken"),
        ("data:text/plain,hello", "no PNG"),
    ],
)
def test_addresses_that_hold_no_image_are_refused(text, said):
    with pytest.raises(ConfigError, match=said):
        read(text)


def test_a_directory_is_no_image(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"GIF89a", None),
    ],
)
def test_the_type_comes_from_the_content(content, kind):
    assert media_type(content) == kind
