from __future__ import annotations

import copy
import gc
import pickle

import pytest

from runner import generate_video
from runner.api.media import Folder, Media, write
from runner.errors import RunnerError


@pytest.fixture
def media(tmp_path):
    path = tmp_path / "video.mp4"
    path.write_bytes(b"ftyp-and-more")
    return Media.read(path, "video/mp4", Folder(tmp_path))


def test_media_are_a_mapping_too(media):
    assert "content" in media
    assert "content_type" in media
    assert "url" not in media
    assert (media["content"], media["content_type"]) == (b"ftyp-and-more", "video/mp4")
    assert (media.get("content_type"), media.get("url"), media.get("url", 1)) == ("video/mp4", None, 1)
    assert dict(media) == {**media} == dict(media.items()) == {"content": b"ftyp-and-more", "content_type": "video/mp4"}
    assert list(media.values()) == [b"ftyp-and-more", "video/mp4"]
    assert media == {"content": b"ftyp-and-more", "content_type": "video/mp4"}
    assert media != {"content": b"other", "content_type": "video/mp4"}
    with pytest.raises(KeyError, match="url"):
        media["url"]


def test_media_stay_bytes(media):
    assert isinstance(media, bytes)
    assert media == b"ftyp-and-more"
    assert b"and" in media
    assert ord("f") in media
    assert (media[0], media[:4], len(media)) == (ord("f"), b"ftyp", 13)
    assert {media: 1}[b"ftyp-and-more"] == 1


@pytest.mark.parametrize(
    "given",
    [
        b"\x89PNG",
        {"content": b"\x89PNG", "content_type": "image/png"},
        "iVBORw==",
        "data:image/png;base64,iVBORw==",
    ],
)
def test_media_that_were_given_by_hand_are_written_as_bytes(given, tmp_path):
    assert write(given, "image.png", tmp_path).read_bytes() == b"\x89PNG"
    assert write(given, "image.png", tmp_path / "new" / "a.png").read_bytes() == b"\x89PNG"


def test_an_address_is_not_written(tmp_path):
    with pytest.raises(RunnerError, match="holds an address"):
        write("https://example.com/video.mp4", "video.mp4", tmp_path)


def test_what_was_closed_is_said_to_be_and_a_file_saved_onto_itself_stays(config, request_, tmp_path):
    response = generate_video(config, request_)
    kept = response.video.path
    assert response.save(kept) == kept
    response.close()
    for use in (lambda: response.video, lambda: response.save(tmp_path)):
        with pytest.raises(RunnerError, match="is gone: the response was closed") as caught:
            use()
        assert "jobs" not in caught.value.hint


def test_what_is_pickled_or_copied_keeps_its_directory_until_that_is_removed():
    folder = Folder(None)
    path = folder.path / "image-0.png"
    path.write_bytes(b"png")
    media = copy.deepcopy(Media.read(path, "image/png", folder))
    del folder
    gc.collect()
    assert path.exists()
    loaded = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(media))))
    del media
    gc.collect()
    assert (loaded, loaded.path, loaded.content_type) == (b"png", path, "image/png")
    assert loaded.path.exists()
    loaded._folder.remove()
    assert not path.parent.exists()


def test_an_unfinished_directory_stays_though_it_was_pickled():
    folder = Folder(None)
    folder.keep()
    pickle.loads(pickle.dumps(folder)).remove()
    assert folder.path.exists()
    folder.discard()
