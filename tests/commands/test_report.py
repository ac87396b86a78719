"""`report` as it is typed: which directories it takes, where the page is put, and what is inside."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from runner.app import run
from runner.ledger.recording import recording


@pytest.fixture
def made(typed) -> Callable[..., None]:
    """Run the command line; `-m` first for a sweep."""

    def make(first: str, *overrides: str) -> None:
        assert typed(first, "gallery=false", *overrides) == 0

    return make


def files(data: dict[str, Any], page: Path) -> list[Path]:
    """What the page's media lead to."""
    paths = [medium["path"] for cell in data["cells"] for medium in cell["media"]]
    return [page.parent / unquote(path, errors="surrogateescape") for path in paths]


def test_what_lies_where_the_output_goes_is_refused_or_written_through(made, here, capsys):
    made("-m", "hydra.sweep.dir=out", "request.prompt=a,b")
    (here / "real.html").write_text("old")
    (here / "link.html").symlink_to("real.html")
    (here / "dir").mkdir()
    capsys.readouterr()
    assert run(["report", "out", "--output", "link.html"]) == 0
    assert (here / "link.html").is_symlink()
    assert (here / "real.html").read_bytes().startswith(b"<!")
    for typed in (["report", "out", "--output", "dir"], ["rank", "out", "--preferences", "dir"]):
        assert run(typed) == 2
        assert "dir is a directory, and a file is written" in capsys.readouterr().err
    for target in ("real.html", "real.html/new"):
        assert run(["view", "out", "--export", target]) == 2
        assert "a file is in the way; nothing was written" in capsys.readouterr().err


def test_the_page_of_one_directory_lies_in_it(made, capsys, read):
    made("-m", "hydra.sweep.dir=out", "request.prompt=a,b")
    capsys.readouterr()
    assert run(["report", "out"]) == 0
    assert capsys.readouterr().out == "out/index.html  (2 runs)\n"
    data = read("out/index.html")
    assert (data["complete"], data["title"], len(data["cells"])) == (True, "out", 2)
    assert all(path.is_file() for path in files(data, Path("out/index.html")))
    assert [cell["repeat"] for cell in data["cells"]] == [
        "python -m runner repeat out/0",
        "python -m runner repeat out/1",
    ]


def test_several_sweeps_and_runs_are_one_page_where_one_stands(made, capsys, read):
    made("-m", "hydra.sweep.dir=one", "request.prompt=a,b")
    made("-m", "hydra.sweep.dir=two", "request.prompt=a,b")
    made("hydra.run.dir=alone/x", "request.prompt=a")
    made("hydra.run.dir=alone/y", "request.prompt=b")
    capsys.readouterr()
    assert run(["report", "one", "two", "alone/x", "alone/y", "one"]) == 0
    assert capsys.readouterr().out == "report.html  (6 runs)\n"
    data = read("report.html")
    assert [axis["key"] for axis in data["axes"]] == ["request.prompt", "sweep"]
    assert [sweep["directory"] for sweep in data["sweeps"]] == ["one", "two", "alone"]
    assert [cell["id"] for cell in data["cells"]] == ["0/0", "0/1", "1/0", "1/1", "2/0", "2/1"]
    assert [cell["at"] for cell in data["cells"]] == [[0, 0], [1, 0], [0, 1], [1, 1], [0, 2], [1, 2]]
    assert [cell["repeat"].split()[-1] for cell in data["cells"][4:]] == ["alone/x", "alone/y"]
    assert all(path.is_file() for path in files(data, Path("report.html")))


def test_all_that_lies_below_a_directory_is_found(made, read):
    made("-m", "hydra.sweep.dir=outputs/multirun/day/x", "request.prompt=a,b")
    made("hydra.run.dir=outputs/day/y")
    assert run(["report", "outputs"]) == 0
    assert len(read("outputs/index.html")["cells"]) == 3


def test_a_moved_sweep_whose_ledger_is_gone_is_read_from_its_results(made, read):
    made("-m", "hydra.sweep.dir=out", "request.prompt=a,b")
    (Path("out") / "ledger.sqlite3").unlink()
    shutil.move("out", "elsewhere")
    assert run(["report", "elsewhere"]) == 0
    data = read("elsewhere/index.html")
    assert [(cell["number"], cell["prompt"], cell["group"]) for cell in data["cells"]] == [
        (0, "a", "done"), (1, "b", "done")]  # fmt: skip


@pytest.mark.parametrize("name", ["a b #1?x=50%", "ünï'code", "$(touch x);&"])
def test_any_directory_name_leads_to_its_files_and_can_be_typed(made, here, monkeypatch, name, read):
    made("-m", "hydra.sweep.dir=plain", "request.prompt=a,b")
    Path("plain").rename(name)
    assert run(["report", name]) == 0
    data = read(Path(name) / "index.html")
    assert all(path.is_file() for path in files(data, Path(name) / "index.html"))
    assert run(["report", name, "--output", "beside.html"]) == 0
    assert all(path.is_file() for path in files(read("beside.html"), Path("beside.html")))
    import shlex

    typed = shlex.split(data["cells"][1]["repeat"])
    assert typed == ["python", "-m", "runner", "repeat", f"{name}/1"]
    assert run([*typed[3:], "progress=off"]) == 0


def test_one_file_holds_the_small_media_and_links_the_others(made, capsys, read):
    made("-m", "hydra.sweep.dir=out", "request.prompt=a,b")
    capsys.readouterr()
    assert run(["report", "out", "--single-file", "--output", "whole.html"]) == 0
    for cell in read("whole.html")["cells"]:
        (medium,) = cell["media"]
        kind, _, text = medium["path"].partition(";base64,")
        assert (kind, len(base64.b64decode(text))) == ("data:video/mp4", medium["bytes"])
        assert medium["poster"].startswith("data:image/webp;base64,")
    assert "stay links" not in capsys.readouterr().out
    assert run(["report", "out", "--single-file", "--output", "small.html", "--embed-mb", "0.02"]) == 0
    for cell in read("small.html")["cells"]:
        (medium,) = cell["media"]
        assert medium["path"] == f"out/{cell['number']}/video.mp4"
        assert medium["poster"].startswith("data:image/webp;base64,")
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  2 files stay links: too large for one file inside; --embed-mb N allows more"
    ]


def test_each_file_that_stays_outside_is_told_with_its_own_reason(made, capsys):
    made("-m", "hydra.sweep.dir=out", "request.prompt=a,b")
    posters = sum(path.stat().st_size for path in Path("out").glob("*/thumbnail.webp"))
    total = (posters + Path("out/0/video.mp4").stat().st_size) / 1e6
    capsys.readouterr()
    assert run(["report", "out", "--single-file", "--embed-total-mb", f"{total:.6f}"]) == 0
    (told,) = capsys.readouterr().out.splitlines()[1:]
    assert "1 file stays a link: the files before took the room; --embed-total-mb N" in told
    Path("out/1/video.mp4").unlink()
    assert run(["report", "out", "--single-file"]) == 0
    (told,) = capsys.readouterr().out.splitlines()[1:]
    assert "1 file stays a link: gone" in told
    assert "allows more" not in told


def test_a_strangers_result_takes_no_other_file_into_the_page(made, here):
    made("hydra.run.dir=run")
    (here / "secret.txt").write_text("canary")
    Path("run/ledger.sqlite3").unlink()
    path = Path("run/result.json")
    path.write_text(path.read_text().replace('"video.mp4"', '"../secret.txt"'))
    assert run(["report", "run", "--single-file"]) == 0
    assert base64.b64encode(b"canary").decode() not in Path("run/index.html").read_text()


def test_a_link_in_a_strangers_directory_takes_no_other_file_into_the_page(made, here, capsys):
    made("-m", "hydra.sweep.dir=out", "request.prompt=a,b")
    other_runs = here / "elsewhere"
    Path("out/1").rename(other_runs)
    for name in ("video.mp4", "thumbnail.webp"):
        (other_runs / name).write_bytes(b"canary")
    Path("out/1").symlink_to(other_runs)
    Path("out/0/video.mp4").unlink()
    Path("out/0/video.mp4").symlink_to(other_runs / "video.mp4")
    capsys.readouterr()
    assert run(["report", "out", "--single-file"]) == 0
    assert base64.b64encode(b"canary").decode() not in Path("out/index.html").read_text()
    assert "3 files stay links: gone, no media, or not in a run's own directory" in capsys.readouterr().out


def test_a_sweep_below_that_cannot_be_read_is_said_and_the_others_are_shown(made, read, capsys):
    made("-m", "hydra.sweep.dir=outputs/good", "request.prompt=a,b")
    made("-m", "hydra.sweep.dir=outputs/bad", "request.prompt=a,b")
    Path("outputs/bad/ledger.sqlite3").write_bytes(b"no ledger at all " * 99)
    capsys.readouterr()
    assert run(["report", "outputs"]) == 0
    assert capsys.readouterr().err.startswith("error: outputs/bad/ledger.sqlite3 cannot be read")
    assert len(read("outputs/index.html")["cells"]) == 2


def test_runs_that_lie_deep_in_their_sweep_are_found_without_its_ledger(made, read, capsys):
    made("-m", "hydra.sweep.dir=out", "hydra.sweep.subdir=some/${hydra.job.num}", "request.prompt=a,b")
    Path("out/ledger.sqlite3").unlink()
    assert run(["report", "out"]) == 0
    assert [cell["directory"] for cell in read("out/index.html")["cells"]] == ["some/0", "some/1"]
    for path in Path("out").glob("some/*/result.json"):
        path.unlink()
    capsys.readouterr()
    assert run(["report", "out"]) == 2
    said = capsys.readouterr().err
    assert "no run was found there" in said
    assert "nothing was sent" not in said, "nobody knows that"


def test_a_sweep_that_someone_is_at_work_on_is_not_complete(made, read):
    made("-m", "hydra.sweep.dir=out", "request.prompt=a,b")
    with recording(Path("out")):
        assert run(["report", "out", "--output", "page.html"]) == 0
    data = read("page.html")
    assert (data["complete"], data["sweeps"][0]["resume"]) == (False, "python -m runner resume out")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "nowhere is no directory"),
        (["."], "holds no sweep and no run"),
        ([".", "nowhere"], "no sweep and no run"),
        ([".", "--output", "gone/page.html"], "gone is no directory"),
    ],
)
def test_where_there_is_nothing_to_show_nothing_is_written(here, arguments, reason, capsys):
    assert run(["report", *arguments]) == 2
    said = capsys.readouterr().err
    assert reason in said
    assert "Traceback" not in said
    assert [*here.iterdir()] == []


def test_looking_changes_nothing_but_the_page(made):
    made("-m", "hydra.sweep.dir=out", "request.prompt=a,b")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path("out").rglob("*") if path.is_file()}
    assert run(["report", "out", "--output", "page.html"]) == 0
    assert before == {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path("out").rglob("*") if path.is_file()
    }
