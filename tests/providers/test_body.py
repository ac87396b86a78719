from __future__ import annotations

import base64
import textwrap
from urllib.parse import quote

import pytest
from PIL import Image

from runner.errors import ConfigError
from runner.providers.body import check_body
from runner.providers.reference import Address, media_type, read

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
    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")
    good = str(tmp_path / "good.png")
    (problem,) = check_body(config_of(video="video_1", image_list=[good]))
    assert problem.key == "request.image_list"
    mask, fidelity = check_body(config_of(None, IMAGE | {"validation": "off"}, mask_image=good, input_fidelity="high"))
    assert (mask.key, fidelity.key) == ("request.mask_image", "request.input_fidelity")


def test_images_that_cannot_be_sent_are_named_by_their_key(config_of, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")
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


CAT = b"\xff\xd8\xff\xfb\xef" + bytes(range(256))
B64 = base64.b64encode(CAT).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"data:image/jpeg;base64,{B64}",
        f"data:image/jpeg;base64,{B64.rstrip('=')}",
        f"data:image/jpeg;base64,{B64.replace('+', '-').replace('/', '_')}",
        f"data:image/jpeg;base64,{textwrap.fill(B64, 76)}\n",
        f"data:image/jpeg;base64,{textwrap.fill(B64, 64)}".replace("\n", "\r\n  "),
        f"data:image/jpeg;base64,{quote(B64, safe='')}",
        f"data:image/jpeg;charset=utf-8;base64,{B64}",
        f'data:image/jpeg;name="a,b.jpg"; BASE64,{B64}',
        f"data:;base64,{B64}",
        f"DATA:image/jpeg;Base64,{B64}",
        f"data:image/jpeg,{B64}",
        f"data:image/jpeg,{quote(CAT)}",
        f"  data:image/jpeg;base64,{B64}\n",
        B64,
        textwrap.fill(B64, 76),
    ],
)
def test_an_image_is_read_however_its_text_is_written(config_of, text):
    (image,) = config_of(image_list=[text]).request.images
    assert read(image).content == CAT


def test_addresses_are_known_in_capitals_too(config_of):
    (image,) = config_of(image_list=["HTTPS://images.example/Cat.png"]).request.images
    assert read(image) == Address("HTTPS://images.example/Cat.png")


@pytest.mark.parametrize("image", ["video", "image"])
def test_a_file_that_is_cut_is_refused_before_anything_is_sent(config_of, tmp_path, image):
    path = tmp_path / "cut.jpg"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    config = config_of(None, IMAGE if image == "image" else None, image_list=[str(path)])
    (problem,) = [problem for problem in check_body(config) if problem.severity == "error"]
    assert problem.key == "request.image_list.0"
    assert problem.message.startswith("the input image is cut or damaged: ")
    assert "again" in problem.hint


def test_a_file_that_changed_is_looked_at_again(config_of, tmp_path):
    path = tmp_path / "cat.png"
    config = config_of(image_list=[str(path)], size="1280x720")
    for size, count in (((1280, 720), 0), ((720, 1280), 1), ((1280, 720), 0)):
        Image.effect_noise(size, 50).save(path)
        assert len(check_body(config)) == count


def test_a_directory_is_no_image(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"GIF89a", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"\0\0\0\x18ftypheic", None),
    ],
)
def test_the_type_comes_from_the_content(content, kind):
    assert media_type(content) == kind
