from __future__ import annotations

import base64
import io

import httpx2
import openai
import pytest
from PIL import Image

PROMPT = "A red fox in snow"


def opened(item) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(item.b64_json)))
    image.load()
    return image


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(("form", "kind"), [("png", "PNG"), ("webp", "WEBP"), ("jpeg", "JPEG")])
def test_images_are_what_was_asked_for(client, form, kind):
    answer = client.images.generate(model="gpt-image-2", prompt=PROMPT, size="1536x864", output_format=form)
    image = opened(answer.data[0])
    assert (image.format, image.size, answer.size, answer.output_format) == (kind, (1536, 864), "1536x864", form)


def test_transparent_backgrounds_have_alpha(client):
    answer = client.images.generate(model="gpt-image-1.5", prompt=PROMPT, background="transparent")
    image = opened(answer.data[0])
    assert (answer.background, image.mode) == ("transparent", "RGBA")
    assert image.getpixel((image.width // 2, 1))[3] == 0


def test_siblings_differ_and_repeats_do_not(client):
    first, again = (client.images.generate(model="gpt-image-2", prompt=PROMPT, n=2).data for _ in range(2))
    assert first[0].b64_json != first[1].b64_json
    assert [image.b64_json for image in first] == [image.b64_json for image in again]


def test_a_picture_tells_its_prompt_and_not_which_model_has_made_it(client):
    def edited(model: str, prompt: str) -> str:
        image = ("a.png", png(64, 64), "image/png")  # in the place of the colours, which each model has its own of
        return client.images.edit(model=model, image=image, prompt=prompt, size="1024x1024").data[0].b64_json

    assert edited("gpt-image-2", PROMPT) == edited("gpt-image-1.5", PROMPT) != edited("gpt-image-2", "An owl")
    made = [client.images.generate(model=model, prompt=PROMPT).data[0] for model in ("gpt-image-2", "gpt-image-1.5")]
    assert made[0].b64_json != made[1].b64_json


def test_usage_and_dollars_follow_the_published_figures(emulator, client):
    answer = client.images.generate(model="gpt-image-1.5", prompt=PROMPT, quality="high", size="1024x1024")
    assert answer.usage.output_tokens == 4160
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert emulator.ledger()["images"] == 1
    assert emulator.ledger()["image_usd"] == pytest.approx(0.133, abs=0.001)


def test_edits_take_several_images_and_a_mask(client):
    pictures = [("a.png", png(64, 64), "image/png"), ("b.png", png(32, 64), "image/png")]
    mask = ("mask.png", png(64, 64), "image/png")
    answer = client.images.edit(model="gpt-image-2", image=pictures, mask=mask, prompt=PROMPT, size="1024x1024", n=2)
    assert [opened(item).size for item in answer.data] == [(1024, 1024)] * 2
    assert answer.usage.input_tokens_details.image_tokens > 0


def test_a_mask_of_another_size_is_refused(client):
    picture, mask = ("a.png", png(64, 64), "image/png"), ("mask.png", png(32, 32), "image/png")
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(model="gpt-image-2", image=picture, mask=mask, prompt=PROMPT)
    assert caught.value.param == "mask"


@pytest.mark.parametrize("kind", ["mask", "markup"])
def test_an_overlay_without_alpha_is_refused(client, kind):
    opaque = io.BytesIO()
    Image.new("RGB", (64, 64)).save(opaque, "PNG")
    files = {"image": ("a.png", png(64, 64), "image/png"), kind: ("b.png", opaque.getvalue(), "image/png")}
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(model="gpt-image-2.5-flare", prompt=PROMPT, **files)
    assert caught.value.param == kind


def test_partial_images_are_charged_and_coarser(emulator, client):
    events = list(
        client.images.generate(model="gpt-image-2", prompt=PROMPT, quality="low", stream=True, partial_images=3)
    )
    *partials, last = events
    assert len({partial.b64_json for partial in partials} | {last.b64_json}) == 4
    assert last.usage.output_tokens == 272 + 300


def test_a_cut_stream_has_been_charged(emulator, client):
    options = {"stream": True, "partial_images": 2, "extra_headers": {"x-emulator-fault": "stream_cut;events=2"}}
    stream = client.images.generate(model="gpt-image-2", prompt=PROMPT, **options)
    with pytest.raises(openai.APIConnectionError):
        assert [event.partial_image_index for event in stream] == [0, 1]
    assert emulator.ledger()["images"] == 1


def test_an_error_may_end_a_stream(client):
    options = {"stream": True, "extra_headers": {"x-emulator-fault": "stream_error"}}
    with pytest.raises(openai.APIError, match="error while generating"):
        list(client.images.generate(model="gpt-image-2", prompt=PROMPT, **options))


@pytest.mark.parametrize("size", ["1536x1024", "auto"])
def test_streams_end_with_the_whole_image(client, size):
    events = list(client.images.generate(model="gpt-image-2", prompt=PROMPT, size=size, stream=True, partial_images=2))
    assert [event.type.rpartition(".")[2] for event in events] == ["partial_image", "partial_image", "completed"]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert opened(events[-1]).format == "PNG"


def test_retired_models_still_answer_with_urls(emulator, client):
    answer = client.images.generate(model="dall-e-3", prompt=PROMPT, size="1792x1024")
    content = httpx2.get(answer.data[0].url).content
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (1792, 1024)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": None}, "model"),
        ({"n": 11}, "n"),
        ({"n": 0}, "n"),
        ({"n": True}, "n"),
        ({"size": "1000x1000"}, "size"),
        ({"size": "256x256"}, "size"),
        ({"size": "3840x1024"}, "size"),
        ({"size": "3840x3840"}, "size"),
        ({"size": "big"}, "size"),
        ({"model": "gpt-image-1.5", "size": "1536x864"}, "size"),
        ({"quality": "hd"}, "quality"),
        ({"quality": "xhigh"}, "quality"),
        ({"background": "blue"}, "background"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
        ({"output_format": "bmp"}, "output_format"),
        ({"output_format": "jpeg", "output_compression": 101}, "output_compression"),
        ({"output_compression": 50}, "output_compression"),
        ({"response_format": "b64_json"}, "response_format"),
        ({"partial_images": 4}, "partial_images"),
        ({"seed": 3}, "seed"),
    ],
)
def test_bad_image_parameters_are_named(emulator, client, body, param):
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/images/generations", body={"model": "gpt-image-2", "prompt": PROMPT, **body}, cast_to=dict)
    assert caught.value.param == param
    assert emulator.ledger()["images"] == 0


def test_a_blocked_prompt_is_refused(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="gpt-image-2", prompt=PROMPT, extra_headers={"x-emulator-fault": "moderation"})
    assert caught.value.code == "moderation_blocked"
