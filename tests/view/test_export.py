"""`view --export`: a directory that any host of files can show, with small copies, and kept files as they are."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from pathlib import Path
from urllib.parse import unquote

import av
import pytest

from tests.command_line import command_line
from tests.view.conftest import ENVIRONMENT, QUICK, typed


def shown(page: Path) -> dict:
    found = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def keep(directory: Path, run: str, file: str) -> None:
    made = {"version": 1, "kind": "rating", "id": uuid.uuid4().hex, "at": "2026-11-23T09:30:00Z", "rater": "ann"}
    record = {**made, "run": run, "file": file, "star": True}
    with (directory / "ratings.jsonl").open("a") as lines:
        lines.write(json.dumps(record) + "\n")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two videos of 720p, of which the first is kept, and one of two images."""
    here = tmp_path_factory.mktemp("export")
    server = ("provider.dialect=vllm_omni", "model=wan2.2-t2v")  # which makes videos of one second
    videos = ("request.size=1280x720", "request.duration_seconds=1", "request.prompt=fox,owl")
    typed("-m", *server, *videos, *QUICK, "hydra.sweep.dir=videos", here=here)
    images = ("model=gpt-image-2", "request=image", "request.size=1536x1024", "request.prompt=fox,owl")
    typed("-m", *images, *QUICK, "hydra.sweep.dir=images", here=here)
    typed("report", "videos", "images", here=here)
    keep(here / "videos", shown(here / "report.html")["cells"][0]["key"], "video.mp4")
    return here


def test_kept_files_are_whole_and_others_small(here: Path, tmp_path: Path) -> None:
    done = command_line(["view", "videos", "images", "--export", str(tmp_path / "new" / "bundle")], here, ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "(3 small copies, 5 whole files, " in done.stdout
    bundle = tmp_path / "moved"
    shutil.move(tmp_path / "new" / "bundle", bundle)
    data = shown(bundle / "index.html")
    paths = [bundle / unquote(cell["media"][0]["path"]) for cell in data["cells"]]
    assert paths[0].read_bytes() == (here / "videos" / "0" / "video.mp4").read_bytes()
    with av.open(paths[1]) as small:
        stream = small.streams.video[0]
        assert (stream.width, stream.height, stream.codec_context.name) == (640, 360, "h264")
        assert sum(1 for _ in small.decode(stream)) == 24
        assert small.streams.audio
    assert paths[1].stat().st_size < (here / "videos" / "1" / "video.mp4").stat().st_size
    assert [path.suffix for path in paths[2:]] == [".webp", ".webp"]
    assert all((bundle / unquote(medium["poster"])).is_file() for cell in data["cells"] for medium in cell["media"][:1])
    kinds = {path.suffix for path in bundle.rglob("*") if path.is_file()}
    assert kinds == {".html", ".mp4", ".webp"}
    assert "ratings" not in data


def test_a_directory_that_is_not_empty_is_refused(here: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("a user's file")
    done = command_line(["view", "videos", "--export", str(tmp_path)], here, ENVIRONMENT)
    assert done.returncode == 2
    assert "is not empty; nothing was written" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_that_cannot_be_made_small_is_there_whole(here: Path, tmp_path: Path) -> None:
    shutil.copytree(here / "videos", tmp_path / "videos")
    damaged = tmp_path / "videos" / "1" / "video.mp4"
    damaged.write_bytes(b"no video")
    (tmp_path / "videos" / "0" / "video.mp4").unlink()
    done = command_line(["view", "videos", "--export", "bundle"], tmp_path, ENVIRONMENT)
    assert done.returncode == 0
    assert "1 missing" in done.stdout
    data = shown(tmp_path / "bundle" / "index.html")
    assert (tmp_path / "bundle" / data["cells"][1]["media"][0]["path"]).read_bytes() == b"no video"
