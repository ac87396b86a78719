"""Sweeps that lie in a storage are shown, reported and loaded from there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import runner
from runner.app import run


@pytest.fixture
def stored(finished: Path, bucket: Path) -> str:
    """The address of a finished sweep of three runs, of which nothing is left here."""
    assert run(["resume", "out", f"storage.url=file://{bucket}"]) == 0
    shutil.rmtree(finished)
    return f"file://{bucket}/out"


def test_show_tells_what_lies_there(stored, capsys):
    capsys.readouterr()
    assert run(["show", stored]) == 0
    said = capsys.readouterr().out
    assert "3 done" in said
    assert said.splitlines()[-1] == stored

    assert run(["show", f"{stored}/1"]) == 0
    assert f"{stored}/1/video.mp4" in capsys.readouterr().out

    assert run(["show", stored, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["directory"], told["command"], len(told["results"])) == (stored, None, 3)


def test_report_writes_the_page_there_or_here_in_one_file(stored, bucket, here, capsys):
    page = bucket / "out" / "index.html"
    page.unlink()
    assert run(["report", stored]) == 0
    assert "repeat" not in data(page)["cells"][0] or data(page)["cells"][0]["repeat"] is None
    assert data(page)["cells"][0]["media"][0]["path"] == "0/video.mp4"
    assert f"{stored}/index.html  (3 runs)" in capsys.readouterr().out

    assert run(["report", stored, "--output", "page.html", "--embed-mb", "0.1"]) == 0
    media = data(here / "page.html")["cells"][0]["media"][0]
    assert media["poster"].startswith("data:image/webp;base64,")
    assert media["path"].startswith(("data:video/mp4", f"{stored}/0/video.mp4"))


def data(page: Path) -> dict:
    text = page.read_text()
    return json.loads(text[text.index('id="data">') + 10 :].partition("</script>")[0])


def test_a_sweep_is_loaded_from_there_and_its_files_when_they_are_asked_for(stored, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sweep = runner.load_sweep(stored)
    assert (len(sweep), sweep.url) == (3, stored)
    assert sweep[1].url == f"{stored}/1"
    assert not sweep[1].artifacts[0].exists()

    video = sweep[1].download()[0]

    assert video.read_bytes() == (Path(stored.removeprefix("file://")) / "1" / "video.mp4").read_bytes()
    assert sweep.to_pandas()["artifact"][1] == f"{stored}/1/video.mp4"


def test_a_file_that_was_removed_here_is_fetched_from_where_it_was_uploaded_to(finished, bucket):
    assert run(["resume", "out", f"storage.url=file://{bucket}", "storage.keep_local=false"]) == 0
    sweep = runner.load_sweep("out")
    assert not sweep[1].artifacts[0].exists()
    video = sweep[1].download()[0]
    assert video == finished.absolute() / "1/video.mp4"
    assert video.read_bytes() == (bucket / "out/1/video.mp4").read_bytes()


def test_a_file_that_is_another_there_is_not_taken(stored, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (Path(stored.removeprefix("file://")) / "0" / "video.mp4").write_bytes(b"another")
    with pytest.raises(runner.ConfigError, match="is not the file that its run has made"):
        runner.load_sweep(stored)[0].download()


@pytest.mark.parametrize("command", ["show", "report"])
def test_an_address_without_a_sweep_is_refused(here, bucket, command, capsys):
    assert run([command, f"file://{bucket}/nothing"]) == 2
    assert "holds no sweep and no run" in capsys.readouterr().err


def test_a_sweep_that_still_runs_is_read_by_its_runs(stored, bucket, capsys):
    """The ledger comes at the end."""
    (bucket / "out" / "ledger.sqlite3").unlink()
    capsys.readouterr()
    assert run(["show", stored]) == 0
    assert "3 done" in capsys.readouterr().out


def test_names_that_lead_out_of_a_directory_are_not_followed(here, capsys):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    names = ["../escaped/result.json", "a/../../escaped/result.json", "/escaped/result.json", "..\\result.json"]
    for name in [*names, "results/./result.json"]:
        memory.store[f"/names/{name}"] = fsspec.implementations.memory.MemoryFile(memory, f"/names/{name}", b"{}")
    try:
        assert run(["show", "memory://names"]) == 2
    finally:
        memory.store.clear()
    assert "holds no sweep and no run" in capsys.readouterr().err
