from __future__ import annotations

import io

import av
import openai
import pytest
from PIL import Image

PROMPT = "A timelapse of a city skyline from dawn to dusk"


@pytest.fixture
def timed(make_emulator, connect, clock):
    """A client of an emulator whose jobs take 100 s of a clock that stands still."""
    return connect(make_emulator(latency=100, time_scale=1, retention=1000, now=clock).base_url)


def test_a_job_goes_from_queued_to_completed_by_the_clock_alone(timed, clock):
    job = timed.videos.create(prompt=PROMPT, model="sora-2", seconds="4", size="1280x720")
    seen = []
    for elapsed in (0, 9, 11, 50, 99, 100, 150):
        clock.time = job.created_at + elapsed
        now = timed.videos.retrieve(job.id)
        seen.append((now.status, now.progress))
    assert [status for status, _ in seen] == ["queued"] * 2 + ["in_progress"] * 3 + ["completed"] * 2
    progress = [percent for _, percent in seen]
    assert progress == sorted(progress)
    assert (progress[0], progress[4], progress[5]) == (0, 98, 100)
    assert now.completed_at == job.created_at + 100
    assert now.expires_at == job.created_at + 1000


def test_a_clock_that_runs_backwards_does_no_harm(timed, clock):
    job = timed.videos.create(prompt=PROMPT)
    clock.time -= 3600
    assert timed.videos.retrieve(job.id).status == "queued"


@pytest.mark.parametrize(
    ("size", "seconds", "model"),
    [("1280x720", "8", "sora-2"), ("720x1280", "4", "sora-2"), ("1024x1792", "4", "sora-2-pro")],
)
def test_the_video_is_what_was_asked_for(emulator, client, wait, size, seconds, model):
    job = wait(client, client.videos.create(prompt=PROMPT, model=model, seconds=seconds, size=size))
    answer = client.videos.download_content(job.id)
    content = answer.read()
    assert answer.response.headers["content-type"] == "video/mp4"
    assert int(answer.response.headers["content-length"]) == len(content)
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(io.BytesIO(content)) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert file.duration == int(seconds) * av.time_base
        assert (f"{video.width}x{video.height}", video.average_rate, video.frames) == (size, 24, int(seconds) * 24)
        assert (video.codec_context.name, video.pix_fmt, audio.codec_context.name) == ("h264", "yuv420p", "aac")
        assert sum(1 for _ in file.decode(video=0)) == int(seconds) * 24


def test_thumbnail_and_spritesheet_are_images(client, wait):
    job = wait(client, client.videos.create(prompt=PROMPT))
    thumbnail = client.videos.download_content(job.id, variant="thumbnail")
    sheet = client.videos.download_content(job.id, variant="spritesheet")
    with Image.open(io.BytesIO(thumbnail.read())) as image:
        assert (image.format, image.size) == ("WEBP", (720, 1280))
    with Image.open(io.BytesIO(sheet.read())) as image:
        assert (image.format, image.width) == ("JPEG", 900)


def test_content_before_the_end_is_a_conflict(timed):
    job = timed.videos.create(prompt=PROMPT)
    with pytest.raises(openai.ConflictError, match="not ready"):
        timed.videos.download_content(job.id)


def test_content_after_the_retention_is_gone(timed, clock):
    job = timed.videos.create(prompt=PROMPT)
    clock.time += 1000
    with pytest.raises(openai.NotFoundError, match="expired"):
        timed.videos.download_content(job.id)
    assert timed.videos.retrieve(job.id).status == "completed"


def test_list_pages_in_both_orders(client):
    ids = [client.videos.create(prompt=PROMPT).id for _ in range(5)]
    assert [job.id for job in client.videos.list(limit=2)] == ids[::-1]
    assert [job.id for job in client.videos.list(limit=2, order="asc")] == ids
    page = client.videos.list(limit=2, after=ids[2])
    assert ([job.id for job in page.data], page.has_more) == ([ids[1], ids[0]], False)


def test_a_deleted_job_is_gone_but_paid(emulator, client, wait):
    job = wait(client, client.videos.create(prompt=PROMPT))
    assert client.videos.delete(job.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(job.id)
    assert client.videos.list().data == []
    assert emulator.ledger()["jobs"] == 1


def test_a_running_job_cannot_be_deleted(timed):
    job = timed.videos.create(prompt=PROMPT)
    with pytest.raises(openai.ConflictError):
        timed.videos.delete(job.id)


def test_remix_edit_and_extend_build_on_a_finished_job(emulator, client, wait):
    job = wait(client, client.videos.create(prompt=PROMPT, size="1280x720"))
    remix = client.videos.remix(job.id, prompt="by night")
    assert (remix.remixed_from_video_id, remix.size, remix.seconds, remix.prompt) == (
        job.id,
        "1280x720",
        "4",
        "by night",
    )
    body = {"prompt": "and then", "video": {"id": job.id}, "seconds": "8"}
    assert client.post("/videos/extensions", body=body, cast_to=dict)["seconds"] == "12"
    assert (
        client.post("/videos/edits", body={"prompt": "x", "video": {"id": job.id}}, cast_to=dict)["size"] == "1280x720"
    )
    usd = [made["usd"] for made in emulator.ledger()["created"]]
    assert usd == [0.4, 0.4, 0.8, 0.4]


def test_an_uploaded_video_can_be_edited_and_lend_its_face(client, wait):
    job = wait(client, client.videos.create(prompt=PROMPT))
    content = client.videos.download_content(job.id).read()
    assert client.videos.edit(prompt="by night", video=("clip.mp4", content, "video/mp4")).seconds == "4"
    character = client.videos.create_character(name="Ada", video=("clip.mp4", content, "video/mp4"))
    assert client.videos.get_character(character.id).name == "Ada"


def test_a_remix_of_an_unfinished_job_is_refused(timed):
    job = timed.videos.create(prompt=PROMPT)
    with pytest.raises(openai.BadRequestError, match="not completed"):
        timed.videos.remix(job.id, prompt="by night")


def test_prices_by_model_and_size(emulator, client):
    for model, size in (("sora-2", "1280x720"), ("sora-2-pro", "1280x720"), ("sora-2-pro", "1792x1024")):
        client.videos.create(prompt=PROMPT, model=model, seconds="12", size=size)
    ledger = emulator.ledger()
    assert [made["usd"] for made in ledger["created"]] == [1.2, 3.6, 6.0]
    assert (ledger["jobs"], ledger["usd"]) == (3, 10.8)


def test_json_and_multipart_mean_the_same(client):
    body = {"prompt": PROMPT, "model": "sora-2", "seconds": "8", "size": "1280x720"}
    by_json = client.post("/videos", body=body, cast_to=dict)
    by_form = client.videos.create(**body).to_dict()
    assert {**by_json, "id": "", "created_at": 0} == {**by_form, "id": "", "created_at": 0}


def test_padding_keeps_the_video_playable(make_emulator, connect, wait):
    client = connect(make_emulator(video_bytes=3_000_000).base_url)
    job = wait(client, client.videos.create(prompt=PROMPT))
    content = client.videos.download_content(job.id).read()
    assert len(content) == 3_000_000
    with av.open(io.BytesIO(content)) as file:
        assert file.duration == 4 * av.time_base


def test_unfinished_jobs_hint_when_to_look_again(make_emulator, connect, clock):
    client = connect(make_emulator(poll_after=5, time_scale=1, latency=10, now=clock).base_url)
    job = client.videos.create(prompt=PROMPT)
    answer = client.videos.with_raw_response.retrieve(job.id)
    assert answer.headers["openai-poll-after-ms"] == "5000"
    clock.time += 10
    assert "openai-poll-after-ms" not in client.videos.with_raw_response.retrieve(job.id).headers


def test_a_reference_image_is_seen_in_the_video(make_emulator, connect, wait):
    client = connect(make_emulator(shared_clips=False).base_url)
    file = io.BytesIO()
    Image.new("RGB", (1280, 720), (0, 200, 0)).save(file, "PNG")
    picture = ("green.png", file.getvalue(), "image/png")
    job = wait(client, client.videos.create(prompt=PROMPT, size="1280x720", input_reference=picture))
    thumbnail = client.videos.download_content(job.id, variant="thumbnail").read()
    with Image.open(io.BytesIO(thumbnail)) as image:
        red, green, blue = image.convert("RGB").getpixel((640, 100))
    assert green > 180
    assert max(red, blue) < 40


def test_a_rendering_that_fails_is_a_server_error(make_emulator, connect, wait, tmp_path):
    blocked = tmp_path / "media"
    blocked.write_text("a file where the folder should be")
    client = connect(make_emulator(media_dir=blocked).base_url)
    with pytest.raises(openai.InternalServerError, match="log says why"):
        client.videos.create(prompt=PROMPT)
