from __future__ import annotations

import io

import pytest
from PIL import Image

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
        ("a.mkv", "libx264", ("video/x-matroska", "mkv", "h264")),
        ("a.ts", "libx264", ("video/mp2t", "ts", "h264")),
        ("b.ts", "mpeg2video", ("video/mp2t", "ts", "mpeg2video")),
        ("a.mpg", "mpeg2video", ("video/mpeg", "mpg", "mpeg2video")),
        ("a.flv", "flv", ("video/x-flv", "flv", "flv1")),
        ("a.wmv", "wmv2", ("video/x-ms-wmv", "wmv", "wmv2")),
        ("a.ivf", "libvpx", ("video/x-ivf", "ivf", "vp8")),
    ],
)
def test_other_containers_are_told_by_their_content(clip, tmp_path, name, codec, expected):
    path = tmp_path / "video.mp4.part"
    path.write_bytes(clip(name, codec=codec).read_bytes())
    video = probe(path)
    assert (video.media_type, video.extension, video.video_codec) == expected
    assert probe(path, thorough=True) == video


class Pipe(io.RawIOBase):
    """What cannot go back to write a length into its head."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.content += bytes(data)
        return len(data)


@pytest.mark.parametrize(("form", "codec"), [("webm", "libvpx"), ("matroska", "libx264"), ("flv", "flv")])
def test_the_length_that_a_streamed_file_does_not_tell_is_counted(tmp_path, form, codec):
    import av

    pipe = Pipe()
    with av.open(pipe, "w", format=form) as container:
        stream = container.add_stream(codec, rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(24):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes((number * 31 + index) % 251 for index in range(plane.buffer_size)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path = tmp_path / "video.mp4.part"
    path.write_bytes(pipe.content)
    assert probe(path).duration_seconds == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(("name", "codec", "audio"), [("s.webm", "libvpx", "libopus"), ("s.mkv", "libx264", "aac")])
def test_sound_that_goes_on_behind_the_picture_does_not_make_it_cut(clip, name, codec, audio):
    path = clip(f"long {name}", codec=codec, audio=audio, sound_seconds=3)
    assert probe(path).duration_seconds == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("name", ["cut.webm", "cut.mkv"])
def test_a_cut_file_of_another_container_is_found_out(clip, tmp_path, name, thorough):
    whole = clip(name, codec="libvpx").read_bytes()
    path = tmp_path / "video.mp4.part"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError):
        probe(path, thorough=thorough)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_pictures_that_move_are_videos(tmp_path, form):
    frames = [Image.effect_noise((64, 48), 40).convert("RGB") for _ in range(10)]
    path = tmp_path / "video.mp4.part"
    frames[0].save(path, form, save_all=True, append_images=frames[1:], duration=100)
    video = probe(path, thumbnail=True)
    assert (video.media_type, video.width, video.height) == (f"image/{form.lower()}", 64, 48)
    assert video.duration_seconds == pytest.approx(1, abs=0.1)
    assert video.thumbnail is not None


@pytest.mark.parametrize("form", ["WEBP", "PNG", "JPEG"])
def test_a_picture_that_stands_still_is_said_to_be_one(tmp_path, form):
    path = tmp_path / "video.mp4.part"
    Image.effect_noise((64, 48), 40).save(path, form)
    with pytest.raises(ArtifactError, match="still picture"):
        probe(path)


@pytest.mark.parametrize("surprise", [KeyError("x"), IndexError, AttributeError, ZeroDivisionError, MemoryError])
def test_no_surprise_of_the_decoder_is_more_than_a_damaged_file(clip, monkeypatch, surprise):
    def raises(*_args, **_options):
        raise surprise

    monkeypatch.setattr("runner.artifacts.probe.checked_duration", raises)
    with pytest.raises(ArtifactError, match="damaged"):
        probe(clip())


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("movflags", ["+faststart", ""])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.98])
def test_a_cut_file_is_found_out(clip, tmp_path, movflags, kept, thorough):
    whole = clip(f"whole{movflags}.mp4", movflags=movflags).read_bytes()
    path = tmp_path / "video.mp4.part"
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(ArtifactError):
        probe(path, thorough=thorough)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("place", [0.3, 0.7, 0.9])
def test_a_hole_in_the_picture_is_found_out_wherever_it_is(clip, tmp_path, codec, place):
    content = bytearray(clip(f"hole {codec}.mp4", codec=codec, movflags="+faststart", g="6").read_bytes())
    begin = content.index(b"mdat")
    begin += int((len(content) - begin) * place)
    content[begin : begin + 2000] = bytes(2000)
    path = tmp_path / "video.mp4.part"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="damaged"):
        probe(path)


@pytest.mark.parametrize(("seconds", "count"), [(2, 2), (1, 1)], ids=["one of several", "the only one"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_last_key_frame_that_is_no_picture_is_found_out(clip, tmp_path, codec, seconds, count):
    import av

    whole = clip(f"key {codec} {seconds}.mp4", codec=codec, seconds=seconds)
    with av.open(str(whole)) as container:
        keys = [packet for packet in container.demux(video=0) if packet.is_keyframe and packet.size]
        place, size, last = keys[-1].pos, keys[-1].size, bytes(keys[-1])
    assert len(keys) == count
    path, content = tmp_path / "video.mp4.part", bytearray(whole.read_bytes())
    assert content[place : place + size] == last
    assert probe(whole)
    while last:  # the lengths of its units still add up
        length = int.from_bytes(last[:4], "big")
        content[place + 6 : place + 4 + length] = bytes(length - 2)
        place, last = place + 4 + length, last[4 + length :]
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"damaged|cut|no frame"):
        probe(path)


def test_a_file_that_begins_between_two_key_frames_has_a_first_frame_all_the_same(clip, tmp_path):
    import av

    path = tmp_path / "video.mp4.part"
    with (
        av.open(str(clip("late.mkv", codec="mpeg4", seconds=4))) as whole,
        av.open(str(path), "w", format="matroska") as late,
    ):
        stream = late.add_stream_from_template(whole.streams.video[0])
        for packet in [*whole.demux(whole.streams.video[0])][2:-1]:
            packet.stream = stream
            late.mux(packet)
    assert probe(path, thumbnail=True).thumbnail is not None


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
    with pytest.raises(ArtifactError, match=said) as caught:
        probe(path)
    assert "Errno" not in caught.value.message
    assert path.name not in caught.value.message


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
    monkeypatch.setattr("runner.artifacts.probe._describes_itself", lambda _: False)
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
