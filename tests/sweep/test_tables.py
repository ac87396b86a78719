"""`prompts=FILE`: each row of a table is a point of a sweep, crossed with its axes."""

from __future__ import annotations

import csv
import io
import json
import random
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from PIL import Image

from runner.app import run
from runner.display.output import Advance
from runner.results.loading import load_sweep
from tests.emulator_thread import EmulatorThread

from .conftest import arguments

NASTY = [
    "A red fox, at dawn, 'noir' and \"soft\"",
    "costs $5 or ${oc.env:HOME}, \\${x} and \\\\${y}",
    '{"scene": {"what": "a {style} boat"}} {{x}} {prompt}',
    "first line\nsecond line\n\nlast",
    "🐋 größer, 大きい\u2028ok",
    "key=value,other=1 [a,b] {c:d} ~x @y #z",
    "back\\slash at the end \\",
    "  null  ",
    "-m",
]


DICE = random.Random(4)
ANY = range(1, 0x110000 - 0x800)
NASTY += ["x" + "".join(chr(n if n < 0xD800 else n + 0x800) for n in DICE.choices(ANY, k=200)) + "x" for _ in range(4)]
"""Letters of every kind that UTF-8 carries."""


def results(place: Path) -> list[dict[str, Any]]:
    """What the runs of a sweep say, in order."""
    found = [json.loads(path.read_text()) for path in place.glob("*/result.json")]
    return sorted(found, key=lambda result: result["index"])


def told(place: Path, *keys: str) -> list[tuple[Any, ...]]:
    """Of each run the values of some keys of its config."""

    def value(node: Any, key: str) -> Any:
        for part in key.split("."):
            node = node[part]
        return node

    return [tuple(value(result["config"], key) for key in keys) for result in results(place)]


def sent(emulator: EmulatorThread) -> list[str]:
    """The prompts of all jobs, as they came to the server."""
    answer = httpx2.get(f"{emulator.base_url}/videos?limit=100", headers={"authorization": "Bearer an-emulated-key"})
    return sorted(job["prompt"] for job in answer.json()["data"])


def as_csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def test_every_prompt_is_sent_as_it_stands(sweep, here: Path, emulator) -> None:
    (here / "shots.csv").write_text(as_csv([{"prompt": text} for text in NASTY]), encoding="utf-8", newline="")
    assert sweep("prompts=shots.csv") == 0
    assert sent(emulator) == sorted(NASTY)


def test_rows_are_crossed_with_axes_in_their_order(sweep, here: Path, emulator) -> None:
    (here / "prompts.txt").write_text("a fox\n\na whale\n")
    assert sweep("prompts=prompts.txt", "model=sora-2,sora-2-pro") == 0
    keys = ("run.id", "request.prompt", "model.name")
    assert told(here / "out", *keys) == [
        ("1", "a fox", "sora-2"),
        ("1", "a fox", "sora-2-pro"),
        ("2", "a whale", "sora-2"),
        ("2", "a whale", "sora-2-pro"),
    ]
    assert told(here / "out", "run.line", "run.table")[2] == (3, "prompts.txt")
    rows = list(csv.DictReader((here / "out" / "results.csv").read_text().splitlines()))
    assert [(row["id"], row["request.prompt"]) for row in rows][::2] == [("1", "a fox"), ("2", "a whale")]
    assert emulator.ledger()["jobs"] == 4


def test_cells_are_values_of_keys(here: Path, emulator, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")
    rows = [
        {"id": "fox", "prompt": "a fox", "model": "sora-2", "duration_seconds": "8", "request.aspect_ratio": "9:16"},
        {"id": "2", "prompt": "a whale", "model": "sora-2-pro", "duration_seconds": "", "request.aspect_ratio": ""},
    ]
    (here / "shots.csv").write_text(as_csv(rows), newline="")
    usual = [each for each in arguments(emulator, "out", ()) if "duration_seconds" not in each]
    assert run(["-m", *usual, "prompts=shots.csv"]) == 0
    keys = ("run.id", "model.name", "request.duration_seconds", "request.aspect_ratio")
    assert told(here / "out", *keys) == [("fox", "sora-2", 8, "9:16"), ("2", "sora-2-pro", 8, "16:9")]


@pytest.mark.parametrize("directory", ["hydra.run.dir", "hydra.sweep.dir"])
def test_one_row_more_needs_no_m(here: Path, emulator, monkeypatch, directory) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")
    (here / "prompts.txt").write_text("a fox\na whale\n")
    usual = arguments(emulator, "unused", ())[:-1]
    for _ in range(2):  # the second time, everything is there
        assert run([*usual, "prompts=prompts.txt", f"{directory}=here"]) == 0
        assert told(here / "here", "request.prompt") == [("a fox",), ("a whale",)]
        assert len(sent(emulator)) == 2


def test_rows_may_stand_in_an_experiment(sweep, here: Path) -> None:
    (here / "team" / "experiment").mkdir(parents=True)
    body = {"prompts": [{"prompt": "a fox", "seed": None}, {"prompt": "a whale, {x}", "id": "w"}]}
    (here / "team" / "experiment" / "film.yaml").write_text(f"# @package _global_\n{yaml.safe_dump(body)}")
    assert sweep("+experiment=film", "--config-dir", "team") == 0
    assert told(here / "out", "run.id", "request.prompt", "run.table") == [
        ("1", "a fox", "prompts"),
        ("w", "a whale, {x}", "prompts"),
    ]


def test_a_template_is_filled_from_columns_and_vars(sweep, here: Path, emulator) -> None:
    (here / "a.csv").write_text("id,animal,place\na,fox,Rome\nb,cat,Oslo\n")
    prompt = "request.prompt=A {animal} in {place}, {style}, {{{id}}}"
    assert sweep("prompts=a.csv", prompt, "vars.style=noir,pastel") == 0
    assert sent(emulator) == [
        "A cat in Oslo, noir, {b}",
        "A cat in Oslo, pastel, {b}",
        "A fox in Rome, noir, {a}",
        "A fox in Rome, pastel, {a}",
    ]


def test_a_row_s_own_prompt_is_a_word_of_a_template(sweep, here: Path, emulator) -> None:
    (here / "prompts.txt").write_text("a {x} fox\n")
    assert sweep("prompts=prompts.txt", "request.prompt='{prompt}, at night'") == 0
    assert sent(emulator) == ["a {x} fox, at night"]


def test_a_name_that_is_missing_is_refused(sweep, here: Path, emulator, capsys) -> None:
    (here / "a.csv").write_text("animal\nfox\n")
    assert sweep("prompts=a.csv", "request.prompt='A {animal} in {plaice}'", "vars.place=Rome") == 2
    said = capsys.readouterr().err
    assert "{plaice}" in said
    assert "{place}" in said
    assert emulator.ledger()["jobs"] == 0


def test_vars_are_the_user_s_own(sweep, here: Path) -> None:
    pair = "vars.pair={seconds:4,shape:'16:9'},{seconds:8,shape:'9:16'}"
    lengths = ("request.duration_seconds=${vars.pair.seconds}", "request.aspect_ratio=${vars.pair.shape}")
    assert sweep(pair, *lengths) == 0
    assert told(here / "out", "request.duration_seconds", "request.aspect_ratio") == [(4, "16:9"), (8, "9:16")]


def test_an_experiment_sweeps_over_a_word(sweep, here: Path, capsys) -> None:
    (here / "team" / "experiment").mkdir(parents=True)
    params = {"vars.style": ["noir", "pastel"], "request.prompt": "'A fox, {style}'"}
    body = {"hydra": {"sweeper": {"params": params}}}
    (here / "team" / "experiment" / "film.yaml").write_text(f"# @package _global_\n{yaml.safe_dump(body)}")
    assert sweep("+experiment=film", "--config-dir", "team", "dry_run=true") == 0
    out = capsys.readouterr().out
    assert "A fox, noir" in out
    assert "A fox, pastel" in out


def test_a_cell_that_looks_like_a_template_is_told(sweep, here: Path, capsys) -> None:
    (here / "prompts.txt").write_text("a fox, {style}\n")
    assert sweep("prompts=prompts.txt", "vars.style=noir", "dry_run=true") == 0
    assert "prompts.txt, line 1: {style} is sent as it stands" in capsys.readouterr().err


def test_rows_that_get_the_prompt_of_the_config_are_told(sweep, here: Path, capsys) -> None:
    (here / "shots.csv").write_text("prompt,seed,model\n,,sora-2\nfox,,\n,,sora-2-pro\n")
    assert run(["prompts=shots.csv", "dry_run=true"]) == 0
    told = capsys.readouterr().err
    assert "shots.csv, line 2 and 1 more: without a prompt of its own, a row is sent with the config's" in told
    (here / "shots.csv").write_text("prompt,prompt_file\n,fox.txt\nfox,\n")
    (here / "fox.txt").write_text("A fox")
    assert run(["prompts=shots.csv", "dry_run=true"]) == 0
    assert "without a prompt" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        ("prompt,secnods\nfox,4\n", (), "'secnods' is no key"),
        ("prompt,vars.a b\nfox,1\n", (), "'vars.a b' has a letter that no key can have"),
        ("größe\nfox\n", ("request.prompt='{größe}'",), "'größe' has a letter that no key can have"),
        ("prompt,request.prompt\nfox,cat\n", (), "are both request.prompt"),
        ("prompt\nfox\n", ("request.prompt=x",), "request.prompt is a column of shots.csv"),
        ("prompt,model\nfox,sora-2\n", ("model=sora-2,sora-2-pro",), "model is a column of shots.csv"),
        ("prompt,model\nfox,sora-9\n", (), "sora-9"),
        ("prompt,model\nfox,sora 2\n", (), "no option of model"),
        ("prompt,duration_seconds\nfox,long\n", (), "duration_seconds"),
        ("prompt\nfox\n", ("repeat=2", "replica=0,1"), "repeat and replica"),
        ("prompt\nfox\n", ("repeat=0",), "repeat"),
        ("prompt\nfox\n", ("shard=3/2",), "it is a part and how many parts"),
        ("prompt\nfox\n", ("exclude=fox",), "it is a list of mappings"),
        ("prompt\nfox\n", ("exclude=[{modle: sora-2}]",), "'modle' is no key"),
        ("prompt\nfox\n", ("exclude=[{model: sora-2}]",), "the sweep has no runs"),
        ("prompt\nfox\n", ("prompts_where=lang=en,style=noir",), "lang"),
        ("prompt\nfox\nfox\n", (), "would do and pay the same work"),
        ("prompt\nfox\n", ("hydra/sweeper=basic",), "prompts is read by hydra/sweeper=runner alone"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_spent(sweep, here, emulator, capsys, content, more, said) -> None:
    (here / "shots.csv").write_text(content)
    assert sweep("prompts=shots.csv", *more) == 2
    assert said in capsys.readouterr().err
    assert emulator.ledger()["jobs"] == 0
    assert not (here / "out").exists()


def test_a_long_table_says_how_many_rows_are_planned(sweep, here: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("runner.sweeps.sweeper.Advance", lambda what, seconds: Advance(what, seconds=0 * seconds))
    (here / "prompts.txt").write_text("a fox\na whale\na heron\n")
    assert sweep("prompts=prompts.txt", "dry_run=true") == 0
    assert "2 of 3 runs planned" in capsys.readouterr().err


def test_points_are_left_out_and_said(sweep, here: Path, capsys) -> None:
    (here / "prompts.txt").write_text("a fox\na whale\n")
    left = "exclude=[{id: 1, model: [sora-2-pro]}, {model: sora-2, request.duration_seconds: 12}]"
    assert sweep("prompts=prompts.txt", "model=sora-2,sora-2-pro", left, "dry_run=true") == 0
    out, said = capsys.readouterr()
    assert "left out: 1 run (exclude: {id: 1, model: ['sora-2-pro']})" in out
    assert "3 runs" in out
    assert "{model: sora-2, request.duration_seconds: 12} leaves nothing out" in said
    assert sweep("prompts=prompts.txt", "model=sora-2,sora-2-pro", left) == 0
    assert [result["index"] for result in results(here / "out")] == [0, 1, 2]
    assert told(here / "out", "run.id", "model.name") == [("1", "sora-2"), ("2", "sora-2"), ("2", "sora-2-pro")]


def test_what_a_model_does_not_offer_is_skipped_if_wanted(sweep, here: Path, emulator, capsys) -> None:
    wanted = ("request.duration_seconds=4,5,8", "model=sora-2")
    assert sweep(*wanted) == 2
    assert sweep(*wanted, "on_unsupported=skip") == 0
    assert "left out: 1 run (not offered: request.duration_seconds" in capsys.readouterr().err
    assert emulator.ledger()["jobs"] == 2


def test_repeat_is_a_replica_of_everything(sweep, here: Path, emulator) -> None:
    assert sweep("repeat=2", "request.prompt=a,b") == 0
    assert told(here / "out", "request.prompt", "replica") == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert emulator.ledger()["jobs"] == 4


def test_shards_are_the_whole_and_stay_when_the_table_grows(sweep, here: Path, emulator) -> None:
    (here / "prompts.txt").write_text("a\nb\nc\n")
    assert sweep("prompts=prompts.txt", "shard=1/2") == 0
    assert sweep("prompts=prompts.txt", "shard=2/2") == 0
    parts = [told(here / "out" / f"shard-{part}-of-2", "request.prompt") for part in (1, 2)]
    assert parts == [[("a",), ("c",)], [("b",)]]
    assert emulator.ledger()["jobs"] == 3


def test_a_run_of_a_row_is_resumed_and_repeated_without_the_file(sweep, here: Path, emulator) -> None:
    text = "costs ${oc.env:HOME}, {x}\nor 'so'"
    (here / "shots.jsonl").write_text(json.dumps({"prompt": text, "vars.mood": "calm"}))
    assert sweep("prompts=shots.jsonl") == 0
    (here / "shots.jsonl").unlink()
    assert run(["repeat", "out/0", "replica=1"]) == 0
    assert run(["resume", "out"]) == 0
    assert sent(emulator) == [text, text]
    assert run(["repeat", "out/0", "vars.mood=wild"]) == 2


def test_standard_input_is_a_table(sweep, here: Path, emulator, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a fox\na whale\n"), encoding="utf-8"))
    assert sweep("prompts=-") == 0
    assert sent(emulator) == ["a fox", "a whale"]


def test_a_part_of_the_rows_is_chosen(sweep, here: Path) -> None:
    rows = [{"prompt": f"p{number}", "vars.lang": "en" if number % 2 else "de"} for number in range(20)]
    (here / "shots.csv").write_text(as_csv(rows), newline="")
    assert sweep("prompts=shots.csv", "prompts_where=lang=en", "prompts_sample=5", "prompts_limit=2") == 0
    found = told(here / "out", "vars.lang", "run.id")
    assert [lang for lang, _ in found] == ["en", "en"]
    assert all(int(name) % 2 == 0 for _, name in found)


def test_images_are_relative_to_the_table(sweep, here: Path) -> None:
    (here / "shots").mkdir()
    Image.new("RGB", (1280, 720)).save(here / "shots" / "first.png")
    (here / "shots" / "shots.csv").write_text("prompt,image_list,size\na fox,first.png,1280x720\n")
    assert sweep("prompts=shots/shots.csv") == 0
    assert told(here / "out", "request.image_list") == [([str(here / "shots" / "first.png")],)]


TOWN = "A slow aerial shot over a coastal town {}, with warm light on all roofs and a calm sea behind the harbour"


@pytest.mark.parametrize("source", ["table", "file", "axis"])
def test_the_prompt_is_told_wherever_it_came_from(sweep, here: Path, capsys, monkeypatch, source: str) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    prompts = [TOWN.format(words) for words in ("at dawn", "in\nrain")]
    (here / "shots.csv").write_text(
        as_csv([{"id": str(n), "prompt": text} for n, text in enumerate(prompts)]), newline=""
    )
    for number, prompt in enumerate(prompts):
        (here / f"{number}.txt").write_text(prompt)
    typed = {
        "table": "prompts=shots.csv",
        "file": "request.prompt_file=0.txt,1.txt",
        "axis": "request.prompt=" + ",".join(f"'{prompt}'" for prompt in prompts),
    }
    assert sweep(typed[source], "model=sora-2,sora-2-pro", "dry_run=true") == 0
    dry = capsys.readouterr().out
    assert sweep(typed[source], "model=sora-2,sora-2-pro") == 0
    closing = capsys.readouterr().out
    for shown in (dry, closing):
        assert max(map(len, shown.splitlines()[:5])) <= 60
        assert shown.count("at dawn") == shown.count("in rain") == 2

    loaded = load_sweep(here / "out")
    key = {"table": "id", "file": "request.prompt_file"}.get(source, "request.prompt")
    assert next(iter(loaded[0].parameters)) == key
    assert [each.parameters["request.prompt"] for each in loaded][::2] == prompts
    with (here / "out" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["request.prompt"] for row in rows][::2] == prompts
    assert next(iter(rows[0])) == key
    assert loaded.to_pandas()["request.prompt"].tolist()[::2] == prompts


def test_a_run_tells_the_row_that_it_was_made_by(sweep, here: Path, capsys) -> None:
    (here / "shots.csv").write_text("id,prompt\ndawn,a fox\nnoon,a whale\n")
    assert sweep("prompts=shots.csv") == 0
    assert run(["show", "out/1"]) == 0
    assert "sora-2 · noon, line 3 of shots.csv\na whale\n" in capsys.readouterr().out
