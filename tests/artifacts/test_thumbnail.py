"""The small picture of a video's first frame, whatever colours the video is in."""

import io

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from runner.artifacts.picture import small_frame, write_frame

COLOURS = ["crimson", "gold", "seagreen", "royalblue", "orchid", "white", "black", "sienna"]
BT709, FULL = 1, 2


@pytest.fixture
def picture() -> Image.Image:
    picture = Image.new("RGB", (640, 360))
    for number, colour in enumerate(COLOURS):
        picture.paste(colour, (number * 80, 0, number * 80 + 80, 360))
    return picture


def first_frame(picture: Image.Image, pixels: str, **colours: int) -> av.VideoFrame:
    """What a decoder makes of a film of the picture."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = *picture.size, pixels
        for name, value in colours.items():
            setattr(stream.codec_context, name, value)
        frame = av.VideoFrame.from_image(picture)
        matrix = "ITU709" if colours.get("colorspace") == BT709 else "ITU601"
        levels = "JPEG" if colours.get("color_range") == FULL else "MPEG"
        frame = frame.reformat(format=pixels, dst_colorspace=matrix, dst_color_range=levels)
        container.mux([*stream.encode(frame), *stream.encode(None)])
    file.seek(0)
    with av.open(file) as container:
        return next(container.decode(video=0))


def unlike(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures, of 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean) / 3


@pytest.mark.parametrize(
    ("pixels", "colours"),
    [
        ("yuv420p", {}),
        ("yuv420p", {"colorspace": BT709, "color_range": 1}),
        ("yuvj420p", {"color_range": FULL}),
        ("yuv444p", {}),
        ("yuv420p10le", {}),
    ],
    ids=["usual", "high definition", "full range", "all colours", "ten bits"],
)
def test_a_thumbnail_has_the_colours_of_the_video(tmp_path, picture, pixels, colours):
    made = write_frame(small_frame(first_frame(picture, pixels, **colours)), tmp_path)
    with Image.open(tmp_path / "thumbnail.webp") as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (made.width, made.height)) == ("WEBP", (320, 180))
        assert unlike(thumbnail, picture.resize((320, 180))) < 4
    assert (tmp_path / "thumbnail.webp").read_bytes() == made.content


def test_another_ffmpeg_without_webp_is_enough(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", set())
    write_frame(small_frame(first_frame(picture, "yuv420p")), tmp_path)
    with Image.open(tmp_path / "thumbnail.webp") as thumbnail:
        assert unlike(thumbnail, picture.resize((320, 180))) < 4
