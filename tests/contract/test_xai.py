"""What we send to xAI, and what its emulator answers, against the fields of the messages in xAI's own package.

The package speaks protobuf where we post JSON: names, nesting, kinds of values and the words of enums are compared. It
is none of the test dependencies, as it holds other packages back; install it to run these.
"""

from __future__ import annotations

import httpx2
import pytest
from PIL import Image

proto = pytest.importorskip("xai_sdk.proto", reason="xAI's own types: pip install xai-sdk")

from google.protobuf.descriptor import Descriptor, FieldDescriptor  # noqa: E402 - it comes with the types

from runner.config.shipped import names, option  # noqa: E402 - without the types there is nothing to import for
from runner.providers.body import build  # noqa: E402

MODELS = [name for name in names("model") if "xai" in option("model", name)["offers"]]
KEY = {"authorization": "Bearer xai-any"}
SPOKEN = {"response_format": "format"}
"""Fields of the JSON that are called something else in the messages."""
KINDS = {
    FieldDescriptor.TYPE_STRING: str, FieldDescriptor.TYPE_BOOL: bool, FieldDescriptor.TYPE_INT32: int,
    FieldDescriptor.TYPE_INT64: int, FieldDescriptor.TYPE_FLOAT: (int, float),
    FieldDescriptor.TYPE_DOUBLE: (int, float),
}  # fmt: skip


def held(kind: Descriptor, body: dict) -> None:
    """Assert that each value stands in a field of the message, is of its kind and, in an enum, one of its words."""
    for name, value in body.items():
        named = "image_url" if kind is proto.image_pb2.ImageUrlContent.DESCRIPTOR and name == "url" else name
        field = kind.fields_by_name.get(SPOKEN.get(named, named))
        assert field is not None, f"{kind.name} has no {name}"
        assert isinstance(value, list) is field.is_repeated, name
        for each in value if isinstance(value, list) else [value]:
            if field.message_type is not None:
                held(field.message_type, each)
            elif field.enum_type is not None:
                word = f"_{str(each).upper().replace(':', '_').removeprefix('B64_').replace('JSON', 'BASE64')}"
                assert any(known.endswith(word) for known in field.enum_type.values_by_name), (name, each)
            else:
                assert isinstance(each, KINDS[field.type]), name


def kind_of(config) -> Descriptor:
    if config.request.kind == "image":
        return proto.image_pb2.GenerateImageRequest.DESCRIPTOR
    extending = config.request.made_by == "extend"
    return (proto.video_pb2.ExtendVideoRequest if extending else proto.video_pb2.GenerateVideoRequest).DESCRIPTOR


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


@pytest.mark.parametrize("model", MODELS)
def test_every_model_s_usual_request(loaded, composed, model):
    config = loaded("provider=xai", f"model={model}", f"request={composed(f'model={model}')['model']['kind']}")
    held(kind_of(config), build(config).document)


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=grok-imagine-video-1.5", "request.resolution=1080p", "request.aspect_ratio='9:16'"],
        ["model=grok-imagine-video-1.5", "request.generate_audio=false", "request.image_list=[PICTURE]"],
        ["model=grok-imagine-video-1.5", "request.image_list=[PICTURE,PICTURE]"],
        ["model=grok-imagine-video-1.5",
         "request.image_list=[{role: last_frame, image: PICTURE},{role: keyframe, image: PICTURE, seconds: 2.5}]"],
        ["model=grok-imagine-video", "request.video=a0f5", "request.operation=edit"],
        ["model=grok-imagine-video", "request.video=a0f5", "request.operation=extend", "request.duration_seconds=4"],
        ["model=grok-imagine-image-2.0", "request=image", "request.image_list=[PICTURE]", "request.quality=low"],
        ["model=grok-imagine-image-2.0", "request=image", "request.image_list=[PICTURE,PICTURE]", "request.n=2"],
    ],
)  # fmt: skip
def test_whatever_else_is_asked_for(loaded, picture, overrides):
    config = loaded("provider=xai", *(each.replace("PICTURE", picture) for each in overrides))
    body = build(config)
    held(kind_of(config), body.document | ({"video": {"url": "https://a.example/b.mp4"}} if body.target else {}))


def test_a_field_that_is_none_is_found():
    with pytest.raises(AssertionError, match="has no seed"):
        held(proto.video_pb2.GenerateVideoRequest.DESCRIPTOR, {"prompt": "a boat", "seed": 7})


def test_the_emulator_answers_in_the_types_words(make_emulator):
    server = make_emulator(dialect="xai", latency=0)
    body = {"model": "grok-imagine-video", "prompt": "a boat", "duration": 1, "resolution": "480p"}
    with httpx2.Client(base_url=server.base_url, headers=KEY) as http:
        made = http.post("/videos/generations", json=body).json()
        assert made.keys() <= {"request_id"}
        done = http.get(f"/videos/{made['request_id']}").json()
    assert done.pop("status") == "done"
    held(proto.video_pb2.VideoResponse.DESCRIPTOR, done)
