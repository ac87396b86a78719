"""A sweep grows: the same command with more values into the same directory adds what is new, and nothing else."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.artifacts.result_file import read_result
from runner.ledger.ledger import Ledger

from .resumable import again, created, states


def prompts(directory: Path) -> dict[int, str]:
    """The prompt of each run, by its number, as ledger and `result.json` have it."""
    with Ledger(directory, readonly=True) as ledger:
        runs = ledger.runs()
    assert [read_result(run.directory).index for run in runs] == [run.index for run in runs]
    return {run.index: run.config.request.prompt for run in runs}


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def two(sweep, here, emulator, capsys) -> Path:
    """A finished sweep of two prompts."""
    assert sweep("request.prompt=a,b") == 0
    capsys.readouterr()
    return here / "out"


def test_one_more_value_adds_one_run(two, sweep, emulator, capsys, read):
    before = (two / "0/result.json").read_bytes()
    assert sweep("request.prompt=a,b,c") == 0
    assert created(emulator) == 3
    assert prompts(two) == {0: "a", 1: "b", 2: "c"}
    assert (two / "0/result.json").read_bytes() == before
    said = capsys.readouterr()
    assert "out: 1 new run (2)\n" in said.err
    assert "3 done · $1.20 spent" in said.out
    assert [(row["run"], row["request.prompt"]) for row in rows(two)] == [("0", "a"), ("1", "b"), ("2", "c")]
    assert [cell["number"] for cell in read(two / "index.html")["cells"]] == [0, 1, 2]


def test_the_order_may_change_and_values_may_go(two, sweep, emulator, capsys, read):
    assert sweep("request.prompt=c,b,d") == 0
    assert created(emulator) == 4
    assert prompts(two) == {0: "a", 1: "b", 2: "c", 3: "d"}
    said = capsys.readouterr()
    assert "out: 2 new runs (2-3); run 0 is there, is not asked for, and stays\n" in said.err
    assert "4 done · $1.60 spent" in said.out
    assert [(row["run"], row["request.prompt"]) for row in rows(two)] == [(str(n), p) for n, p in enumerate("abcd")]
    assert len((two / "results.jsonl").read_text().splitlines()) == 4
    assert [cell["number"] for cell in read(two / "index.html")["cells"]] == [0, 1, 2, 3]
    requests = emulator.ledger()["requests"]
    assert again() == 0
    assert sweep("request.prompt=d,c,b,a") == 0
    assert emulator.ledger()["requests"] == requests
    assert "new run" not in capsys.readouterr().err


def test_fewer_values_leave_the_others_there(two, sweep, emulator, capsys):
    assert sweep("request.prompt=b") == 0
    assert created(emulator) == 2
    assert "out: run 0 is there, is not asked for, and stays\n" in capsys.readouterr().err
    assert [row["request.prompt"] for row in rows(two)] == ["a", "b"]


def test_a_model_that_is_put_first_moves_nothing(two, sweep, emulator):
    assert sweep("model=sora-2-pro,sora-2", "request.prompt=a,b") == 0
    assert created(emulator) == 4
    table = rows(two)
    assert [(row["swept.model"], row["request.prompt"]) for row in table] == [
        ("sora-2", "a"), ("sora-2", "b"), ("sora-2-pro", "a"), ("sora-2-pro", "b")]  # fmt: skip
    assert [row["directory"] for row in table] == ["0", "1", "2", "3"]


def test_one_more_repetition_of_everything(two, sweep, emulator):
    assert sweep("request.prompt=a,b", "repeat=3") == 0
    assert created(emulator) == 6
    assert sweep("request.prompt=a,b", "request.number_of_videos=4") == 0
    assert created(emulator) == 8
    assert sweep("request.prompt=a,b", "replica=0,1,2,3,4") == 0
    assert created(emulator) == 10
    assert sorted((row["replica"], row["request.prompt"]) for row in rows(two)) == [
        (str(replica), prompt) for replica in range(5) for prompt in "ab"]  # fmt: skip
    assert states(two) == ["verified"] * 10


def test_a_row_that_is_added_to_a_table(sweep, here, emulator, capsys):
    table = here / "shots.csv"
    table.write_text("id,prompt\nfox,A fox\nhen,A hen\n")
    assert sweep("prompts=shots.csv", "request.duration_seconds=4,8") == 0
    table.write_text("id,prompt\nowl,An owl\nfox,A fox\nhen,A hen\n")
    assert sweep("prompts=shots.csv", "request.duration_seconds=4,8") == 0
    assert created(emulator) == 6
    assert [row["request.prompt"] for row in rows(here / "out")] == ["A fox"] * 2 + ["A hen"] * 2 + ["An owl"] * 2
    assert "out: 2 new runs (4-5)\n" in capsys.readouterr().err


def test_directories_that_are_named_by_their_rows_stay_apart(sweep, here, emulator):
    named = "hydra.sweep.subdir=${run.slug}"
    assert sweep("request.prompt=a,b", named) == 0
    assert sweep("request.prompt=c,'a!',a,b", named) == 0
    assert created(emulator) == 4
    assert {each.parent.name for each in here.glob("out/*/video.mp4")} == {"a", "b", "c", "a-2"}
    # A second axis is part of later names, and renames none.
    assert sweep("request.prompt=a,b", "model=sora-2,sora-2-pro", named) == 0
    assert created(emulator) == 6
    assert len({row["directory"] for row in rows(here / "out")} - {"a", "b", "c", "a-2"}) == 2
    kept = (here / "out/a/.hydra/hydra.yaml").read_text()
    assert f"output_dir: {here / 'out/a'}\n" in kept


def test_money_is_asked_for_the_new_alone(two, sweep, emulator, capsys):
    limit = "budget.confirm_above_usd=1.3"
    assert sweep("request.prompt=a,b,c,d,e,f", limit, "dry_run=true") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "6 runs · $1.60 at list price" in said
    assert said.count("none: is there") == 2
    assert "4 new runs (2-5)" in said
    assert sweep("request.prompt=a,b,c,d,e,f", limit) == 2
    assert "these 4 runs would cost $1.60" in capsys.readouterr().err
    assert sweep("request.prompt=a,b,c", "budget.max_usd=1.10") == 3
    assert "already spent" in capsys.readouterr().err or True
    assert created(emulator) == 2
    assert sweep("request.prompt=c,a", "budget.max_usd=1.20") == 0
    assert "$1.20 of $1.20 budget" in capsys.readouterr().out


def test_a_command_with_nothing_in_common_is_refused(two, sweep, emulator, capsys):
    for subdir in ([], ["hydra.sweep.subdir=x-${hydra.job.num}"]):
        for more in ([], ["dry_run=true"]):
            assert sweep("request.prompt=c,d,e", *subdir, *more) == 2
            said = capsys.readouterr().err
            assert "holds another" in said
            assert "nothing was sent" in said
    assert created(emulator) == 2
    assert prompts(two) == {0: "a", 1: "b"}


def test_the_same_work_twice_is_refused_as_before(two, sweep, emulator, capsys):
    assert sweep("request.prompt=a,b,a") == 2
    assert "would do and pay the same work as run 0" in capsys.readouterr().err
    assert created(emulator) == 2


def test_what_was_left_open_goes_on(two, sweep, rewind, forget, emulator):
    rewind(0, "submitted")
    forget(1)
    assert sweep("request.prompt=c,a,b") == 0
    assert created(emulator) == 4
    assert states(two) == ["verified"] * 3
    assert prompts(two) == {0: "a", 1: "b", 2: "c"}


def test_an_interrupted_sweep_grows(sweep, here, emulator, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    interrupting = "+hydra.callbacks.mine._target_=recording.Interrupting"
    with pytest.raises(SystemExit):
        sweep(interrupting, "request.prompt=a,b,c")
    paid, left = created(emulator), states(here / "out").count("planned")
    assert left
    # Whether the first request had left when the signal came, nobody knows: it is not sent again.
    assert sweep("request.prompt=d,c,b,a") in (0, 4)
    assert created(emulator) == paid + left + 1
    assert states(here / "out")[1:] == ["verified"] * 3
    assert prompts(here / "out") == {0: "a", 1: "b", 2: "c", 3: "d"}


def test_an_uncertain_run_is_not_paid_again(two, sweep, rewind, emulator, here):
    rewind(1, "submitting")
    assert sweep("request.prompt=c,b,a") == 0
    assert created(emulator) == 3
    assert states(two) == ["verified"] * 3


def test_what_is_open_and_not_asked_for_is_left_to_resume(two, sweep, rewind, emulator, capsys):
    rewind(0, "submitted")
    assert sweep("request.prompt=b,c") == 0
    assert states(two) == ["submitted", "verified", "verified"]
    said = capsys.readouterr().out
    assert "1 generating" in said
    assert "python -m runner resume out" in said
    assert again() == 0
    assert states(two) == ["verified"] * 3
    assert created(emulator) == 3


def test_a_failed_run_stays_failed(sweep, here, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "create", "prompt": "doomed"}, "fault": "internal"}])
    assert sweep("request.prompt=a,doomed", server=server) == 1
    assert sweep("request.prompt=doomed,a,b", server=server) == 1
    assert states(here / "out") == ["verified", "failed", "verified"]
    assert sweep("request.prompt=b,c", server=server) == 0, "it is not asked for"
    assert created(server) == 4


def test_a_request_that_depends_on_its_number_is_refused(sweep, here, emulator, capsys):
    numbered = "request.prompt='take ${hydra:job.num}'"
    assert sweep(numbered, "replica=0,1") == 0
    assert sweep(numbered, "replica=0,1,2") == 0, "nothing moves"
    assert created(emulator) == 3
    capsys.readouterr()
    assert sweep(numbered, "replica=0,2,1") == 2
    assert "depends on its number" in capsys.readouterr().err
    assert created(emulator) == 3


def test_under_another_launcher_a_sweep_grows_at_its_end_alone(sweep, here, emulator, capsys):
    basic = "hydra/launcher=basic"
    assert sweep(basic, "replica=0,1") == 0
    assert sweep(basic, "replica=0,1,2") == 0, "at its end"
    capsys.readouterr()
    assert sweep(basic, "replica=1,0") == 2
    assert "holds another run" in capsys.readouterr().err
    assert sweep(basic, "replica=0,1") == 2
    assert "grows only at its end" in capsys.readouterr().err
    assert created(emulator) == 3


def test_a_single_run_becomes_no_part_of_a_sweep(single, sweep, here, emulator, capsys):
    assert single() == 0
    assert single("request.number_of_videos=2", "hydra.sweep.dir=out") == 2
    assert "holds a single run" in capsys.readouterr().err
    assert created(emulator) == 1


def test_one_more_video_of_one_command(single, here, emulator):
    assert single("request.number_of_videos=2", "hydra.sweep.dir=out") == 0
    assert single("request.number_of_videos=3", "hydra.sweep.dir=out") == 0
    assert created(emulator) == 3
    assert [row["replica"] for row in rows(here / "out")] == ["0", "1", "2"]


def test_what_is_tracked_are_all_runs(two, sweep, monkeypatch):
    tracked = []
    observer = lambda runs: tracked.extend(runs) or (lambda _event: None)  # noqa: E731
    tracking = SimpleNamespace(observer=observer, close=lambda: None)
    monkeypatch.setattr("runner.tracking.tracker.Tracking", lambda _directory: tracking)
    assert sweep("request.prompt=c,b", "tracking=mlflow") == 0
    assert sorted((run.index, run.config.request.prompt) for run in tracked) == [(0, "a"), (1, "b"), (2, "c")]


def test_a_ledger_that_has_lost_a_run_grows_not_before_it_is_built_anew(two, sweep, here, emulator, capsys):
    old = (two / "ledger.sqlite3").read_bytes()
    named = "hydra.sweep.subdir=${run.slug}"
    assert sweep("request.prompt=a,b,c", named) == 0
    (two / "ledger.sqlite3").write_bytes(old)
    capsys.readouterr()
    assert sweep("request.prompt=a,b,c", "repeat=2", named) == 2
    assert "has lost run 2" in capsys.readouterr().err
    assert created(emulator) == 3
    assert again("--rebuild") == 0
    assert sweep("request.prompt=a,b,c", named) == 0
    assert created(emulator) == 3


def test_the_row_of_a_run_that_was_never_begun_is_kept(two, sweep, here, forget, emulator):
    forget(0)
    assert sweep("request.prompt=b,c") == 0
    assert states(two) == ["planned", "verified", "verified"]
    assert json.loads((two / "results.jsonl").read_text().splitlines()[0])["status"] == "planned"
