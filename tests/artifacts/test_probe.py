from __future__ import annotations

import pytest

from runner.artifacts.probe import probe
from runner.errors import ArtifactError


def test_the_facts_come_from_the_file_itself(clip):
    video = probe(clip("sound.mp4", audio="aac"), thumbnail=True)
    assert (video.media_type, video.extension) == ("video/mp4", "mp4")
    assert (video.width, video.height, video.fps, video.duration_seconds) == (64, 48, 12.0, 2.0)
    assert (video.video_codec, video.audio_codec) == ("h264", "aac")
    assert (video.thumbnail.width, video.thumbnail.height) == (320, 240)


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [
        ("a.webm", "libvpx", ("video/webm", "webm", "vp8")),
        ("a.mov", "mpeg4", ("video/quicktime", "mov", "mpeg4")),
        ("a.avi", "mpeg4", ("video/avi", "avi", "mpeg4")),
    ],
)
def test_other_containers_are_told_by_their_content(clip, tmp_path, name, codec, expected):
    path = tmp_path / "video.mp4.part"
    path.write_bytes(clip(name, codec=codec).read_bytes())
    video = probe(path)
    assert (video.media_type, video.extension, video.video_codec) == expected


@pytest.mark.parametrize("movflags", ["+faststart", ""])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.98])
def test_a_cut_file_is_found_out(clip, tmp_path, movflags, kept):
    whole = clip(f"whole{movflags}.mp4", movflags=movflags).read_bytes()
    path = tmp_path / "video.mp4.part"
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(ArtifactError):
        probe(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no video"),
        (b"\x00" * 10_000, "no video"),
        (b"  <!DOCTYPE html><title>Sign in</title>", "web page"),
        (b'{"error": {"message": "no"}}', "text"),
    ],
)
def test_what_is_no_video_is_said_to_be_none(tmp_path, content, said):
    path = tmp_path / "video.mp4.part"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=said):
        probe(path)


def test_a_codec_that_nobody_knows_is_refused(clip, tmp_path):
    path = tmp_path / "video.mp4.part"
    path.write_bytes(clip().read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(ArtifactError, match="nothing here can decode"):
        probe(path)


@pytest.mark.parametrize(
    ("codec", "flags"),
    [
        ("libx264", ""),
        ("libx264", "+faststart"),
        ("libx264", "+frag_keyframe+empty_moov"),
        ("mpeg4", ""),
        ("libx265", ""),
    ],
)
def test_the_header_of_an_mp4_tells_what_decoding_would(clip, monkeypatch, codec, flags):
    path = clip(f"{codec}{flags}.mp4", codec=codec, movflags=flags, audio="aac")
    quick = probe(path, thumbnail=True)
    monkeypatch.setattr("runner.artifacts.probe._is_mp4", lambda _: False)
    thorough = probe(path, thumbnail=True)
    assert quick.thumbnail is not None
    assert quick == thorough


def test_a_playlist_that_names_other_files_is_refused(clip, tmp_path):
    playlist = tmp_path / "video.mp4.part"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{clip()}\n#EXT-X-ENDLIST\n")
    with pytest.raises(ArtifactError):
        probe(playlist)


def test_sound_without_a_picture_is_no_video(tmp_path):
    import av

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame("fltp", "mono", 1024)
        frame.sample_rate, frame.pts = 48_000, 0
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ArtifactError, match="no picture"):
        probe(path)
