"""Images of any size, and videos made of videos, from a program."""

from __future__ import annotations

import io

from PIL import Image

from runner import VideoGenerationRequest, generate_video


def test_bytes_of_any_size_are_fitted(config):
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(buffer, "JPEG")
    request = VideoGenerationRequest(prompt="A paper boat", duration_seconds=4, aspect_ratio="16:9", image_fit="crop",
                                     image_list=[{"image": buffer.getvalue(), "type": "first_frame"}])  # fmt: skip
    response = generate_video(config, request)
    assert response.resolution == "1280x720"
    assert response.provider_metadata["request_sent"]["input_reference"]["file"] == "input-0.png"


def test_a_finished_video_is_edited_and_extended(config, request_, tmp_path):
    first = generate_video(config, request_, output_dir=tmp_path)
    edit = VideoGenerationRequest(prompt="With snow", video=first.request_id, operation="edit")
    edited = generate_video(config, edit)
    assert edited.duration == 4.0
    assert not [warning for warning in edited.warnings if "request." in warning]
    longer = VideoGenerationRequest(prompt="On it sails", video=str(first.directory), operation="extend",
                                    duration_seconds=8, variants=["spritesheet"])  # fmt: skip
    extended = generate_video(config, longer)
    assert extended.duration == 12.0
    assert (extended.directory / "remote-spritesheet.jpg").exists()
