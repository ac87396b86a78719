"""Every way to a video, through the real SDK and engine, over HTTP to the emulator."""

from __future__ import annotations

import hashlib
import json

import pytest
from PIL import Image

from runner.artifacts.result_file import read_result
from runner.artifacts.run_status import RunStatus
from runner.engine.execution import run_all


@pytest.fixture
def make(configs, runs, monkeypatch):
    """Execute one run against an emulator: request keys by name; its record and its directory."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    video_config, _ = configs

    def execute(server, *, delete_remote=False, sizes=None, **request):
        config = video_config(server.base_url, poll_interval=0.02, max_poll_attempts=2000)
        request = config.request.model_validate({**config.request.model_dump(), **request})
        model = config.model.model_copy(update={"sizes": sizes})
        config = config.model_copy(update={"request": request, "model": model, "delete_remote": delete_remote})
        (run,) = runs(1, config)
        run_all([run], observer=lambda event: None)
        return read_result(run.directory), run.directory

    return execute


def jobs(server) -> list[dict]:
    return server.ledger()["created"]


@pytest.mark.parametrize(("operation", "seconds", "usd"), [("remix", 4, 0.4), ("edit", 4, 0.4), ("extend", 12, 0.8)])
def test_a_video_is_made_of_an_earlier_run_s(emulator, make, operation, seconds, usd):
    _, directory = make(emulator)
    result, _ = make(emulator, video=str(directory), operation=operation, duration_seconds=8, prompt="Now with snow")
    assert (result.status, result.error) == (RunStatus.VERIFIED, None)
    assert result.artifacts[0].duration_seconds == seconds
    assert result.request_sent["video"] == jobs(emulator)[0]["id"]
    assert result.cost.actual_usd == usd, "the source's length or what was added, not the request's"
    assert [job["usd"] for job in jobs(emulator)] == [0.4, usd]


@pytest.mark.parametrize("way", ["crop", "pad"])
def test_an_image_is_fitted_and_what_was_sent_is_kept_and_recorded(emulator, make, tmp_path, way):
    Image.new("RGB", (400, 400), "white").save(tmp_path / "square.jpg")
    result, directory = make(emulator, image_list=[str(tmp_path / "square.jpg")], image_fit=way)
    assert (result.status, result.error) == (RunStatus.VERIFIED, None)
    sent = (directory / "input-0.png").read_bytes()
    assert result.request_sent["input_reference"] == {
        "file": "input-0.png", "bytes": len(sent), "sha256": hashlib.sha256(sent).hexdigest()}  # fmt: skip
    with Image.open(directory / "input-0.png") as image:
        assert image.size == (1280, 720)
        assert image.getpixel((2, 360)) == ((255, 255, 255) if way == "crop" else (0, 0, 0))
    assert result.config.request.images == (str(tmp_path / "square.jpg"),), "what repeat works from"


def test_an_image_that_fits_is_sent_as_it_is(emulator, make, tmp_path):
    Image.new("RGB", (1280, 720), "white").save(tmp_path / "wide.jpg")
    result, directory = make(emulator, image_list=[str(tmp_path / "wide.jpg")], image_fit="crop")
    assert result.status is RunStatus.VERIFIED
    assert result.request_sent["input_reference"]["file"] == "wide.jpeg"
    assert not (directory / "input-0.png").exists()


def test_a_phone_s_picture_is_sent_upright_and_on_black(emulator, make, tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 8
    Image.new("RGBA", (720, 1280), (0, 0, 0, 0)).save(tmp_path / "phone.png", exif=turned)
    result, directory = make(emulator, image_list=[str(tmp_path / "phone.png")])
    assert (result.status, result.error) == (RunStatus.VERIFIED, None)
    with Image.open(directory / "input-0.png") as image:
        assert (image.size, image.mode) == ((1280, 720), "RGB")
    sent = (directory / "input-0.png").read_bytes()
    assert result.request_sent["input_reference"]["sha256"] == hashlib.sha256(sent).hexdigest()


def test_an_image_at_an_address_is_fetched_and_fitted(emulator, make, render_cache):
    name = "0" * 32 + ".upload"
    Image.new("RGB", (300, 500), "white").save(render_cache / name, "PNG")
    address = f"{emulator.azure_url}/_emulator/media/{name}"
    result, directory = make(emulator, image_list=[address], image_fit="crop")
    assert (result.status, result.error) == (RunStatus.VERIFIED, None)
    assert (directory / "input-0.png").exists()
    assert not list(directory.glob("*.part"))


def test_an_image_that_cannot_be_fetched_costs_nothing(emulator, make):
    address = f"{emulator.azure_url}/_emulator/media/{'1' * 32}.upload"
    result, directory = make(emulator, image_list=[address], image_fit="crop")
    assert result.status is RunStatus.FAILED
    assert "could not be fetched" in result.error.message
    assert jobs(emulator) == []
    assert [path.name for path in directory.iterdir()] == ["result.json"]


def test_the_server_s_own_pictures_come_beside_the_video(emulator, make):
    result, directory = make(emulator, variants=["thumbnail", "spritesheet"])
    names = [artifact.path for artifact in result.artifacts]
    assert names == ["video.mp4", "thumbnail.webp", "remote-thumbnail.webp", "remote-spritesheet.jpg"]
    for artifact in result.artifacts:
        assert hashlib.sha256((directory / artifact.path).read_bytes()).hexdigest() == artifact.sha256
    assert result.artifacts[-1].media_type == "image/jpeg"
    assert result.warnings == []


def test_a_picture_that_is_missing_is_a_warning(make_emulator, make):
    rules = [{"match": {"operation": "content"}, "nth": [2, 3], "fault": "html"}]
    server = make_emulator(rules=rules)
    result, _ = make(server, variants=["spritesheet", "thumbnail"])
    assert result.status is RunStatus.VERIFIED
    assert [artifact.path for artifact in result.artifacts] == ["video.mp4", "thumbnail.webp", "remote-thumbnail.webp"]
    (warning,) = result.warnings
    assert warning.startswith("no spritesheet from the server")


def test_the_remote_job_is_deleted_once_the_video_is_here(emulator, make):
    result, directory = make(emulator, delete_remote=True)
    assert (result.status, result.remote_deleted, result.warnings) == (RunStatus.VERIFIED, True, [])
    assert json.loads((directory / "result.json").read_text())["remote_deleted"] is True
    again, _ = make(emulator, video=result.job_id)
    assert "no video" in again.error.message


def test_a_job_that_cannot_be_deleted_is_a_warning(make_emulator, make):
    server = make_emulator(rules=[{"match": {"operation": "delete"}, "fault": "status", "status": 503}])
    result, _ = make(server, delete_remote=True)
    assert (result.status, result.remote_deleted) == (RunStatus.VERIFIED, False)
    assert "was not deleted at the provider" in result.warnings[0]


def test_a_run_that_failed_deletes_nothing(make_emulator, make):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "fault": "internal"}])
    result, _ = make(server, delete_remote=True)
    assert (result.status, result.remote_deleted) == (RunStatus.FAILED, False)
