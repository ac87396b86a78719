from __future__ import annotations

import base64
import copy
import gc
import io
import json
import multiprocessing
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from runner import (
    ConfigError,
    ImageGenerationConfig,
    ImageGenerationRequest,
    IncompleteAnswerError,
    RunnerError,
    VideoGenerationRequest,
    generate_image,
    generate_video,
)


@pytest.fixture
def picture() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (1280, 720), "teal").save(content, "PNG")
    return content.getvalue()


def test_images_are_bytes_with_type_path_and_usage(image_config, tmp_path):
    request = ImageGenerationRequest(prompt="A boat", size="1024x1024", quality="low", n=2)
    response = generate_image(image_config, request)
    assert [image[:4] for image in response.images] == [b"\x89PNG"] * 2
    assert response.image.content_type == response.content_type == "image/png"
    assert response.usage["output_tokens"] > 0
    assert response.cost.actual_usd > 0
    assert [path.name for path in response.save_all(tmp_path / "kept")] == ["image-0.png", "image-1.png"]
    assert response.request_id.startswith("request_")


def made_elsewhere(config):
    return generate_image(config, ImageGenerationRequest(prompt="A boat", size="1024x1024", quality="low"))


def test_a_response_of_another_process_keeps_its_files_until_it_is_closed(image_config, tmp_path):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        response = pool.submit(made_elsewhere, image_config).result()
    again = pickle.loads(pickle.dumps(copy.deepcopy(response)))
    del response
    gc.collect()
    assert again.save(tmp_path).read_bytes() == again.image
    again.close()
    assert not again.directory.exists()
    for use in (lambda: again.image, lambda: again.save(tmp_path / "more" / "boat.png")):
        with pytest.raises(
            RunnerError, match=r"image-0\.png is gone: the response was closed, its process ended"
        ) as caught:
            use()
        assert "output_dir" in caught.value.hint
    assert not (tmp_path / "more").exists()


def test_every_key_of_the_command_lines_requests_is_taken(image_config):
    request = ImageGenerationRequest(prompt="A boat", output_format="webp", output_compression=50)
    assert generate_image(image_config, request).image.content_type == "image/webp"


def test_an_unknown_deployment_gets_the_newest_rules(image_config):
    response = generate_image(
        image_config.model_copy(update={"model": "my-images"}), ImageGenerationRequest(prompt="A boat")
    )
    assert any("my-images" in warning for warning in response.warnings)
    assert response.cost.actual_usd is None


def forms(picture: bytes, directory: Path) -> dict[str, object]:
    path = directory / "boat.png"
    path.write_bytes(picture)
    text = base64.b64encode(picture).decode()
    return {
        "path": path,
        "text of a path": str(path),
        "bytes": picture,
        "bytes with their type": {"content": picture, "content_type": "image/png"},
        "base64": text,
        "data URL": f"data:image/png;base64,{text}",
    }


@pytest.mark.parametrize("form", ["path", "text of a path", "bytes", "bytes with their type", "base64", "data URL"])
def test_a_reference_image_comes_in_any_form(config, picture, tmp_path, form):
    image = {"image": forms(picture, tmp_path)[form], "type": "first_frame"}
    request = VideoGenerationRequest(prompt="It sails", duration_seconds=4, aspect_ratio="16:9", image_list=[image])
    response = generate_video(config, request)
    assert response.provider_metadata["request_sent"]["input_reference"]["bytes"] == len(picture)


def test_images_are_edited_within_a_mask(emulator, picture):
    config = ImageGenerationConfig(provider="openai", model="gpt-image-2", api_key="k" * 20, base_url=emulator.base_url)
    mask = io.BytesIO()
    Image.new("RGBA", (1280, 720)).save(mask, "PNG")
    request = ImageGenerationRequest(prompt="At night", image_list=[picture], mask_image=mask.getvalue())
    assert generate_image(config, request).provider_metadata["request_sent"]["operation"] == "edit"


def test_partial_images_are_told_as_files_and_kept_with_the_response(image_config):
    updates = []
    request = ImageGenerationRequest(prompt="A boat", partial_images=2)
    response = generate_image(image_config, request, on_progress=updates.append)
    told = [update for update in updates if update.partial_image]
    assert [(update.status, update.progress_percent) for update in told] == [("processing", 33), ("processing", 67)]
    assert tuple(update.partial_image for update in told) == response.partial_paths
    assert all(path.stat().st_size for path in response.partial_paths)
    assert [path.name for path in response.paths] == ["image-0.png"]


def test_markup_comes_as_bytes(emulator, picture):
    config = ImageGenerationConfig(
        provider="openai", model="gpt-image-2.5-flare", api_key="k" * 20, base_url=emulator.base_url
    )
    markup = io.BytesIO()
    Image.new("RGBA", (1280, 720)).save(markup, "PNG")
    request = ImageGenerationRequest(prompt="At night", image_list=[picture], markup_image=markup.getvalue())
    assert generate_image(config, request).provider_metadata["request_sent"]["markup"]["file"] == "markup.png"


def test_bytes_that_are_no_image_are_refused(config):
    with pytest.raises(ConfigError, match="no PNG, JPEG or WebP"):
        generate_video(config, VideoGenerationRequest(prompt="It sails", image_list=[b"%PDF-1.7"]))


class HalfGone(BaseHTTPRequestHandler):
    """Answers one image of two as base64, and one at an address whose time is over."""

    def log_message(self, *_args: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        content = io.BytesIO()
        Image.new("RGB", (1024, 1024), "teal").save(content, "PNG")
        images = [{"b64_json": base64.b64encode(content.getvalue()).decode()}, {"url": "/gone?Expires=1000000000"}]
        self._reply(200, json.dumps({"created": 1, "data": images}).encode())

    def do_GET(self) -> None:
        self._reply(404, b'{"error": {"message": "Request has expired"}}')

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_images_of_half_an_answer_stay_where_they_are(caplog, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), HalfGone) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = ImageGenerationConfig(
            provider="openai",
            model="gpt-image-2",
            api_key="a-key",
            base_url=f"http://127.0.0.1:{server.server_port}/v1",
        )
        with pytest.raises(IncompleteAnswerError, match="1 of 2 images are here"):
            generate_image(config, ImageGenerationRequest(prompt="A boat", size="1024x1024", n=2))
        server.shutdown()
    (kept,) = tmp_path.glob("runner-*/**/image-0.png")
    assert kept.read_bytes().startswith(b"\x89PNG")
    assert str(next(tmp_path.iterdir())) in caplog.text
