"""Whether an input image has the size of the video that it begins."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from runner.errors import ConfigError
from runner.providers.body import build, check_body


@pytest.fixture
def picture(tmp_path):
    """A picture's path."""

    def make(width: int, height: int, form: str = "PNG") -> str:
        path = tmp_path / f"{width}x{height}.{form.lower()}"
        Image.new("RGB", (width, height), "teal").save(path, form)
        return str(path)

    return make


def said(config) -> list[str]:
    return [f"{problem.severity} {problem}" for problem in check_body(config)]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_an_image_of_the_video_s_size_passes(config_of, picture, form):
    assert said(config_of(image_list=[picture(1280, 720, form)], aspect_ratio="16:9")) == []


def test_another_size_is_refused_with_both_sizes_and_what_helps(config_of, picture):
    (problem,) = check_body(config_of(image_list=[picture(640, 480)], aspect_ratio="16:9"))
    assert (problem.severity, problem.key) == ("error", "request.image_list.0")
    assert problem.message == "is 640x480, and the video is to be 1280x720: the API wants the same size"
    assert problem.hint == "request.image_fit=crop or pad, or the request.size of the image"


def test_a_picture_on_its_side_has_the_size_that_is_seen(config_of, tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (1280, 720)).save(tmp_path / "phone.jpg", exif=turned)
    images = [str(tmp_path / "phone.jpg")]
    (problem,) = check_body(config_of(image_list=images, size="1280x720"))
    assert problem.message.startswith("is 720x1280 (upright, as its EXIF note turns it), and the video is to be 1280x")
    assert check_body(config_of(image_list=images, size="720x1280")) == []


def test_an_address_is_not_given_to_a_server_that_does_not_fetch(config_of):
    gateway = {"kind": "compatible", "dialect": "litellm", "base_url": "https://gateway.example/v1"}
    (problem,) = check_body(config_of(gateway, {"sizes": None}, image_list=["http://images.example/cat.png"]))
    assert "unencrypted" in problem.message


def test_a_data_url_is_looked_at_too(config_of):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    assert "is 8x8, and the video is to be 720x1280" in said(config_of(image_list=[url]))[0]


@pytest.mark.parametrize(("validation", "count"), [("warn", 1), ("off", 0)])
def test_validation_decides_how_grave_it_is(config_of, picture, validation, count):
    config = config_of(model={"validation": validation}, image_list=[picture(640, 480)], size="1280x720")
    assert [line.partition(" ")[0] for line in said(config)] == ["warning"] * count


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_what_is_going_to_be_fitted_may_have_any_size(config_of, picture, fit):
    assert said(config_of(image_list=[picture(640, 480)], size="1280x720", image_fit=fit)) == []


def test_a_model_of_any_size_scales_by_itself(config_of, picture):
    image, open_model = picture(640, 480), {"sizes": None}
    assert said(config_of(model=open_model, image_list=[image], size="1280x720")) == []
    assert said(config_of(model=open_model, image_list=[image], size="1280x720", image_fit="pad")) == []
    assert "needs to know the video's size" in said(config_of(model=open_model, image_list=[image], image_fit="pad"))[0]


def test_an_unencrypted_address_is_not_fetched(config_of):
    addresses = ["http://a.example/1.png"]
    assert "unencrypted" in said(config_of(image_list=addresses, size="1280x720", image_fit="crop"))[0]
    assert said(config_of(image_list=["http://127.0.0.1/1.png"], size="1280x720", image_fit="crop")) == []
    assert said(config_of(image_list=addresses, size="1280x720")) == [], "the server is told, and fetches it"


def test_an_image_may_be_named_by_its_role(config_of, picture):
    image = picture(1280, 720)
    for role in ("first_frame", "reference"):
        config = config_of(image_list=[{"role": role, "image": image}], size="1280x720")
        assert (config.request.images, config.request.image_roles) == ((image,), (role,))
        assert build(config).record == build(config_of(image_list=[image], size="1280x720")).record


@pytest.mark.parametrize("validation", ["warn", "off"])
def test_a_last_frame_never_becomes_the_first_by_leniency(config_of, picture, validation):
    config = config_of(model={"validation": validation}, image_list=[{"role": "last_frame", "image": picture(8, 8)}])
    with pytest.raises(ConfigError, match="no field for a last_frame"):
        build(config)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"role": "poster", "image": "a.png"}, "an image cannot be 'poster' to a video"),
        ({"role": "keyframe", "image": "a.png"}, "a keyframe has its second"),
        ({"role": "first_frame", "image": "a.png", "seconds": 2}, "no other image has one"),
        ({"role": "first_frame"}, "an image is a path"),
        ({"image": "a.png", "strength": 1}, "an image is a path"),
    ],
)
def test_roles_that_nobody_takes_are_refused(config_of, entry, words):
    with pytest.raises(ValueError, match=words):
        config_of(image_list=[entry])
