"""The decoder: a process that may die, and what then becomes of the files it had in hand."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from runner.artifacts.decoder import Decoder
from runner.artifacts.probe import probe
from runner.errors import TOO_LARGE, ArtifactError
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("real_children")

READY = "import sys, os; print('{}', flush=True); line = sys.stdin.readline()\n"


@pytest.fixture
async def decoder() -> AsyncIterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


@pytest.fixture
def played(monkeypatch) -> Callable[[str], list[tuple[str, ...]]]:
    """Let a script play the child."""

    def play(script: str) -> list[tuple[str, ...]]:
        started: list[tuple[str, ...]] = []

        def start(*arguments: str, **_: object) -> subprocess.Popen[bytes]:
            started.append(arguments)
            return subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        monkeypatch.setattr("runner.artifacts.decoder.start", start)
        return started

    return play


def child_of(decoder: Decoder) -> int:
    assert decoder._child is not None
    return decoder._child._process.pid


def variables_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # What nobody has waited for yet counts as gone.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc").is_dir() else True


async def test_it_finds_what_probe_finds(decoder, clip, tmp_path):
    path = clip("sound.mp4", audio="aac")
    assert await decoder.check(path) == probe(path)


async def test_a_thumbnail_lies_beside_the_file(decoder, clip, tmp_path):
    path = tmp_path / "video.mp4.part"
    path.write_bytes(clip().read_bytes())
    video = await decoder.check(path, thumbnail=True)
    assert video.thumbnail is not None
    assert (tmp_path / "thumbnail.webp").read_bytes() == video.thumbnail.content


async def test_a_thumbnail_that_cannot_be_written_is_no_fault_of_the_video(decoder, clip, tmp_path):
    path = tmp_path / "video.mp4.part"
    path.write_bytes(clip().read_bytes())
    (tmp_path / ".thumbnail.webp.tmp").mkdir()
    video = await decoder.check(path, thumbnail=True)
    assert (video.width, video.thumbnail) == (64, None)
    assert "thumbnail.webp" in video.no_thumbnail


async def test_what_is_wrong_with_a_file_is_said_as_probe_says_it(decoder, clip, tmp_path):
    text, long = tmp_path / "page.part", clip("17000x16.avi", codec="rawvideo", seconds=1, size=(17_000, 16))
    text.write_text("<html>Sign in</html>")
    with pytest.raises(ArtifactError, match="web page"):
        await decoder.check(text)
    with pytest.raises(ArtifactError) as caught:
        await decoder.check(long)
    assert caught.value.code == TOO_LARGE


async def test_many_files_are_checked_by_one_process(decoder, clip):
    first = await decoder.check(clip())
    pid = child_of(decoder)
    assert await asyncio.gather(*(decoder.check(clip()) for _ in range(20))) == [first] * 20
    assert child_of(decoder) == pid


async def test_what_it_had_in_hand_when_it_died_is_checked_again(decoder, clip, tmp_path):
    text = tmp_path / "page.part"
    text.write_text("<html>Sign in</html>")
    await decoder.check(clip())
    pid = child_of(decoder)
    os.kill(pid, signal.SIGSTOP)
    asked = [asyncio.ensure_future(decoder.check(path)) for path in (clip(), text, clip())]
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    good, bad, other = await asyncio.gather(*asked, return_exceptions=True)
    assert good == other == probe(clip())
    assert isinstance(bad, ArtifactError)
    # The next file finds a new process.
    assert await decoder.check(clip()) == good
    assert child_of(decoder) != pid


async def test_a_file_that_kills_it_twice_is_to_blame(decoder, clip, played):
    started = played(READY + "os.abort()")
    with pytest.raises(ArtifactError, match=r"makes the decoder crash \(SIGABRT\)"):
        await decoder.check(clip())
    assert [arguments[1] for arguments in started][1:] == ["1"]


async def test_where_no_process_starts_files_are_checked_all_the_same(decoder, clip, played):
    started = played("raise SystemExit(3)")
    assert await decoder.check(clip()) == probe(clip())
    assert await decoder.check(clip()) == probe(clip())
    assert len(started) == 1


async def test_where_no_process_is_allowed_files_are_checked_all_the_same(decoder, clip, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise PermissionError("no processes here")

    monkeypatch.setattr("runner.artifacts.decoder.start", refused)
    decoder.start()
    assert await decoder.check(clip()) == probe(clip())


async def test_a_packed_program_is_not_started_a_second_time(decoder, clip, played, monkeypatch):
    started = played("raise SystemExit(3)")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert await decoder.check(clip()) == probe(clip())
    assert started == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no process can be looked into here")
async def test_it_is_not_told_any_key(decoder, clip, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-decoders")
    monkeypatch.setenv("MY_OWN_NAME_FOR_IT", "sk-not-for-decoders")
    await decoder.check(clip())
    known = variables_of(child_of(decoder))
    assert b"sk-not-for-decoders" not in known
    assert b"PATH=" in known


async def test_a_bug_in_there_is_told_as_one(decoder, clip, played):
    played(READY + """print('{"number": 1, "bug": "Traceback: ZeroDivisionError"}', flush=True); sys.stdin.read()""")
    with pytest.raises(ArtifactError, match=r"a bug in here.*ZeroDivisionError"):
        await decoder.check(clip())


async def test_an_answer_that_cannot_be_read_ends_it_and_not_the_wait(decoder, clip, played):
    played(READY + "print('no JSON', flush=True); sys.stdin.read()")
    with pytest.raises(ArtifactError, match=r"makes the decoder crash \(SIGKILL\)"):
        await decoder.check(clip())


async def test_what_is_cancelled_disturbs_nobody(decoder, clip):
    await decoder.check(clip())
    task = asyncio.ensure_future(decoder.check(clip()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await decoder.check(clip()) == probe(clip())


async def test_closing_ends_it_whatever_it_has_in_hand(decoder, clip):
    decoder.start()
    pid = child_of(decoder)
    task = asyncio.ensure_future(decoder.check(clip()))
    await asyncio.sleep(0)
    task.cancel()
    decoder.close()
    decoder.close()
    assert not is_there(pid)


async def test_one_that_does_not_end_is_killed(clip, played, monkeypatch):
    monkeypatch.setattr("runner.artifacts.decoder._STOP_SECONDS", 0.05)
    played("import time\nprint('{}', flush=True)\nwhile True: time.sleep(60)")
    decoder = Decoder()
    decoder.start()
    pid = child_of(decoder)
    decoder.close()
    assert not is_there(pid)


def test_it_ends_with_a_parent_that_is_killed(tmp_path):
    script = (
        "import time\nfrom runner.artifacts.decoder import Decoder\ndecoder = Decoder()\ndecoder.start()\n"
        "print(decoder._child._process.pid, flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_there(pid)
        parent.kill()
    wait_until(lambda: not is_there(pid))
