"""What compatible servers cannot keep, through the command line: refused unsent, or said as they read it."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from runner.app import run


@pytest.fixture
def typed(here, small_server, monkeypatch, capsys):
    """Run a command line against the small server, reached as a preset; the exit code and what was said."""
    monkeypatch.setenv("LITELLM_API_KEY", "sk-virtual-key-0123456789")

    def call(preset, *overrides):
        usual = (f"provider={preset}", f"provider.base_url={small_server.base_url}", "provider.poll_interval=0.02",
                 "progress=off")  # fmt: skip
        code = run([*usual, *overrides])
        printed = capsys.readouterr()
        return code, " ".join(f"{printed.err}{printed.out}".split())

    return call


def picture() -> str:
    content = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


@pytest.mark.parametrize(
    ("preset", "overrides", "said", "hint"),
    [
        ("litellm", ["request.variants=[thumbnail]"], "gives no thumbnail of a video", "request.variants=[]"),
        ("litellm", ["delete_remote=true"], "no way to delete a video", "delete_remote=false"),
        ("vllm_omni", ["model=wan2.2-i2v"], "wan2.2-i2v works from an image, and none is given",
         "request.image_list=[PATH]"),
        ("vllm_omni", ["model=qwen-image", "request=image", "model.max_reference_images=1",
                       "request.image_list=[here.png]", "+request.extra_params.cfg_norm=1"],
         "request.extra_params.cfg_norm: is no field that this server reads where it edits images", "remove it"),
    ],
)  # fmt: skip
def test_what_would_be_lost_there_is_refused_and_nothing_is_sent(
    typed, small_server, here, preset, overrides, said, hint
):
    (here / "here.png").write_bytes(base64.b64decode(picture()))
    code, told = typed(preset, *overrides)
    assert code == 2
    assert said in told
    assert hint in told
    assert "nothing was sent" in told
    assert small_server.asked == []


def test_an_image_s_own_parameters_and_no_auto_reach_vllm_omni(typed, small_server):
    small_server.answer = lambda _: (200, {"created": 1, "data": [{"b64_json": picture()}]})
    code, told = typed("vllm_omni", "model=qwen-image", "request=image", "request.size=auto",
                       "+request.extra_params.cfg_norm=true")  # fmt: skip
    assert (code, "warning" in told) == (0, False)
    (asked,) = small_server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/images/generations")
    assert asked.json["extra_params"] == {"cfg_norm": True}
    assert "size" not in asked.json
    assert "cfg_norm" not in asked.json


def test_no_length_becomes_the_model_s_and_that_is_said(typed, small_server):
    code, told = typed("vllm_omni", "model=wan2.2-t2v", "request.duration_seconds=null", "request.aspect_ratio=null",
                       "dry_run=true")  # fmt: skip
    assert code == 0
    assert "null makes a single frame at this server (vllm_omni); 5 seconds are sent" in told
    small_server.answer = lambda _: (400, {"detail": "enough seen"})
    typed("vllm_omni", "model=wan2.2-t2v", "request.duration_seconds=null", "request.aspect_ratio=null")
    (asked,) = small_server.asked
    parts = asked.body.replace(b"\r\n", b"\n")
    assert b'name="seconds"\n\n5\n' in parts
    assert b'name="size"\n\n1280x720\n' in parts


@pytest.mark.parametrize(
    ("preset", "error", "hint"),
    [
        ("litellm", {"error": {"message": "/videos: Invalid model name passed in model=Wan",
                               "type": "invalid_request_error", "code": "400"}}, "model.deployment=NAME"),
        ("vllm_omni", {"detail": "Model mismatch: request specifies 'x' but server is running 'my-wan'."},
         "model.deployment=my-wan"),
        ("litellm", {"error": {"message": "No connected db.", "type": "no_db_connection", "code": "400"}},
         "provider.api_key_env=NAME of the variable that holds the gateway's master key"),
    ],
)  # fmt: skip
def test_a_400_about_the_model_or_the_key_says_what_to_type(typed, small_server, preset, error, hint):
    small_server.answer = lambda _: (400, error)
    code, told = typed(preset, "model=wan2.2-t2v")
    assert code == 1
    assert hint in told
    assert small_server.paths("POST") == ["/v1/videos"]
